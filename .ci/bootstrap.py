"""Sets the project up in .venv from the hashed lock; a second run takes a second or two.

Only the standard library, since nothing is installed yet. While pip installs, the Toxiproxy server
is built (or found) beside it, and the simulator's kernels are compiled, so that no command waits for
them later: pip waits for the network, the others for the processor.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".windtunnel-setup"
LOCK = ROOT / "requirements.lock"
PROBE_TIMEOUT_S = 30.0
INSTALL_TIMEOUT_S = 1800.0
TOXIPROXY = [str(PYTHON), "-m", "chaos.staging.toxiproxy_build"]
KERNELS = [str(PYTHON), "-m", "simulator.kernels"]
COMPILING = ("llvmlite", "numba", "numpy")
"""All that compiling the kernels needs."""


class SetupError(Exception):
    """Set-up cannot go on; the message says what failed and what to do."""


def say(text: str) -> None:
    """Report progress on stderr, so that stdout stays the command's own."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock on the project folder, so that two runs do not install over each other."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def venv_is_ours() -> bool:
    """Tell whether .venv runs, has pip, is new enough and was made here (not copied)."""
    probe = "import sys, pip; print(sys.prefix, sys.version_info >= (3, 11), sep='\\n')"
    try:
        result = subprocess.run(
            [str(PYTHON), "-c", probe],
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    prefix, _, new_enough = result.stdout.strip().partition("\n")
    return new_enough == "True" and Path(prefix).resolve() == VENV.resolve()


def ensure_venv() -> None:
    """Make .venv unless a good one is there; replace a stale or foreign one."""
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
        raise SetupError(f"{VENV} is there but is no virtual environment; move it away")
    if PYTHON.exists() and venv_is_ours():
        return
    if VENV.exists():
        say("the virtual environment in .venv is stale or from elsewhere; making it anew")
        shutil.rmtree(VENV)
    say(f"making .venv with Python {sys.version.split()[0]}")
    try:
        venv.create(VENV, with_pip=True, symlinks=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(f"python -m venv failed ({error}); is python3-venv installed?") from error


def wanted_stamp() -> str:
    """Digest of all that the installation depends on."""
    digest = hashlib.sha256()
    for part in (LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(VENV).encode()):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def run_pip(arguments: list[str], total: int) -> None:
    """Run pip and count the packages it reaches; its whole output appears only when it fails."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", *arguments]
    lines: list[str] = []
    reached = 0
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        deadline = threading.Timer(INSTALL_TIMEOUT_S, pip.kill)
        deadline.start()
        try:
            assert pip.stdout is not None
            for line in pip.stdout:
                lines.append(line)
                if line.startswith("Collecting "):
                    reached += 1
                    if reached % 10 == 0 or reached == total:
                        say(f"  {reached} of {total} packages fetched")
                elif total and line.startswith("Installing collected packages"):
                    say("  unpacking")
        finally:
            deadline.cancel()
    if pip.returncode != 0:
        sys.stderr.write("".join(lines[-40:]))
        raise SetupError(f"pip install {' '.join(arguments)} failed; its last lines are above")


def locked(names: tuple[str, ...]) -> str:
    """The part of the lock that is about these packages."""
    parts = re.split(r"^(?=\w)", LOCK.read_text(), flags=re.MULTILINE)
    return "".join(part for part in parts if part.partition("==")[0] in names)


def install_compiling() -> None:
    """Install what compiling the kernels needs, before all others."""
    say("installing what compiles the simulator's kernels")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as part:
        part.write(locked(COMPILING))
        part.flush()
        run_pip(["--require-hashes", "--no-deps", "--no-compile", "-r", part.name], 0)


def install() -> None:
    """Install the locked packages, each checked against its hash, then the project itself."""
    names = [line for line in LOCK.read_text().splitlines() if line[:1].isalnum()]
    total = len([name for name in names if "win32" not in name and "pypy'" not in name])
    say(f"installing {total} locked packages")
    run_pip(["--require-hashes", "--no-compile", "-r", str(LOCK)], total)
    run_pip(["--no-deps", "--no-build-isolation", "-e", "."], 0)
    compile_packages()


def compile_packages() -> None:
    """Write the packages' byte code with every processor: pip does it with one, and without it each start is slow.

    Where the environment keeps Python from writing byte code, nobody else would ever write it. A file that does not
    compile (some packages carry templates) is no failure.
    """
    command = [str(PYTHON), "-m", "compileall", "-q", "-j", "0", str(VENV / "lib")]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=INSTALL_TIMEOUT_S)


@contextlib.contextmanager
def beside(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command beside what is done meanwhile; it is ended with that."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PROBE_TIMEOUT_S)


def finish_toxiproxy_build(build: "subprocess.Popen[bytes]") -> None:
    """Wait for the build, which tells its own progress."""
    try:
        code = build.wait(INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        limit = f"{INSTALL_TIMEOUT_S:.0f} s"
        raise SetupError(f"building the Toxiproxy server took longer than {limit}") from error
    if code != 0:
        raise SetupError("the Toxiproxy server was neither found nor built; see the lines above")


def compile_kernels() -> None:
    """Compile those that are not on disk, which is told: beside pip, a half installed package may have been met."""
    try:
        subprocess.run(KERNELS, cwd=ROOT, check=True, timeout=INSTALL_TIMEOUT_S)
    except subprocess.SubprocessError as error:
        raise SetupError(f"compiling the simulator's kernels failed ({error}); see the lines above") from error


def set_up() -> None:
    """Bring .venv, the Toxiproxy server and the compiled kernels up to date."""
    ensure_venv()
    wanted = wanted_stamp()
    fresh = STAMP.exists() and STAMP.read_text() == wanted
    with beside(TOXIPROXY) as build:
        if not fresh:
            started = time.monotonic()
            STAMP.unlink(missing_ok=True)
            install_compiling()
            with beside(KERNELS) as kernels:
                install()
                STAMP.write_text(wanted)
                say(f"packages installed in {time.monotonic() - started:.0f} s")
                if kernels.poll() is None:
                    say("waiting for the kernels to be compiled")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    kernels.wait(INSTALL_TIMEOUT_S)
        compile_kernels()
        if build.poll() is None:
            say("waiting for the Toxiproxy server to be built")
        finish_toxiproxy_build(build)


def main() -> int:
    """Set up; 0 when done, 2 with one message when not."""
    try:
        with one_at_a_time():
            set_up()
    except SetupError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted; run it again to go on")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
