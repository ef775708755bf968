"""The run record, its measures and verdicts: written early, judged later, the same for both worlds.

Deliberately without re-exports: importing the record never pulls in the judge or the figures.
"""
