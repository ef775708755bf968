"""Theory checks of the data plane and of the intervals: what `windtunnel verify` runs, one kind of check a module."""
