"""The proof on the real staging: drift is refused as a baseline, and every planted difference is named."""

from pathlib import Path

import psycopg
import pytest

from chaos.proof import FACTS_FILE, Proof
from chaos.safety.errors import BaselineDrifted
from chaos.staging.embedded import Staging
from chaos.staging.embedded_adapter import EmbeddedAdapter

pytestmark = pytest.mark.e2e


def test_drift_is_refused_and_changes_are_named(staging: Staging, tmp_path: Path) -> None:
    proof = Proof(EmbeddedAdapter(staging), tmp_path)
    proof.take_baseline()
    with psycopg.connect(staging.orders_dsn(), autocommit=True) as connection:
        connection.execute("ALTER DATABASE orders SET default_transaction_read_only = on")
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("ALTER DATABASE orders SET work_mem = '7MB'")
        connection.execute("ALTER TABLE orders ADD COLUMN gift text")
        staging.toxiproxy.add_toxic("checkout--orders", "left-over", "latency", {"latency": 5, "jitter": 0})
        try:
            found = proof.compare("changed")
            with pytest.raises(BaselineDrifted, match="proxy checkout--orders: open, left-over, was open, no toxics"):
                Proof(EmbeddedAdapter(staging), tmp_path).take_baseline()
        finally:
            connection.execute("ALTER TABLE orders DROP COLUMN gift")
            connection.execute("ALTER DATABASE orders RESET ALL")
            staging.toxiproxy.remove_toxic("checkout--orders", "left-over")
    assert found == [
        "column orders.gift: text, was not there",
        "proxy checkout--orders: open, left-over, was open, no toxics",
        "setting any other: work_mem = 7168, was none",
        "setting default_transaction_read_only: on, was off",
    ]
    assert proof.compare("again") == []
    assert (tmp_path / FACTS_FILE).exists()
