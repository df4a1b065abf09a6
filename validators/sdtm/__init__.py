"""Our own catalogue of SDTMIG checks: rules as data in the open CORE format, in our own words, with examples.

`rules()` gives them to the engine; `entries()` with data that violate each and data that conform.
"""

from validators.sdtm.catalogue import CATEGORIES, SEVERITIES, Entry, entries, rules

__all__ = ["CATEGORIES", "SEVERITIES", "Entry", "entries", "rules"]
