"""REDCap into PostgreSQL.

1. The design first: the dictionary becomes the study's published design; when it changes under way the run fails.
2. Then the list of all records; every batch must bring back every record that it asked for.
3. Then form by form, in batches bounded in cells: pull, check against the design, save. A batch is one transaction.
4. What the design rejects becomes a data question; the rest becomes revisions, and only where something changed.
5. A run that failed leaves finished batches; the next run of the same pull goes on from there.
"""
