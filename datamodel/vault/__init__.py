"""Keys, and what they protect.

1. A secret or an identifying value is stored only as `enc:v3` text: AES-256-GCM (NIST SP 800-38D), bound by its
   additional data to the table, column and row it belongs to, with the id of its key.
2. Tokens are random (256 bits), shown once, and stored as a SHA-256 hash.
3. Looking up an identifying value goes by keyed hash (HMAC-SHA-256).

The only importer of `cryptography`. Not here: who may read what (access).
"""
