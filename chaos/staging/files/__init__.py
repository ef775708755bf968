"""Staging files: a user's own staging, described in YAML."""
