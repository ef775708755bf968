"""Run one replica: `python -m chaos.staging.shop SERVICE VERSION INDEX FD CONFIG`.

FD is an inherited listening socket: the starter knows the port before the process is up, and nobody can take it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from pathlib import Path
from typing import Any, cast

import uvicorn

from chaos.staging.config import CallConfig, Defect, StagingConfig
from chaos.staging.ports import LOOPBACK
from chaos.staging.shop.app import App
from chaos.staging.shop.client import Pool
from chaos.staging.shop.conditions import START_POLL_S, Conditions
from chaos.staging.shop.draws import stream
from chaos.staging.shop.service import Service
from chaos.staging.shop.tracing import tracing_to

WARM_DEADLINE_S = 5.0
CUT_OFF_S = 0.2


def build(name: str, version: str, index: int, setup: dict[str, Any]) -> Service:
    """The replica as `setup` (shop.json) has it."""
    config = StagingConfig.from_json(setup["config"])
    chance = stream(config.seed, name, version, index)
    service = Service(name, version, config.services[name], chance)
    service.tracing = tracing_to(Path(setup["spans"]), name, version, index)
    service.defects = tuple(Defect(**entry) for entry in setup["defects"].get(name, {}).get(version, []))
    service.meet(conditions(name, setup))
    for entry in setup["upstreams"]:
        if entry["caller"] == name and entry["callee"] != "orders":
            call: CallConfig = config.call(name, entry["callee"])
            service.pools[entry["callee"]] = (Pool(LOOPBACK, entry["port"]), call)
    if name == "checkout":
        from chaos.staging.shop.store import OrderStore

        told, schema = config.store, _schema(config, version)
        store = OrderStore(setup["orders_dsn"], told.connections, told.service_time, chance, schema)
        service.store = (store, config.call("checkout", "orders"))
        if told.symptom is not None:
            from chaos.staging.shop.reading import Reading

            service.reading = Reading(store, told.symptom)
    if config.has_flag(name, version):
        from chaos.staging.shop.flag import Flag, polling, streaming

        assert config.flag_poll_s is not None
        port = setup["flagd"]
        provider = polling(setup["flags"][name], config.flag_poll_s) if port is None else streaming(port)
        service.flag = Flag(name, provider, config.latency_edges_s)
    if name == "payments":
        from chaos.staging.shop.payments_ledger import PaymentsLedger

        service.ledger = PaymentsLedger(Path(setup["payments_ledger"]))
    return service


def _schema(config: StagingConfig, version: str) -> str:
    """The schema that a version of checkout writes: the new one's may be another."""
    is_new = version != config.services["checkout"].versions[0]
    return config.store.migration or "old" if is_new else "old"


def conditions(name: str, setup: dict[str, Any]) -> Conditions:
    """What the replica is to serve under now."""
    return Conditions(**setup.get("conditions", {}).get(name, {}))


async def start_slowly(name: str, config: Path) -> None:
    """As long as its condition holds: one that is taken back must not make a deploy wait."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while loop.time() < began_s + conditions(name, json.loads(config.read_text(encoding="utf-8"))).start_add_s:
        await asyncio.sleep(START_POLL_S)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    await start_slowly(arguments.service, Path(arguments.config))
    setup = json.loads(Path(arguments.config).read_text(encoding="utf-8"))
    service = build(arguments.service, arguments.version, arguments.index, setup)
    if service.store is not None and not await service.store[0].warm(WARM_DEADLINE_S):
        # a database that is away does not keep a replica from being ready: its orders fail, and say so
        print(
            f"{arguments.service}: orders database not reached within {WARM_DEADLINE_S} s",
            flush=True,
        )
    server = uvicorn.Server(
        uvicorn.Config(
            App(service, setup["token"]),
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            date_header=False,
            timeout_keep_alive=3600,  # Envoy ends idle connections; if both may, requests are lost in the race
            # Whoever stops a replica has drained it: what is left is cut off, once idle connections are closed.
            timeout_graceful_shutdown=cast("int", CUT_OFF_S),
        )
    )
    looking = None if service.reading is None else asyncio.create_task(service.reading.watch())
    with socket.socket(fileno=arguments.fd) as listener:
        await server.serve(sockets=[listener])
    if looking is not None:
        looking.cancel()
    for pool, _ in service.pools.values():
        pool.close()
    if service.store is not None:
        await service.store[0].close()
    if service.flag is not None:
        service.flag.close()
    if service.ledger is not None:
        service.ledger.close()
    service.tracing.close()


def main() -> None:
    """Parse, then run on uvloop."""
    parser = argparse.ArgumentParser(prog="chaos.staging.shop")
    parser.add_argument("service")
    parser.add_argument("version")
    parser.add_argument("index", type=int)
    parser.add_argument("fd", type=int)
    parser.add_argument("config")
    arguments = parser.parse_args()
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(arguments))


if __name__ == "__main__":
    main()
