"""The door for browsers and machines over plain HTTP: sign-in, consent events, task results, REDCap's trigger, health.

1. What arrives is stored in the inbox and answered with a receipt before anything is done with it.
2. The same `Idempotency-Key` with the same body gets the same receipt, however often it comes.
3. No secret stands in an address that reaches a log: sign-in tokens come in the body of a POST that a person made by
   pressing a button, the trigger's secret is taken out of the address before anything logs it.
4. A browser's POST must come from our own pages (Fetch Metadata, or Origin).
5. Every "no" says what was received, what is allowed and what to do; an error shows a reference number and no internals.
6. It starts in under a second and imports neither Panel nor polars, DuckDB, pandera or Prefect.

Not here: what participants see (participant: views, words, templates), opening envelopes (pipelines.intake).
"""
