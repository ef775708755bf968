"""Judges of guardrails, one a file: each looks at observations and says whether they are bad."""
