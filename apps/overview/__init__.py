"""The first pages: one's studies, a study's overview, and search.

1. Every number is a link to the rows that it counts; the list's length equals it.
2. A card or number that the reader may not open is left out.
3. What changed is told in plain sentences from the ledger, newest first.
"""
