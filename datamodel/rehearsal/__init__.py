"""What is for rehearsing only: the simulated day, and development surfaces.

1. A study's day may be moved by some days, to see which visits and tasks come due. What is written keeps the real instant.
2. None of it exists in production: its pages are not among the routes, and a stored simulation does nothing.
3. Elsewhere it takes an administrator and `METRICIS_DEV_MODE=true`; every act is in the ledger, and every page carries a banner.
4. `surfaces.DEV_TEST_ROUTES` is the one list of pages and addresses that are for development.

Not here: the clock itself (kernel), what is due (scheduling, tasks).
"""
