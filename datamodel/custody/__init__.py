"""How keys and the program's files are kept: whether a process may start with what it was given, how keys are changed, what is due.

1. Nothing starts, in development or production, without a root key, with one that is too short, that is another secret too or
   not the one the database was sealed under, or while a secret column holds plain text or a version nobody may read.
2. Keys are changed while everything runs: two open, the new one seals. In production it takes a second person.
3. In production nothing starts on files of the program that are not those somebody recorded, signed; the ledger has the record.
4. Every step that changes what is stored is in the ledger, without any value.

Not here: cryptography (vault).
"""
