"""Processes that keep a fault in force which no setting can: bounded in time, found by the journal's entry."""
