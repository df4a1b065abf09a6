"""What a check found: one row a finding, in one shape for every check.

A finding names its place (record, event, form, repeats, field), the value that was received, the rule that it breaks
and the reason in plain words. `CODES` lists every rule; the manual's page is made from it. A *rejected* value is not
accepted into the records; any other is accepted and asked about.
"""

from validators.findings.codes import CODES, Code
from validators.findings.shape import SHAPE, empty, join

__all__ = ["CODES", "SHAPE", "Code", "empty", "join"]
