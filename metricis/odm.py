"""`metricis odm`: a study out as ODM, for whoever holds the token; ODM files in."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, help="ODM: studies and their data as XML, out and in.")


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="Code of the study.")],
    out: Annotated[Path, typer.Option(help="The new file.")],
    version: Annotated[Literal["1.3.2", "2.0"], typer.Option(help="Version of ODM: 1.3.2 or 2.0.")] = "1.3.2",
    audit: Annotated[
        bool, typer.Option("--audit", help="Every revision with who, where, when and why, not the newest state only.")
    ] = False,
    snapshot: Annotated[int | None, typer.Option(help="Number of the snapshot; without it, the newest.")] = None,
) -> None:
    """Write a study as of a snapshot: design, data and, if asked, audit records, as far as you may see them.

    Who asks is told by the token in METRICIS_TOKEN or in the installation's `notebook.token`; it needs the permission
    study:data:export, and study:audit:read for audit records. The ledger keeps the file's hash.
    """
    from datamodel.kernel.settings import settings
    from exports.odm.export import export as write
    from metricis.opening import come_in

    url, actor = come_in()
    done = write(
        url,
        actor,
        study=study,
        marts=settings().marts_folder,
        out=out,
        version=version,
        has_audit=audit,
        number=snapshot,
        reason="asked for on the command line",
    )
    blinded = ", without blinded fields" if done.snapshot.is_blinded else ""
    typer.echo(
        f"Written: {done.path} (ODM {version}, snapshot {done.snapshot.number}, ledger position "
        f"{done.snapshot.position}{blinded}). {done.items:,} values."
    )
    typer.echo(f"SHA-256: {done.sha256}")


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help="An ODM 1.3 file, of REDCap too.", exists=True, dir_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for the data as Parquet and the design as JSON.")
    ] = None,
    into: Annotated[str | None, typer.Option(help="Code of a study whose new design the file's becomes.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="With --into: take the place of another design.")] = False,
) -> None:
    """Read an ODM file: what is in it, and every departure from the standard or from what Metricis can hold.

    With --into, the file's design is published as the study's, when the file is whole; that needs the permission
    study:design:manage. A study that has another design keeps it, and what would change is said, unless --replace is given.
    """
    import json

    from exports.odm.load import Loaded, load
    from exports.odm.publish import publish, ready
    from metricis.opening import come_in

    who = come_in() if into is not None else None
    if who is not None and into is not None:
        ready(*who, study=into)  # before a long file is read

    def told(found: Loaded) -> None:
        for line in [json.dumps(found.summary(), indent=2, ensure_ascii=False)] if as_json else found.lines():
            typer.echo(line)
        if who is not None and into is not None:
            done = publish(*who, study=into, loaded=found, replace=replace)
            said = "Published as" if done.is_new else "Nothing was changed: the file's design is"
            typer.echo(f"{said} version {done.version} of the design of {into}.", err=as_json)

    load(file, out=out, then=told)
