"""Define-XML: what the datasets of a package are, for programs and, through a stylesheet, for people.

1. `write_define` writes version 2.1; `read_define` reads 2.1 and 2.0. What was written is read back equal.
2. XML from outside is never trusted: no entities, no document type, no network.
3. `define_of` makes the Define of datasets that were derived by a mapping: nobody writes it by hand.

Not here: whether the datasets are what their Define says (`validators`), and the mapping (`exports.sdtm`).
"""
