"""A staging of commands without processes: one script that keeps what it was told in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaos.staging.files.loading import Loaded, parse_staging

_SCRIPT = """#!/bin/sh
set -eu
cd "$(dirname "$0")"
mkdir -p replicas routes faults
echo "$WINDTUNNEL_VERB $*" >> calls
case $WINDTUNNEL_VERB in
deploy)
    [ ! -e hang ] || sleep 600
    echo "$3" > "replicas/$2"
    ;;
route)
    rm -f routes/*
    for share in $2; do echo "${share#*=}" > "routes/${share%=*}"; done
    echo "$WINDTUNNEL_COHORTS" > cohorts
    ;;
mirror)
    mkdir -p mirrors
    [ -e broken ] || echo "$3" > "mirrors/$2"
    ;;
status)
    list() {
        comma=
        for file in "$1"/*; do
            [ ! -e "$file" ] || printf '%s"%s": %s' "$comma" "${file##*/}" "$(cat "$file")"
            comma=,
        done
    }
    replicas=$(list replicas) routes=$(list routes) mirrors=$(list mirrors)
    cohorts=$(cat cohorts 2>/dev/null || echo '{}')
    printf '{"ordered": {%s}, "ready": {%s}, "routes": {%s}, ' "$replicas" "$replicas" "$routes"
    printf '"mirrors": {%s}, "cohorts": %s}' "$mirrors" "$cohorts"
    ;;
migrate)
    [ ! -e hang-migrate ] || [ "$1" = state ] || sleep 600
    stands=$(cat schema 2>/dev/null || echo baseline)
    case $1 in
    state) printf '{"state": "%s"}' "$stands" ;;
    revert)
        [ "$stands" != contract ] || { echo "the old column is gone" >&2; exit 3; }
        echo baseline > schema
        ;;
    *) [ -e broken ] || echo "$1" > schema ;;
    esac
    ;;
reconcile) echo '{"rows": 7}' && rm -f wrong ;;
wrong) cat wrong 2>/dev/null || echo '{"rows": []}' ;;
ledger) echo '{"found": ["a", "b"]}' ;;
backup) echo '{"taken": "2026-01-01T00:00:00+00:00", "size_bytes": 5}' ;;
restore)
    echo '{"taken": "2026-01-01T00:00:00Z", "kept": "2026-01-01T00:00:09Z", "rows": 3}'
    echo "$1" > restored
    ;;
fail-over) echo '{"kept": null}' ;;
inject) [ -e broken ] || touch "faults/$1" ;;
confirm) [ -e "faults/$1" ] ;;
heal)
    rm -f "faults/$1"
    [ "$1" != store ] || rm -f schema restored
    ;;
residue) [ ! -e "faults/$1" ] && { [ "$1" != store ] || [ ! -e schema ] && [ ! -e restored ]; } ;;
verify) cat drift 2>/dev/null || true ;;
esac
"""


def tiny_data(folder: Path, **changes: Any) -> dict[str, Any]:
    """The data of a staging file in `folder`; `changes` are further keys of its commands."""
    folder.mkdir(exist_ok=True)
    script = folder / "staging.sh"
    script.write_text(_SCRIPT, encoding="utf-8")
    script.chmod(0o755)
    run = str(script)
    fault = {verb: {"run": [run, "{kind}"]} for verb in ("inject", "confirm", "heal", "residue")}
    commands = {
        "timeout": "10s",
        "deploy": {"run": [run, "{service}", "{version}", "{replicas}"]},
        "route": {"run": [run, "{service}", "{weights}"]},
        "status": {"run": [run, "{service}"]},
        "verify": {"run": [run]},
        "faults": {"latency": fault},
        **changes,
    }
    return {
        "schema": "windtunnel-staging/v1",
        "name": "tiny",
        "adapter": "commands",
        "target": "http://127.0.0.1:9",
        "marker": {"token": "tiny-staging"},
        "requests": {"checkout": {"path": "/"}},
        "commands": commands,
    }


def tiny_data_commands(folder: Path, *without: str) -> dict[str, Any]:
    """All verbs for data but those `without`."""
    words = {
        "migrate": ["{phase}"],
        "restore": ["{until}"],
        "wrong": ["{since}"],
        "heal": ["{kind}"],
        "residue": ["{kind}"],
    }
    verbs = ("migrate", "reconcile", "wrong", "backup", "restore", "fail-over", "heal", "residue")
    run = str(folder / "staging.sh")
    commands = {verb: {"run": [run, *words.get(verb, [])]} for verb in verbs if verb not in without}
    return {"store": "orders", **commands}


def tiny_staging(folder: Path, **changes: Any) -> Loaded:
    """The staging with two replicas of version 1 and all requests to them."""
    loaded = parse_staging(tiny_data(folder, **changes), folder / "staging.yaml")
    for kind, value in (("replicas", "2"), ("routes", "1")):
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / "1").write_text(value, encoding="utf-8")
    return loaded


def calls(folder: Path) -> list[str]:
    """Verbs and arguments of every call so far."""
    path = folder / "calls"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
