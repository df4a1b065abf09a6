"""Exporting SDTM: `steps.py` builds the domains of a snapshot and writes the package; `flow.py` is what Prefect runs.

One package for each snapshot, in `<exports>/<study>/sdtm/<snapshot number>`; a package that is there is left as it is, since the
same snapshot gives the same files. The export is an action of the flows' machine account, with the files' hashes in the
ledger.
"""
