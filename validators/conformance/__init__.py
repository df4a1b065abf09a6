"""Conformance: what a rule of a standard says of datasets, read from the open CORE format and compiled to polars.

`read_rule` makes a rule, `run` runs rules on datasets, `Results` holds what was found: every rule yields findings, says
that it was skipped or is unsupported and why, or raises.
"""
