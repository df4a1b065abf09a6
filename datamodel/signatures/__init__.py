"""Electronic signatures (21 CFR 11.50, 11.70, 11.200, 11.300).

1. A signature is one person's, over one version of one record, with one meaning out of a closed list.
2. It covers a manifest: record, version, content hash, participant, form, event, meaning, signer, instant. What was shown is what
   is signed: the caller passes the hashes that were on the screen, and a record that changed since is refused.
3. Its value is computed over the manifest, so on another record, version, meaning or person it does not verify.
4. The first signing in a session asks for every component (sign-in name, password, code); later ones in the same session at
   least for the password; after a break everything again. Nobody signs in another person's session.
5. Wrong tries are counted; after the fifth every session of the account ends and the ledger says so.
6. A signature is never changed or removed. When its record changes or is reopened it becomes void, with the reason, and stays.

Not here: which records may be signed when (their own rooms), and what proves who somebody is (credentials).
"""
