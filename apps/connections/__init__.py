"""Sync runs: how good the data are, what each run did, and "Run now".

1. The time of the last good data never changes by a failed run.
2. "Run now" is disabled while a run is going on or asked for.
3. The page follows the runs by itself, without counting as a sign of life of whoever looks.
"""
