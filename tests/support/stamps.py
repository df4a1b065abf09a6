"""Turning a row's clock back in a test: the row is stamped again, as the program alone can."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from datamodel.vault.stamps import stamp


def altered(session: Session, kind: Any, **changes: Any) -> None:
    """Give every row of a table new values and the stamp that goes with them."""
    for row in session.scalars(select(kind)):
        for name, value in changes.items():
            setattr(row, name, value)
        row.stamp = stamp(session, row)
    session.flush()
