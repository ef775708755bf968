"""The scenario language: one text that says what is released onto what, how, and what must hold."""
