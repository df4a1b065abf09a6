"""Operators: what a condition of a rule says of each record, compiled to polars expressions."""
