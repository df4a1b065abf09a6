"""One valid-looking row for any table, made from the catalogue; for tests that need something in every table."""

import re
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

#: what a column gets by its type, unless its name says more
PLAIN: dict[str, Any] = {
    "int2": 1,
    "int4": 1,
    "int8": 1,
    "float8": 1.0,
    "bool": False,
    "jsonb": "{}",
    "json": "{}",
    "date": "2026-01-01",
    "timestamptz": "2026-01-01T00:00:00Z",
}


def columns(connection: psycopg.Connection, table: str) -> list[tuple[str, str, bool]]:
    """Return (name, type, is required) of the columns of `table`."""
    return connection.execute(
        "select a.attname, t.typname, a.attnotnull and not a.atthasdef and a.attidentity = '' from pg_attribute a "
        "join pg_type t on t.oid = a.atttypid where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped "
        "order by a.attnum",
        [f"app.{table}"],
    ).fetchall()


def row(connection: psycopg.Connection, table: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return values for a row of `table`: what is `known` by column name, what checks ask for, plain ones otherwise."""
    checks = " ".join(
        one
        for (one,) in connection.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'c'",
            [f"app.{table}"],
        )
    )
    made: dict[str, Any] = {}
    for name, kind, is_required in columns(connection, table):
        if name in known and kind == "uuid":
            made[name] = known[name]
        elif is_required:
            made[name] = _value(connection, name, kind, checks)
    return made


def _value(connection: psycopg.Connection, name: str, kind: str, checks: str) -> Any:
    allowed = re.search(rf"\(?{name} = ANY \(ARRAY\['([^']+)'", checks)
    if allowed:
        return allowed.group(1)
    if kind == "text" and "enc:" in checks:
        return "enc:v3:MARKED"
    if kind in ("text", "bytea"):
        made = f"MARKED-{uuid4().hex}"
        return made if kind == "text" else made.encode()
    if kind == "uuid":
        return connection.execute("select gen_random_uuid()").fetchone()[0]
    return PLAIN[kind]


def insert(table: str, made: dict[str, Any]) -> sql.Composed:
    """Return the statement that inserts a row."""
    return sql.SQL("insert into app.{} ({}) overriding system value values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, made)),
        sql.SQL(", ").join(map(sql.Literal, made.values())),
    )
