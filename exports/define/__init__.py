"""Define-XML: what the datasets of a package are, for programs and, through a stylesheet, for people.

1. `write_define` writes version 2.1; the one reader is `validators.library.define_read`, and what was written is read back equal.
2. The page is made here, from what was written: no entities, no document type, no network.
3. `define_of` makes the Define of datasets that were derived by a mapping: nobody writes it by hand.

Not here: whether the datasets are what their Define says (`validators`), and the mapping (`exports.sdtm`).
"""
