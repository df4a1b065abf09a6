"""Files of standards that a user obtained: kept by version in the installation's home folder, and found again.

What is kept is named by the SHA-256 of its content and is never changed; an index entry says which version it is, where
it came from and when. Both are written beside their place and moved there, so that nothing half-written is ever found.
"""

from validators.shelf.pinned import pinned_files
from validators.shelf.rulesets import load_rules, read_ruleset
from validators.shelf.shelf import Kept, Shelf
from validators.shelf.terms import load_terminology, read_kept_terminology

__all__ = ["Kept", "Shelf", "load_rules", "load_terminology", "pinned_files", "read_kept_terminology", "read_ruleset"]
