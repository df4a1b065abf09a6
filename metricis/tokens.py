"""`metricis token …`: tokens of notebooks and machines, from the machine that the installation runs on."""

from typing import Annotated
from uuid import UUID

import typer

app = typer.Typer(no_args_is_help=True, help="Tokens of notebooks and machines: scoped, ending, shown once.")


@app.command("create")
def create(
    sign_in_name: Annotated[str, typer.Argument(help="Sign-in name of the member of staff whose token it is.")],
    study: Annotated[str, typer.Argument(help="Code of the one study that it reaches to.")],
    purpose: Annotated[str, typer.Option(help="What it is for; shown in lists.")] = "made on the command line",
    days: Annotated[int, typer.Option(help="How many days it works.")] = 30,
    scope: Annotated[
        list[str] | None, typer.Option(help="A permission that it reaches to; again for more. Default: reading.")
    ] = None,
) -> None:
    """Make a token and print it, this once; it reaches no further than its owner does."""
    from datamodel.access import tokens
    from datamodel.kernel.unit import unit_of_work
    from metricis.local.installation import database_url
    from metricis.local.people import installer

    url, account_id = database_url(), _account(sign_in_name)
    with unit_of_work(url, installer(url), reason="asked for on the command line") as unit:
        typer.echo(
            tokens.make_token(
                unit, account_id=account_id, purpose=purpose, days=days, study=study, scopes=scope or None
            )
        )


@app.command("list")
def listed(sign_in_name: Annotated[str, typer.Argument(help="Sign-in name of the owner.")]) -> None:
    """List somebody's tokens: number, state, study, last use, purpose."""
    from datamodel.access import tokens
    from datamodel.kernel.unit import unit_of_work
    from metricis.local.installation import database_url
    from metricis.local.people import installer

    url, account_id = database_url(), _account(sign_in_name)
    with unit_of_work(url, installer(url)) as unit:
        for one in tokens.tokens_of(unit.session, account_id):
            used = f"last used {one.used_at:%Y-%m-%d %H:%M}" if one.used_at else "never used"
            typer.echo(f"{one.id}  {one.state(unit.instant)}  {one.study or 'all studies'}  {used}  {one.purpose}")


@app.command("revoke")
def revoke(
    number: Annotated[str, typer.Argument(help="Number of the token, as `metricis token list` prints it.")],
) -> None:
    """Revoke a token; it opens nothing from this moment on."""
    from datamodel.access import tokens
    from datamodel.kernel.errors import BadInputError
    from datamodel.kernel.unit import unit_of_work
    from metricis.local.installation import database_url
    from metricis.local.people import installer

    try:
        token_id = UUID(number)
    except ValueError as error:
        raise BadInputError(
            "This is no token's number; `metricis token list` prints them. Nothing was changed."
        ) from error
    url = database_url()
    with unit_of_work(url, installer(url), reason="asked for on the command line") as unit:
        tokens.revoke_token(unit, token_id)
    typer.echo("Revoked.")


def _account(sign_in_name: str) -> UUID:
    """Return the account with that sign-in name."""
    from datamodel.access import reads
    from datamodel.access.actor import KNOCKING
    from datamodel.kernel.errors import NotFoundError
    from datamodel.kernel.unit import unit_of_work
    from metricis.local.installation import database_url

    with unit_of_work(database_url(), KNOCKING) as door:
        found = reads.staff_account(door.session, sign_in_name)
    if found is None:
        raise NotFoundError("Nobody has this sign-in name. Check its spelling.")
    return found.id
