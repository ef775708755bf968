"""Windtunnel's front door: the command line and the API that notebooks share with it.

Nothing is imported here, so that ``windtunnel --help`` costs only what it shows.
"""

__version__ = "0.1.0"
