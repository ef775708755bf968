"""``windtunnel doctor``: what this machine lacks, found by trying it, and how to get it."""
