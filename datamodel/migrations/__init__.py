"""Alembic migrations, forward-only, with the triggers that make the ledger append-only.

`upgrade(url)` brings a database to the newest shape; `state(url)` tells how far it is.
"""
