"""Keeping the ledger: giving events their positions, and verifying the whole of it.

`steps.py` has the plain functions; `flow.py` is what Prefect runs every night.
"""
