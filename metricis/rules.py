"""`metricis rules …`: rules of a standard, and how well this engine runs them."""

from pathlib import Path
from typing import Annotated

import typer

from metricis.checking import run
from metricis.terms import list_rules, load_rules

app = typer.Typer(no_args_is_help=True, help="Rules that datasets of a standard must meet.")


@app.callback()
def rules() -> None:
    """Rules that datasets of a standard must meet."""


app.command()(run)
app.command("load")(load_rules)
app.command("list")(list_rules)


@app.command()
def cases(
    folder: Annotated[Path, typer.Argument(help="Folder with a folder for each rule: rule.yml, positive/, negative/.")],
    ct: Annotated[Path | None, typer.Option(help="Folder of controlled terminology, one CSV for each date.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found in each case, as JSON.")] = False,
) -> None:
    """Run each rule on its cases and print how what was found compares with what must be."""
    import orjson

    from metricis.cases import outcomes
    from validators.conformance.score import document, told

    found = outcomes(folder, ct)
    if as_json:
        typer.echo(orjson.dumps(document(found)).decode())
    else:
        typer.echo(told(found))
