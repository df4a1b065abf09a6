"""Data that are taken away: standard, format, population and snapshot are chosen, looked at, and downloaded.

1. Only a numbered snapshot is exported, as its reader may see it: their site, no arm and no blinded values for who is blinded.
2. What is downloaded is an entry of the ledger with its content hash before the browser gets a byte of it.
3. Every choice stands in the address. A choice that cannot be made is not offered, and says why when asked for by address.
"""
