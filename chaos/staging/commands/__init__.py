"""The adapter of the user's own commands: one a verb."""
