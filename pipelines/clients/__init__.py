"""Clients of the outside world: one protocol, one adapter each.

`redcap.py` asks a REDCap project, `transport.py` carries each question over HTTP and refuses every answer that is not
one, `errors` of both are Metricis's own and say what happened and what to do. No client knows the database.
"""
