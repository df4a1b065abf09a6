"""The audit trail of a study, and the review of changes of critical values.

1. Two lists: events in plain words, and changes of values (who, when, why, what it was before). Both obey the reader's site
   and blinding, as all data do.
2. Every choice stands in the address, so that a link shows a colleague the same list. Pages count all rows; nothing is cut.
3. A file that is taken away is an entry of the ledger with its content hash.
4. What waits for review, and what was said of it, is one list; whoever made a change does not review it.
"""
