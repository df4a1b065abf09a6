"""Keys, and what they protect.

1. A secret or an identifying value is stored only as `enc:v3:<key id>:<base64>`: AES-256-GCM (NIST SP 800-38D), bound by its
   additional data to version, key, installation, study, table, column and row. Its Python type is `Sealed`, which cannot
   hold plain text; its column type `SealedText` takes nothing else, and a CHECK of the database neither.
2. The root key comes from a file, the environment or a command, never from another secret. It wraps a random data key for
   each study (and one for what belongs to no study); a study's data key wraps one key for each participant. What is used
   to seal is derived from these by HKDF (RFC 5869), one key a column.
3. A participant's key destroyed, everything that identifies the participant is unreadable for good.
4. `enc:v1:` and `enc:v2:` (Fernet) are read where a column says so, while their key is given, and written as `enc:v3:`.
5. Tokens are random (256 bits), shown once, and stored as a SHA-256 hash.
6. Looking up an identifying value goes by keyed hash (HMAC-SHA-256).
7. A row that lets somebody in, or says where a secret goes, counts only with the stamp that this program gave it.

The only importer of `cryptography`. Not here: who may read what (access), who rotates and what the ledger says of it (custody).
"""
