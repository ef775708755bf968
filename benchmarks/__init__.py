"""Benchmarks: each a command that prints one JSON document."""
