"""Rare events by multilevel splitting: collapses that brute force would need a million replications to see."""
