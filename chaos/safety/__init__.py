"""Safety of drills: targets are gated, undos are journalled first, and a watchdog heals when the harness cannot."""
