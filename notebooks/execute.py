"""Executes a notebook where it stands and keeps nothing of the machine: python notebooks/execute.py NOTEBOOK...

Wants nbclient and ipykernel beside Windtunnel. They are not in the lock: nobody but a notebook's author needs them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TIMEOUT_S = 300
# What notebooks read, from beside them.
RECORDS = Path(__file__).with_name("records")


def execute(path: Path) -> None:
    """Run all cells from the top in a folder of their own, and store what they show."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(RECORDS, Path(folder, RECORDS.name))
        NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": folder}}).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata = {}  # times of execution
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name))
