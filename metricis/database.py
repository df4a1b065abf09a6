"""Commands about the database, for operators."""

from enum import StrEnum
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The database and its roles.")


class RoleName(StrEnum):
    """The roles of the database."""

    OWNER = "owner"
    APP = "app"
    SEALER = "sealer"
    MIGRATOR = "migrator"


@app.callback()
def _database() -> None:
    """Keep `url` a command of its own while it is the only one."""


@app.command()
def url(
    role: Annotated[RoleName, typer.Option(help="Whose address: see docs/manual/database.md.")] = RoleName.APP,
) -> None:
    """Print the address of the database for one role. It holds the role's password: keep it out of logs and tickets."""
    from metricis.local.installation import role_url

    typer.echo(role_url(role.value))
