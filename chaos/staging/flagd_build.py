"""flagd, built from its Go module so that it listens on loopback alone.

flagd listens on every interface and has no option to do otherwise, which nothing of a staging may. So it is built from
its published source with the address put before each port. What it is called tells it apart: a flagd on PATH is as its
makers have it, and is not taken.

The module beside this file pins the version and, by its go.sum, every dependency. Those sums are of flagd's own go.sum
where that has them; flagd's own, and some that only tests of dependencies need, are those of the first download.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from chaos.errors import BuildFailed
from chaos.staging.go_program import BUILD_TIMEOUT_S, INSTALL, GoProgram
from chaos.staging.go_toolchain import Go
from chaos.staging.ports import LOOPBACK

__all__ = ["FLAGD", "bound_to_loopback"]

_MODULE = Path(__file__).with_name("flagd_module")
# Where flagd listens: how many ports each of its files opens.
_LISTENS = {
    "pkg/service/flag-evaluation/connect_service.go": 2,
    "pkg/service/flag-evaluation/ofrep/ofrep_service.go": 1,
    "pkg/service/flag-sync/sync_service.go": 1,
}
_EVERYWHERE = '":%d"'


class _Flagd(GoProgram):
    """Built through our module, from a copy of its source."""

    def build(self, go: Go) -> None:
        """Fetch, checked against go.sum; put the address in; install. Raises BuildFailed."""
        module = go.scratch / "module"
        shutil.copytree(_MODULE, module)
        fetched = json.loads(go.run(["mod", "download", "-json", self.package], BUILD_TIMEOUT_S, module))
        source = go.scratch / "source"
        shutil.copytree(fetched["Dir"], source)
        bound_to_loopback(source, _LISTENS)
        go.run(["mod", "edit", "-replace", f"{self.package}=../{source.name}"], BUILD_TIMEOUT_S, module)
        go.run([*INSTALL, "-buildvcs=false", self.package], BUILD_TIMEOUT_S, module)


def bound_to_loopback(source: Path, listens: Mapping[str, int]) -> None:
    """Put the address before each port that the files open. Raises BuildFailed for source that is not as expected."""
    for name, places in listens.items():
        path = source / name
        text = path.read_text(encoding="utf-8")
        found = text.count(_EVERYWHERE)
        if found != places:
            raise BuildFailed(f"flagd's {name}: ports opened(={found}) must be {places}: not the source expected")
        path.write_text(text.replace(_EVERYWHERE, f'"{LOOPBACK}:%d"'), encoding="utf-8")


FLAGD = _Flagd("flagd-loopback", "0.11.2", "github.com/open-feature/flagd/flagd", (1, 24), "two minutes")


if __name__ == "__main__":
    sys.exit(FLAGD.main())
