"""Form values, with every revision kept.

1. An instance is one form of one participant at one event, with its repeat numbers (0 where nothing repeats).
2. A revision is the whole of an instance's accepted values at one moment, as text by field name, blanks left out;
   revisions are never changed or removed, and the newest one counts.
3. Equal values make no new revision (compared by content hash).
4. An instance that its source no longer has gets a revision without values, marked removed.
5. Every bulk change names in its ledger event the digest of the revisions it wrote.
6. A form is verified, signed and locked in one version (`workflow.py` has the table). A newer version, or reopening it with a
   reason, takes all of that away; every step stays in its history.
7. What a form's life says stands in the entry's status; the status that its source gave it stays with the revision.

Not here: what values are acceptable (validators), questions about them (discrepancies), what a
signature covers and asks for (signatures).
"""
