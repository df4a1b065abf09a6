"""A submission package: what a sponsor hands to a regulator, from one snapshot, in one folder.

1. A package is whole or not there: it is built beside its place under another name and renamed when every file is written.
2. The same snapshot, mapping, rules and terminology give the same bytes: no clock, no host name, no random number.
3. What was written is what is checked: the transport files are read back before the rules run on them.
4. `manifest.json` names every file with its SHA-256, the snapshot, the ledger's position, standards and software; its own
   hash is what the ledger keeps.
5. SDTM holds the arm: whoever is blinded gets no package.

Not here: what a dataset holds (`exports.sdtm`), how a file is written (`exports.packages`, `exports.define`), what the
report looks like (`exports.reports`).
"""
