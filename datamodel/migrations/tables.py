"""Tables that the guards themselves need; only the database's owner reads them."""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from datamodel.kernel.database import Base


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Name the type in DDL."""
        return "xid8"


class ScopeKeyRow(Base):
    """A key with which scopes are signed, as the two blocks that HMAC-SHA-256 makes of it."""

    __tablename__ = "scope_key"

    #: first eight hexadecimal digits of SHA-256 over "metricis scope key" and the key
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    inner_pad: Mapped[bytes] = mapped_column(LargeBinary)
    outer_pad: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))


class UnaccountedRow(Base):
    """A transaction that changed a regulated table before it told the ledger; gone when it commits."""

    __tablename__ = "unaccounted"

    xid: Mapped[str] = mapped_column(Xid8, primary_key=True)
    changed: Mapped[str] = mapped_column(Text)


class RedactingRow(Base):
    """A row that `app.redact` is taking a value out of; gone when it is done."""

    __tablename__ = "redacting"

    xid: Mapped[str] = mapped_column(Xid8, primary_key=True)
    #: table and key, as the trigger that keeps rows names them
    place: Mapped[str] = mapped_column(Text, primary_key=True)
