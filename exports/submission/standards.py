"""What a study's package is checked with: the standard of its mapping, the terminology and the rules it is pinned to."""

from pathlib import Path

from exports.reports.standards import Standards, standards
from exports.sdtm.spec import SPECS, load_spec


def standards_of(study: str, *, rules: Path | None = None, ct: Path | None = None, specs: Path = SPECS) -> Standards:
    """Return what the study's datasets are checked with; `rules` and `ct` stand in for what is built in.

    Errors are those of `exports.reports.standards.standards` and `exports.sdtm.spec.load_spec`.
    """
    spec = load_spec(study, folder=specs)
    return standards(spec.standard, spec.version, rules=rules, ct=ct)
