"""Form values, with every revision kept.

1. An instance is one form of one participant at one event, with its repeat numbers (0 where nothing repeats).
2. A revision is the whole of an instance's accepted values at one moment, as text by field name, blanks left out;
   revisions are never changed or removed, and the newest one counts.
3. Equal values make no new revision (compared by content hash).
4. An instance that its source no longer has gets a revision without values, marked removed.
5. Every bulk change names in its ledger event the digest of the revisions it wrote.

Not here: what values are acceptable (validators), questions about them (discrepancies).
"""
