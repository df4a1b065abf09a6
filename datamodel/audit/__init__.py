"""The ledger: what happened, who did it, when and why.

1. Each action appends exactly one event, in the transaction of the change itself.
2. An event is stored as its canonical bytes (sorted keys, ASCII keys, numbers as text); the columns beside them
   are for searching and must agree with them.
3. Events are never changed or removed: the database refuses it.
4. A sealer gives committed events their positions: all rows below the oldest running transaction, in order, so
   that no event can ever appear below a position already given. Leaf = SHA-256(0x00 || event), as RFC 9162 §2.1.1
   has it, ready for the Merkle log.
5. Bulk changes carry the digest of their rows in the event, so that altering a row is found too.

Not here: who may read the ledger (access), and signing its head.
"""
