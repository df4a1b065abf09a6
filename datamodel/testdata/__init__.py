"""Invented participants and their data, in rehearsal copies of a study and nowhere else.

1. An administrator orders them (`rehearsal.order`); the flows' account writes what was ordered, once, and the ledger names both.
2. The same order gives the same data: participants of all statuses, at sites of the copy, with visits up to a day, values that
   the design allows, and series that move from visit to visit as a person's do.
3. Nothing identifying is invented: fields marked as identifiers stay empty, and so do fields that show on a condition only.
4. Taking the data out marks the forms as removed and the participants as withdrawn; what was there stays in the ledger.

Not here: the copy, its design, the consent bypass (rehearsal); whether values are acceptable (validators).
"""
