"""Signed heads of the ledger, and a record of it outside the database.

1. There is one Merkle tree (RFC 9162) for the installation, with every sealed event, and one for each study, with its own.
2. A checkpoint says: this tree had this many entries under this root. It is a signed note (C2SP signed-note and
   tlog-checkpoint), signed with Ed25519 and with ML-DSA-65; both must verify.
3. The sealer keeps the trees outside the database, in the folder `heads` of the home: the hash of every leaf and every
   checkpoint, only ever appended, brought to the disk. It signs what it saw itself, never what the database says of the past;
   when the two differ it signs nothing.
4. Name and public keys of the log are pinned in that folder: a log signed with another key is another log.
5. Verification recomputes all trees from the events, compares them with every checkpoint in the database and outside, and
   says where the first difference is.
6. Rows that events wrote in tables that are never changed are attested: their digests are an event of the ledger.

Not here: events and their positions (audit).
"""
