"""Files and texts of every odd kind: a clear error, never a traceback."""

import os
from pathlib import Path

import pytest

from scenarios.errors import ScenarioError, ScenarioNotFound, ScenarioUnreadable
from scenarios.loading import load, load_file, load_text, read
from tests.unit.scenario_texts import VALID, changed, problems

QUOTED = ': a bound must be quoted, such as ">= 99%"'
TOO_LONG = (
    "f: is not YAML 1.2: Exceeds the limit (4300 digits) for integer string conversion: "
    "value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit"
)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "f.yaml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "encoded",
    [VALID.encode(), b"\xef\xbb\xbf" + VALID.encode(), VALID.replace("\n", "\r\n").encode()],
    ids=["plain", "bom", "crlf"],
)
def test_byte_order_marks_and_line_ends_do_not_matter(tmp_path: Path, encoded: bytes) -> None:
    assert load_file(written(tmp_path, encoded)) == load_text(VALID, "f.yaml")


def test_lines_are_right_with_windows_line_ends(tmp_path: Path) -> None:
    path = written(tmp_path, changed("replicas: 4", "replicas: 0").replace("\n", "\r\n").encode())
    with pytest.raises(ScenarioError) as caught:
        load_file(path)
    assert str(caught.value) == f"{path}:9: system.services.web.replicas: 0: must be at least 1"


def test_text_in_any_script_is_kept() -> None:
    assert load_text(changed("[made up for a test]", '["数字の出典 — größer"]'), "f").sources == ["数字の出典 — größer"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00\x01", "is not UTF-8 text: byte 0: invalid start byte"),
        (VALID.encode("utf-16"), "is not UTF-8 text: byte 0: invalid start byte"),
        (b"name: caf\xe9", "is not UTF-8 text: byte 9: unexpected end of data"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is not UTF-8 text: byte 0: invalid start byte"),
        (b"", "is empty: must be a scenario in YAML"),
        (b"\n\n  \n# nothing\n", "is empty: must be a scenario in YAML"),
        (b"x" * (2**20 + 1), "is larger than 1048576 bytes"),
    ],
    ids=["binary", "utf-16", "latin-1", "png", "empty", "blank", "huge"],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ScenarioUnreadable) as caught:
        load_file(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\n\tb: 2",
         "f:2: is not YAML 1.2: found character '\\t' that cannot start any token: indent by spaces, not by tabs"),
        ("a: {b: >= 1%}", f"f:1: is not YAML 1.2: found character '>' that cannot start any token{QUOTED}"),
        ("a:\n  b: >= 1%",
         f"f:2: is not YAML 1.2: expected chomping or indentation indicators, but found '='{QUOTED}"),
        ("a: 1\nb:2\nc: 3", "f:2: is not YAML 1.2: could not find expected ':' and a space after a key"),
        ("a: [1", "f:1: is not YAML 1.2: expected ',' or ']', but got '<stream end>'"),
        ("name: a\nname: b", "f:2: name: must be there once: it is on line 1 already"),
        ("a:\n  web: {b: 1}\n  web:\n    c: 1", "f:3: web: must be there once: it is on line 2 already"),
        ("a: *b", "f:1: is not YAML 1.2: found undefined alias 'b'"),
        ("--- a\n--- b", "f:2: is not YAML 1.2: but found another document"),
        ("a: \x07", "f: is not YAML 1.2: unacceptable character #x0007: special characters are not allowed"),
        ("a:\n  b: !!bool x", "f:2: tag:yaml.org,2002:bool: must not be there: tags have no meaning in a scenario"),
        ("!!python/object/apply:os.system [ls]",
         "f:1: tag:yaml.org,2002:python/object/apply:os.system: must not be there: tags have no meaning in a scenario"),
        ("a: 1\n[b]: c", "f:1: a key must be text, not a list or a mapping"),
        ("a: 2001-13-45", "f: is not YAML 1.2: month must be in 1..12"),
        ("&a [*a]", "f: stands in itself, or is nested too deeply"),
        ("[" * 5000 + "]" * 5000, "f:1: is nested more than 50 deep"),
        ("{a: " * 5000, "f:1: is nested more than 50 deep"),
        ("a: " + "9" * 5000, TOO_LONG),
    ],
)  # fmt: skip
def test_texts_that_are_no_yaml(text: str, message: str) -> None:
    with pytest.raises(ScenarioUnreadable) as caught:
        load_text(text, "f")
    assert str(caught.value) == message


def test_aliases_that_stand_for_billions_of_values_are_refused_quickly() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
    )
    with pytest.raises(ScenarioUnreadable, match=r"^f: holds more than 100000 values$"):
        load_text(bomb, "f")


def test_an_alias_may_repeat_a_part() -> None:
    text = changed("edge: {service_time: 2ms}", "edge: {service_time: &quick 2ms}")
    text = text.replace("{exponential: {mean: 30ms}}", "*quick")
    assert load_text(text, "f").system.services["bank"].service_time.params == (0.002, 0.0)


@pytest.mark.parametrize("text", ["[]", "a", "null", "3", "- a", "2001-01-01", ".nan", "true"])
def test_yaml_that_is_no_mapping(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("f.yaml:1: (the whole): ")
    assert problem.endswith(": must be a mapping of keys to values")


def test_a_bare_text_where_a_list_or_a_mapping_stands_is_told_how_to_write_it() -> None:
    (problem,) = problems(VALID.replace("sources: [", "sources: made up # ["))
    assert problem.endswith("sources: 'made up': must be a list, such as [made up]")
    (strategy,) = [line for line in VALID.splitlines() if line.strip().startswith("strategy:")]
    (problem,) = problems(VALID.replace(strategy, "  strategy: rolling"))
    assert problem.endswith("strategy: 'rolling': must be a mapping of keys to values, such as {rolling: {...}}")


def test_keys_that_are_no_text_and_numbers_that_are_too_long_to_show() -> None:
    (problem,) = problems(changed("name: tiny", "name: tiny\n7: x"))
    assert problem == "f.yaml:3: [7]: 7: must be text, not a number or a list"
    huge = changed("replicas: 4", "replicas: 0x" + "f" * 5000)
    assert problems(huge) == ["f.yaml:9: system.services.web.replicas: (a huge number): must be at most 100000"]


def test_long_values_are_shown_short() -> None:
    (problem,) = problems(changed("name: tiny", "name: " + "T" * 300))
    assert problem.startswith(f"f.yaml:2: name: '{'T' * 76}...: must be a name of lower-case letters")


@pytest.mark.parametrize("reference", ["no-such-scenario", "", "x" * 5000, "a\0b", "no/such/file.yaml", "~"])
def test_references_to_nothing(reference: str) -> None:
    with pytest.raises(ScenarioNotFound):
        load(reference)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("shop", r"there are shop-bad-data, .*shop-release, .*shop-zones$"),
        ("shop-releaze", r"there are shop-release, "),
        ("tax-return", r"`windtunnel scenario list` shows what is$"),
    ],
)
def test_what_is_in_the_library_is_said(reference: str, said: str) -> None:
    with pytest.raises(ScenarioNotFound, match=rf"^{reference}: is no file, and not in the library: {said}"):
        load(reference)


def test_a_folder_is_no_scenario_and_hides_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop-release").mkdir()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("shop-release")[0].name == "shop-release"
    with pytest.raises(ScenarioNotFound, match=r"^folder: cannot be read: Is a directory$"):
        read("folder")


def test_a_file_hides_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop-release").write_text(VALID)
    monkeypatch.chdir(tmp_path)
    assert load("shop-release")[0].name == "tiny"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, VALID.encode())
    path.chmod(0)
    with pytest.raises(ScenarioNotFound, match=r": cannot be read: Permission denied$"):
        load_file(path)
