"""Staging files: what is wrong is told with file, line, path, value and rule, before anything starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.realise import NotRealisable, require_realisable
from chaos.safety.errors import TargetNotListed
from chaos.safety.targets import preflight
from chaos.staging.adapters import attach, open_staging, state_dir_of
from chaos.staging.files.errors import InvalidStagingFile, StagingFileUnreadable
from chaos.staging.files.fitting import require_fitting
from chaos.staging.files.loading import Loaded, load_staging, parse_staging, staging_schema
from scenarios.loading import load
from scenarios.models import Strategy
from tests.commands_tiny import tiny_data
from windtunnel.cli.exits import ExitCode

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "commands-staging" / "shop.yaml"
Run = Callable[..., Any]

TEXT = """\
schema: windtunnel-staging/v1
name: shop
adapter: commands
target: http://127.0.0.1:8080
marker: {token: "0123456789"}
allow: {hosts: [shop.staging.internal], networks: [10.20.0.0/16]}
requests:
  checkout: {method: POST, path: /checkout, store: orders}
  browse: {path: /catalogue, headers: {x-tenant: drill}}
commands:
  deploy: {run: [./deploy, "{service}", "{version}", "{replicas}"], timeout: 2m}
  route: {run: [./route, "{weights}"]}
  status: {run: [./status, "{service}"]}
"""


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "shop.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_understood(tmp_path: Path) -> None:
    file = load_staging(written(tmp_path)).file
    assert file.commands is not None
    assert (file.commands.deploy.timeout_s, file.commands.timeout_s) == (120.0, 60.0)
    assert file.requests["browse"].headers == {"x-tenant": "drill"}
    allow = file.allow.listed()
    assert {"127.0.0.1", "shop.staging.internal"} <= allow.hosts
    assert [str(network) for network in allow.networks] == ["127.0.0.0/8", "::1/128", "10.20.0.0/16"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("adapter: commands", "adapter: comands", "shop.yaml:3: adapter: 'comands': must be one of"),
        ("target: http://127.0.0.1:8080", "target: ftp://x", "shop.yaml:4: target: 'ftp://x': must be http://host:port"),
        ("127.0.0.1:8080", "me:pw@127.0.0.1", "without path, user or password"),
        ("127.0.0.1:8080", "127.0.0.1:99999", "must be http://host:port"),
        ('"0123456789"', "short", "marker.token: 'short': must have at least 8 characters"),
        ("name: shop", "name: shop-live", "shop.yaml:2: name: 'shop-live': must not look like production"),
        ("10.20.0.0/16", "8.8.8.0/24", "allow.networks[0]: '8.8.8.0/24': must be a private network"),
        ("10.20.0.0/16", "0.0.0.0/0", "allow.networks[0]: '0.0.0.0/0': must be a private network"),
        ("10.20.0.0/16", "10.20.0.1/16", "must be a network such as 10.20.0.0/16"),
        ("shop.staging.internal", "'*.internal'", "allow.hosts[0]: '*.internal': must be the name or address of one"),
        ("path: /checkout", "path: //checkout", "requests.checkout.path: '//checkout'"),
        ("timeout: 2m", "timeout: 120", "commands.deploy.timeout: 120: must be a duration with its unit"),
        ("  route:", "  rout:", "commands.rout: {'run': ['./route', '{weights}']}: unknown key"),
        ("{replicas}", "{replica}", "{replica} in `run` of deploy is no placeholder of it"),
        ("  status: {run: [./status, \"{service}\"]}\n", "", "commands.status: (absent): is required"),
        ("./route", "''", "commands.route.run[0]: ''"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(old: str, new: str, told: str, tmp_path: Path) -> None:
    assert old in TEXT
    with pytest.raises(InvalidStagingFile) as caught:
        load_staging(written(tmp_path, TEXT.replace(old, new)))
    assert told in str(caught.value)


def test_an_adapter_needs_its_part(tmp_path: Path) -> None:
    with pytest.raises(InvalidStagingFile, match="must have commands"):
        load_staging(written(tmp_path, TEXT[: TEXT.index("commands:\n")]))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StagingFileUnreadable, match="No such file"):
        load_staging(tmp_path / "none.yaml")
    with pytest.raises(StagingFileUnreadable, match=r"shop.yaml:"):
        load_staging(written(tmp_path, "{"))
    with pytest.raises(StagingFileUnreadable, match="must be a staging in YAML"):
        load_staging(written(tmp_path, "# nothing\n"))


def test_variables_stand_in_few_places_and_must_be_set(tmp_path: Path) -> None:
    text = TEXT.replace("127.0.0.1:8080", "127.0.0.1:${PORT}").replace("./deploy", "$PORT")
    assert load_staging(written(tmp_path, text), {"PORT": "81"}).file.target == "http://127.0.0.1:81"
    assert load_staging(written(tmp_path, text), {"PORT": "81"}).data["commands"]["deploy"]["run"][0] == "$PORT"
    with pytest.raises(InvalidStagingFile, match=r"shop.yaml:4: target: .*: the environment variable PORT is not set"):
        load_staging(written(tmp_path, text), {})


def test_the_example_is_understood_and_its_schema_knows_it(windtunnel: Run) -> None:
    names = (
        *("WINDTUNNEL", "SHOP_STATE", "SHOP_SCENARIO", "SHOP_TOKEN", "SHOP_ENVOY", "SHOP_TOXIPROXY", "SHOP_PSQL"),
        "SHOP_COLUMNS",
    )
    values = dict.fromkeys(
        (*names, *(f"PG{name}" for name in ("HOST", "PORT", "USER", "DATABASE", "PASSWORD"))), "x" * 8
    )
    loaded = load_staging(EXAMPLE, {**values, "SHOP_URL": "http://127.0.0.1:80"})
    scenario, _ = load(str(EXAMPLE.parent / "release.yaml"))
    require_fitting(scenario, scenario.release.strategy, ["coupon-errors"], loaded)
    assert json.loads(windtunnel("schema", "--staging").out) == staging_schema()
    others = {"allow", "kubernetes", "prometheus", "envoy", "load"}
    assert set(staging_schema()["properties"]) == set(loaded.data) | others


@pytest.mark.parametrize("name", ["release", "migration", "bad-data"])
def test_the_examples_shop_can_be_brought_up_for_each_of_its_scenarios(name: str) -> None:
    scenario, _ = load(str(EXAMPLE.parent / f"{name}.yaml"))
    require_realisable(scenario)


def tiny(folder: Path, **changes: Any) -> Loaded:
    data = tiny_data(folder / "shop", **changes)
    data["requests"] = {"checkout": {"path": "/"}, "browse": {"path": "/"}}
    return parse_staging(data, folder / "staging.yaml")


def test_what_does_not_fit_is_told_before_anything_starts(tmp_path: Path) -> None:
    scenario, _ = load("shop-release")
    strategy = Strategy.model_validate({"canary": {"steps": [{"mirror": "10%"}, {"weight": "50%"}, {"bake": "9s"}]}})
    loaded = tiny(tmp_path, faults={})
    del loaded.file.requests["browse"]
    with pytest.raises(NotRealisable) as caught:
        require_fitting(scenario, strategy, ["coupon-errors"], loaded)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(": ")[0].strip() for line in lines] == [
        "functions.browse", "release.defects", "canary.steps[0].mirror", "faults[0].latency", "release.guardrails",
    ]  # fmt: skip
    good = scenario.model_copy(update={"release": scenario.release.model_copy(update={"guardrails": []})})
    require_fitting(good, scenario.release.strategy, [], tiny(tmp_path))


def test_a_staging_is_found_again_without_its_file(tmp_path: Path, windtunnel_state: Path) -> None:
    loaded = tiny(tmp_path)
    folder = state_dir_of(loaded)
    assert folder.parent == windtunnel_state
    assert folder.name.startswith("tiny-")
    opened = open_staging(loaded, folder)
    assert (folder / "staging.json").stat().st_mode & 0o777 == 0o600
    assert attach(folder).token() == opened.token() == "tiny-staging"
    with pytest.raises(TargetNotListed, match=r"127.0.0.1, ::1, localhost"):
        preflight("http://shop.staging.internal", "token", opened.allow)


def test_the_command_line_refuses_with_exit_code_2(windtunnel: Run, tmp_path: Path) -> None:
    path = written(tmp_path, TEXT.replace("adapter: commands", "adapter: comands"))
    for command in (["drill", "shop-release"], ["undo"], ["staging", "status"]):
        result = windtunnel(*command, "--staging", str(path))
        assert result.code == ExitCode.USAGE
        assert f"{path}:3: adapter: 'comands': must be one of" in result.err
    result = windtunnel("drill", "shop-release", "--staging", str(written(tmp_path)))
    assert result.code == ExitCode.USAGE
    assert "release.defects: coupon-errors: the file has no command defects" in result.err
    assert windtunnel("undo", "--staging", str(written(tmp_path))).out == "Nothing was left to undo.\n"


def test_a_kind_of_two_words_can_have_commands_and_an_unknown_one_cannot(tmp_path: Path) -> None:
    commands = {verb: {"run": ["true"]} for verb in ("inject", "confirm", "heal", "residue")}
    file = tiny(tmp_path, faults={"crash_loop": commands}).file
    assert file.commands is not None
    assert set(file.commands.faults) == {"crash_loop"}
    with pytest.raises(InvalidStagingFile, match="meteor"):
        tiny(tmp_path, faults={"meteor": commands})
