"""What is for rehearsing only: the simulated day, rehearsal copies, and development surfaces.

1. A study's day may be moved by some days, to see which visits and tasks come due. What is written keeps the real instant.
2. Invented data never stand beside real ones: they go into a rehearsal copy, a study of its own with the same design. In it, and only
   in it, consent may be bypassed.
3. None of it exists in production: its pages are not among the routes, and what is stored does nothing, whatever is set.
4. Elsewhere it takes an administrator and `METRICIS_DEV_MODE=true`; every act is in the ledger, and every page carries a banner.
5. `surfaces.DEV_TEST_ROUTES` is the one list of pages and addresses that are for development.

Not here: the clock itself (kernel), what is due (scheduling, tasks), the invented data (testdata).
"""
