"""``python -m windtunnel`` is the command ``windtunnel``."""

from windtunnel.cli.main import run

if __name__ == "__main__":
    run()
