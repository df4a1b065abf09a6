"""The way to PostgreSQL: one engine for row-level work, one plain address for bulk work."""

from functools import lru_cache

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase

SCHEMA = "app"


class Base(DeclarativeBase):
    """Parent of every table; all of them live in the schema `app`."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        },
    )


def libpq_url(url: str) -> str:
    """Return `url` as psycopg and ADBC read it (`postgresql://…`)."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@lru_cache(maxsize=8)
def engine_for(url: str) -> Engine:
    """Return the process's engine for `url`; connections are checked before use."""
    # Connections know packed columns only if psycopg does before they open; whoever opens none need not load it.
    from datamodel.kernel import arrays  # noqa: F401

    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        connect_args={"connect_timeout": 10, "application_name": "metricis"},
    )
