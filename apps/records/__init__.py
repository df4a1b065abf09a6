"""A form of a participant: its values with labels and units, its repeats, and the history of each field.

1. Values are shown as people read them: choices by their label, days as 05-Mar-2026, units beside them.
2. A blinded value that the reader may not see is not in the page at all.
3. The history of a field is one click away: value, who, when, why, and where it came from.
"""
