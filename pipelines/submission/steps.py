"""Build the submission package of a study's newest snapshot, and tell it in a summary."""

from pathlib import Path

from datamodel.access import reads as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.unit import unit_of_work
from exports.sdtm.spec import has_spec
from exports.submission.export import Export, export
from exports.submission.standards import standards_of


def has_mapping(study: str) -> bool:
    """Return whether a mapping specification to SDTM was written for this study."""
    return has_spec(study)


def build(url: str, *, study: str, marts: Path, exports: Path, shelf: Path) -> Export:
    """Build the package below `exports`, as the flows' machine account, unless it is there, whole.

    `shelf` is the folder of terminology and rules that were loaded.

    Errors are those of `exports.submission.export.export`.
    """
    with unit_of_work(url, KNOCKING) as unit:
        actor = access.service_actor(unit.session)
    return export(
        url,
        actor,
        study=study,
        marts=marts,
        target=lambda shot: exports / study / "submission" / f"{shot.number:04d}",
        standards=lambda: standards_of(url, actor, study=study, shelf=shelf),
        reason="every night",
    )


def summary(done: Export) -> str:
    """Return what was built as Markdown: counts, versions and hashes, no values and nobody's pseudonym."""
    source = done.manifest.source
    rows = [
        ("Snapshot", f"{source.snapshot} of {source.created:%d-%b-%Y %H:%M} UTC"),
        ("Ledger position", f"{source.ledger_position:,}"),
        ("Standard", f"{source.standard} {source.standard_version}"),
        ("Controlled terminology", source.terminology or "none"),
        ("Rules", source.rules),
        ("Rules that did not run", f"{done.manifest.rules_that_did_not_run:,}"),
        ("Files", f"{len(done.manifest.files):,}"),
        ("Records", f"{sum(file.rows or 0 for file in done.manifest.files if file.path.endswith('.xpt')):,}"),
        ("Software", source.software_version),
        ("SHA-256 of the manifest", f"`{done.manifest.sha256}`"),
    ]
    lines = [f"# Submission package of {source.study}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    lines += ["", "| severity | findings |", "| --- | ---: |"]
    lines += [f"| {severity} | {number:,} |" for severity, number in done.manifest.findings.items()]
    if done.package is not None:
        lines += ["", "| dataset | rule | severity | findings |", "| --- | --- | --- | ---: |"]
        issues = done.package.report.issue_summary
        lines += [
            f"| {row['domain']} | {row['rule']} | {row['severity']} | {row['found']:,} |"
            for row in issues.iter_rows(named=True)
        ]
    return "\n".join(lines) + "\n"
