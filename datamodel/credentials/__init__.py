"""How staff prove who they are.

1. A password is 12 to 128 characters, of any kind, and not one that attackers try first; it is kept as argon2id, and its
   parameters are renewed when its owner signs in.
2. A second factor is a passkey, a code of an authenticator, or one of ten recovery codes. Each code and each challenge
   works once, also when it is sent twice at the same moment.
3. A session begins when every factor that the account needs was shown, not before.
4. Tries are counted in the database, before a secret is looked at, whether the name exists or not: ten in ten minutes for
   a name, a hundred for a source. A name that is blocked can still come in with a passkey or a link.
5. Five wrong confirmations end the account's sessions and are told in the ledger as misuse.
6. What is sensitive asks for a confirmation that is less than five minutes old.
7. An institution's sign-in opens an account that was linked to that subject before; it makes none and gives no rights.

No secret, password, code or sign-in name stands in an event, an error or a log.

Not here: what an account may do (access), participants' links and PIN (links), signatures (signatures).
"""
