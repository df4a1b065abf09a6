"""What the standard says: SDTMIG's datasets and variables, SDTM's model, controlled terminology by date.

`Library.bundled("3.4")` works without any download: names, labels, types, roles, Core, codelists and order are packaged
facts (`data/`). Terminology is not packaged; `read_terminology(path)` reads the file that a user obtained.
Nothing here knows of rules.
"""

from validators.library.facts import DomainFacts, VariableFacts
from validators.library.library import VERSIONS, Library
from validators.library.reading import read_terminology
from validators.library.terminology import Codelist, Term, Terminology

__all__ = [
    "VERSIONS",
    "Codelist",
    "DomainFacts",
    "Library",
    "Term",
    "Terminology",
    "VariableFacts",
    "read_terminology",
]
