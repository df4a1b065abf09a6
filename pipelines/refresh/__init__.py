"""From REDCap to everything that is derived: ingest, then a snapshot, then SDTM.

`flow.py` is the recipe; the three parts are flows of their own and can be run alone.
"""
