"""The command line: one module a command group; each command parses, calls one function, prints.

Modules of this package import nothing heavy at their top: a command imports what it needs when
it runs.
"""
