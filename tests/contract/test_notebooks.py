"""Notebooks show what they still say: every cell is run again from the top, and its text is the stored one."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evidence.assess import assess

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What Jupyter asks a value for. A picture is compared by its being one: its bytes are the drawing library's.
SHOWN_BY = {"text/html": "_repr_html_", "text/markdown": "_repr_markdown_"}
EXECUTE_AGAIN = "if the new output is right: python notebooks/execute.py notebooks/*.ipynb (see notebooks/execute.py)"


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    """Cells of a kind, in order."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def run(source: str, namespace: dict[str, Any]) -> tuple[str, Any]:
    """What a cell prints, and the value of its last line if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
    return printed.getvalue(), value


def stored(cell: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What a cell had printed, and the data of the value that it had shown."""
    assert all(each["output_type"] in ("stream", "execute_result") for each in cell["outputs"]), "errors, or displays"
    assert all(each.get("name", "stdout") == "stdout" for each in cell["outputs"]), "noise on stderr"
    printed = "".join(text for each in cell["outputs"] for text in each.get("text", []))
    shown = [each["data"] for each in cell["outputs"] if each["output_type"] == "execute_result"]
    return printed, shown[0] if shown else {}


def text_of(data: dict[str, Any], kind: str) -> str:
    """A text that is stored whole or in lines."""
    return "".join(data[kind])


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_run_and_agree_with_what_is_stored(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "notebooks" / "records", tmp_path / "records")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells(path, "code"):
        printed, value = run("".join(cell["source"]), namespace)
        was_printed, was_shown = stored(cell)
        assert printed == was_printed, f"cell {cell['id']}; {EXECUTE_AGAIN}"
        assert (value is None) == (was_shown == {}), f"cell {cell['id']}; {EXECUTE_AGAIN}"
        for kind, method in SHOWN_BY.items():
            if kind in was_shown:
                assert getattr(value, method)() == text_of(was_shown, kind), f"cell {cell['id']}; {EXECUTE_AGAIN}"
        if "image/png" in was_shown:
            assert value._repr_png_()[0].startswith(b"\x89PNG")
            assert repr(value) == text_of(was_shown, "text/plain")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_was_executed_in_order(path: Path) -> None:
    numbers = [cell["execution_count"] for cell in cells(path, "code")]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_of_a_machine_is_stored(path: Path) -> None:
    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, each in value.items():
                yield from () if key == "image/png" else texts(each)
        elif isinstance(value, list):
            for each in value:
                yield from texts(each)
        elif isinstance(value, str):
            yield value

    whole = "".join(texts(json.loads(path.read_text(encoding="utf-8"))))
    assert [word for word in ("/tmp", "/home", "/root", "/work", "Warning", "object at 0x") if word in whole] == []


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("record", sorted((ROOT / "notebooks" / "records").iterdir()), ids=lambda path: path.name)
def test_records_that_notebooks_read_are_whole_and_judged_alike(record: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(record, tmp_path / record.name)
    said = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert assess(folder).to_json() == said
    assert said["status"] == "pass"
