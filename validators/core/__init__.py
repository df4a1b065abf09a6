"""What our tidy study tables must hold before anyone may read them.

1. Each table has its columns, with their types; keys are present and unique (`tables.py`, `forms.py`).
2. No value was lost on the way to its type.
3. Nothing that a blinded reader gets tells the arm (`blinding.py`).

A report is a list of `Breach`; an empty one means that the tables hold.

Not here: whether a value is plausible (sources, design), and conformance with SDTM.
"""
