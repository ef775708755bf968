"""Experiments of the Chaos Toolkit: their actions and probes as a fault of a drill, and scenarios as experiments."""
