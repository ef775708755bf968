"""Safety: targets are gated, undos journalled first, a watchdog heals when the harness cannot."""
