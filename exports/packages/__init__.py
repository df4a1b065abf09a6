"""What leaves the house: files that other software opens, and the manifest that says what they are.

1. An XPT file is SAS transport version 5, read by regulators' software and every statistics package. The limits of that
   format (8-character names, 40-byte labels, 200-byte values) are checked before anything is written.
2. The same data give the same bytes: no clock, no host name, no random number enters a data file.
3. A value that the format cannot hold exactly is refused with its column and row. Nothing is cut, rounded or
   replaced.
4. A package is a folder that is either complete or absent. `manifest.json` names each file with its hash.

Not here: what the datasets contain (`exports.sdtm`), and who may have them (`datamodel.access`).
"""
