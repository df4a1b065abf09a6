"""`metricis ct …`, `metricis standards …`, and loading of rules: files of standards that a user obtained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from validators.shelf import Shelf

app = typer.Typer(no_args_is_help=True, help="Controlled terminology, kept by date.")
pins = typer.Typer(no_args_is_help=True, help="Which terminology and rules a study goes by.")


@app.command("load")
def load_ct(
    file: Annotated[Path, typer.Argument(help="File of NCI: tab-separated text or ODM XML; or a CSV.")],
    date: Annotated[str, typer.Option(help="Its date, where neither the file nor its name says it.")] = "",
) -> None:
    """Keep a file of controlled terminology. A wrong layout or date is refused; loading it again changes nothing."""
    from validators.shelf import load_terminology

    kept, is_new = load_terminology(_shelf(), file, date=date)
    typer.echo(
        f"{kept.standard} CT {kept.version}: {kept.count:,} terms, {'loaded' if is_new else 'here already, unchanged'}. "
        f"SHA-256 {kept.sha256}"
    )


@app.command("list")
def list_ct() -> None:
    """List the controlled terminology that is here."""
    _listed("ct", "terms")


def load_rules(
    source: Annotated[Path, typer.Argument(help="Folder or zip with a rule.yml for each rule.")],
    version: Annotated[str, typer.Option(help="What they are called here; without it, by their hash.")] = "",
) -> None:
    """Keep a set of rules in the open CORE format, such as CDISC's; loading it again changes nothing."""
    from validators.shelf import load_rules as load

    kept, is_new, faults = load(_shelf(), source, version=version)
    for fault in faults:
        typer.echo(f"Not a rule: {fault}", err=True)
    typer.echo(
        f"Rules {kept.version}: {kept.count:,} rules, {'loaded' if is_new else 'here already, unchanged'}, "
        f"{len(faults)} files that are none. SHA-256 {kept.sha256}"
    )


def list_rules() -> None:
    """List the sets of rules that are here, and the built-in one."""
    from validators.sdtm import rules

    typer.echo(f"built-in  {len(rules()):,} rules of SDTMIG 3.4")
    _listed("rules", "rules")


@pins.command("mapping")
def mapping(
    study: Annotated[str, typer.Argument(help="Code of the study: the name of the mapping's folder.")],
    folder: Annotated[
        Path | None, typer.Option(help="Folder of mappings; without it, `mappings` in the home, else the program's.")
    ] = None,
) -> None:
    """Check a study's mapping to SDTM, each fault told with its file and line; tell what it makes."""
    from exports.sdtm.spec import load_spec, specs_of

    spec = load_spec(study, folder=folder)
    for domain in spec.domains:
        typer.echo(f"{domain.domain:<8} {len(domain.variables):>3} variables  {domain.label}")
    typer.echo(f"{(folder or specs_of(study)) / study}: revision {spec.revision}, SHA-256 {spec.sha256}")


@pins.command("pin")
def pin(
    study: Annotated[str, typer.Argument(help="Code of the study.")],
    ct: Annotated[str, typer.Option(help="Date of the terminology; without it, none.")] = "",
    rules: Annotated[str, typer.Option(help="Version of the rules; without it, the built-in ones.")] = "",
) -> None:
    """Say which terminology and rules a study goes by from now on; the ledger keeps it.

    Who asks is told by the token in METRICIS_TOKEN or in the installation's `notebook.token`; it needs the permission
    study:design:manage.
    """
    from datamodel.kernel.unit import unit_of_work
    from datamodel.study import actions
    from metricis.opening import come_in

    shelf = _shelf()
    terms = shelf.get("ct", ct) if ct else None
    ruleset = shelf.get("rules", rules) if rules else None
    url, actor = come_in()
    with unit_of_work(url, actor, reason="asked for on the command line") as unit:
        is_new = actions.pin_standards(
            unit,
            study=study,
            terminology=(terms.version, terms.sha256) if terms else ("", ""),
            rules=(ruleset.version, ruleset.sha256) if ruleset else ("", ""),
        )
    typer.echo("Pinned." if is_new else "So it was already; nothing was changed.")


@pins.command("show")
def show(study: Annotated[str, typer.Argument(help="Code of the study.")]) -> None:
    """Print which terminology and rules a study goes by, and since when."""
    from datamodel.access.rights import may
    from datamodel.kernel.errors import require
    from datamodel.kernel.unit import reading
    from datamodel.study import reads
    from metricis.opening import come_in

    url, actor = come_in()
    with reading(url, actor) as session:
        require(may(actor, "study:overview:read", study=study))
        found = reads.standards(session, reads.study(session, study).id)
    if found is None:
        typer.echo(f"The study {study} is pinned to nothing: no terminology, and the built-in rules.")
        return
    typer.echo(f"Controlled terminology  {found.terminology or 'none'}  {found.terminology_sha256}".rstrip())
    typer.echo(f"Rules                   {found.rules or 'built-in'}  {found.rules_sha256}".rstrip())
    typer.echo(f"Since                   {found.at:%Y-%m-%d %H:%M} UTC")


def _listed(kind: str, noun: str) -> None:
    for one in _shelf().entries("ct" if kind == "ct" else "rules"):
        typer.echo(
            f"{one.version}  {one.count:,} {noun}  {one.standard}  from {one.source}, loaded {one.loaded_at}  "
            f"{one.sha256[:12]}  {one.licence}"
        )


def _shelf() -> "Shelf":
    from datamodel.kernel.settings import settings
    from validators.shelf import Shelf

    return Shelf(settings().home.absolute() / "standards")
