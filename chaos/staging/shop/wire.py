"""Paths and headers of the shop's replicas, for them and for whoever asks them, who need not import a replica."""

from __future__ import annotations

__all__ = [
    "ATTEMPT_PATH",
    "BUSY_PATH",
    "COHORT_HEADER",
    "CONDITIONS_PATH",
    "DEFECTS_PATH",
    "FLAG_PATH",
    "MARKER_PATH",
    "MIRRORED_HEADER",
    "OPENAPI_PATH",
]

MARKER_PATH = "/.well-known/windtunnel-staging"
DEFECTS_PATH = "/_admin/defects"
CONDITIONS_PATH = "/_admin/conditions"
ATTEMPT_PATH = "/_admin/attempt"
FLAG_PATH = "/_admin/flag"
BUSY_PATH = "/_admin/busy"
OPENAPI_PATH = "/openapi.json"

COHORT_HEADER = "x-cohort"
MIRRORED_HEADER = "x-mirrored"
