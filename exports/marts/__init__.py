"""Marts: numbered, immutable snapshots of a study in DuckDB, for analysts and for everything that is derived.

1. A snapshot is made from truth as of one ledger position N: rows whose event has a position up to N, and nothing else.
2. It is two files, `unblinded.duckdb` and `blinded.duckdb`. In the blinded one the arm and every blinded field do not
   exist, neither as columns nor in the catalogue.
3. One tidy table a form, and beside them participants, visits, status, sessions, scores, trials, consents,
   discrepancies, syncs, events and the catalogue. `names.py` holds the grammar of their names.
4. A table's columns follow from the published design, not from the data that happen to be there (`columns.py`).
5. Every table passes its contract (`validators.core`) or the whole snapshot is refused.
6. A snapshot appears whole or not at all (built aside, then renamed), is never changed, and is told in the ledger.
   When no row of the study changed since the newest snapshot, taking one returns that one.

Not here: SDTM and other standards (`exports.sdtm`), what a notebook sees (`metricis`).
"""
