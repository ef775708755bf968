"""The Toxiproxy server, found or built from its Go module."""

from __future__ import annotations

import sys

from chaos.staging.go_program import GoProgram

__all__ = ["TOXIPROXY"]

TOXIPROXY = GoProgram(
    "toxiproxy-server", "2.12.0", "github.com/Shopify/toxiproxy/v2/cmd/server", (1, 23), "half a minute"
)


if __name__ == "__main__":
    sys.exit(TOXIPROXY.main())
