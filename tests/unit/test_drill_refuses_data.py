"""What a drill cannot play of a store's data is refused by path; what it can is realised on the staging."""

import pytest

from chaos.realise import defects_of, staging_config
from chaos.realise_data import backs_up, touches_store, writes_wrong
from chaos.staging.config import StagingConfig, StoreConfig, Symptom
from chaos.unrealised import unrealised
from scenarios.loading import load, load_text, read


@pytest.mark.parametrize("name", ["shop-bad-data", "shop-failover", "shop-migration", "shop-restore"])
def test_the_librarys_drills_of_data_can_be_played(name: str) -> None:
    scenario = load(name)[0]
    assert unrealised(scenario) == []
    assert touches_store(scenario)


def test_stores_are_realised() -> None:
    store = staging_config(load("shop-restore")[0], 1).store
    assert (store.archive_every_s, store.rows, store.migration) == (2.0, 20_000, None)
    assert staging_config(load("shop-migration")[0], 1).store.migration == "new"
    assert backs_up(load("shop-restore")[0])
    assert not touches_store(load("shop-release")[0])
    assert staging_config(load("shop-release")[0], 1).store == StoreConfig(20, store.service_time)


def test_bad_data_is_realised() -> None:
    scenario = load("shop-bad-data")[0]
    config = staging_config(scenario, 1)
    assert config.store.symptom == Symptom(6.0, 0.4)
    assert StagingConfig.from_json(config.to_json()) == config
    (defect,) = defects_of(scenario, ["wrong-sign"], scenario.release.strategy)
    assert (defect.wrong_rows_ratio, defect.errors_ratio) == (0.2, 0.0)
    assert writes_wrong(scenario, ["wrong-sign"])
    assert not writes_wrong(scenario, [])


def test_a_repair_by_restore_needs_the_backup_taken() -> None:
    text = read("shop-restore").text
    bad = "defects: [{name: bad, probability: 1%, bad_data: {share: 1%, errors: 1%}}]\n  repair: {steps: [restore]}\n"
    text = text[: text.index("faults:")].replace("  strategy:", f"  {bad}  strategy:")
    assert backs_up(load_text(text, "f"))


def test_only_one_defect_may_write_wrong_rows() -> None:
    text = read("shop-bad-data").text
    another = "    - {name: another, probability: 1%, bad_data: {share: 1%}}\n  strategy:"
    lines = unrealised(load_text(text.replace("  strategy:", another), "f"))
    assert lines == ["release.defects[1].bad_data: must be the only one: nobody could tell whose rows hurt"]


def test_what_a_staging_does_not_have_is_refused_by_path() -> None:
    text = read("shop-restore").text
    changes = {
        "size: 3.2MB": "size: 12GB\n      standbys: 2\n      lag: 1s",
        "every: 1h, age: 0s": "every: 10s, age: 1m, tested: 90%",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    paths = [line.split(": ")[0].removeprefix("system.stores.orders.") for line in unrealised(load_text(text, "f"))]
    assert paths == ["standbys", "lag", "size", "backup.every", "backup.age", "backup.tested"]
