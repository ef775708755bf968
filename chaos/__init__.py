"""The world of real staging: adapters, faults, load, ledger and safety. Imports nothing at load time."""
