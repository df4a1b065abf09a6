"""`metricis package`: the submission package of a study, for whoever holds the token."""

from pathlib import Path
from typing import Annotated

import typer


def package(
    study: Annotated[str, typer.Argument(help="Code of the study.")],
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder for the package; without it, one below the installation's exports."),
    ] = None,
    snapshot: Annotated[int | None, typer.Option(help="Number of the snapshot; without it, the newest.")] = None,
    ct: Annotated[Path | None, typer.Option(help="File of controlled terminology, instead of the study's.")] = None,
    rules: Annotated[
        Path | None, typer.Option(help="Folder of rules in the open CORE format, instead of the built-in ones.")
    ] = None,
) -> None:
    """Build the submission package of a snapshot: datasets, define, report, reviewer's guide, manifest.

    Who asks is told by the token in METRICIS_TOKEN or in the installation's `notebook.token`; it needs the permissions
    study:data:export, study:blinded:read and study:records:read. The same snapshot gives the same bytes. Nothing is left when it fails.
    """
    from datamodel.kernel.settings import settings
    from exports.submission.export import export
    from exports.submission.standards import standards_of
    from metricis.opening import come_in

    url, actor = come_in()
    place = settings().exports_folder
    done = export(
        url,
        actor,
        study=study,
        marts=settings().marts_folder,
        target=lambda shot: out or place / study / "submission" / f"{shot.number:04d}",
        standards=lambda: standards_of(
            url, actor, study=study, shelf=settings().home / "standards", rules=rules, ct=ct
        ),
        number=snapshot,
        reason="asked for on the command line",
    )
    manifest = done.manifest
    typer.echo(
        f"{'Written' if done.package else 'There already, and whole'}: {done.folder} "
        f"(snapshot {done.snapshot}, ledger position {manifest.source.ledger_position})."
    )
    found = ", ".join(f"{number:,} {severity}" for severity, number in manifest.findings.items() if number)
    typer.echo(
        f"{len(manifest.files)} files; findings: {found or 'none'}; {manifest.rules_that_did_not_run} rules did not run."
    )
    typer.echo(f"SHA-256 of manifest.json: {manifest.sha256}")
