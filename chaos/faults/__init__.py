"""The faults that a drill injects into a real staging, one file each; table in registry.py."""
