"""Open snapshots and read their tables; nothing here writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import duckdb
import orjson
import polars as pl

from datamodel.kernel.errors import NotFoundError
from exports.marts.names import SHORT, form_of

DESCRIPTION: Final = "snapshot.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot as one reader sees it: blinded or not, all sites or one."""

    study: str
    number: int
    #: ledger position it was made from
    position: int
    #: newest position up to there at which a row of the study changed
    data_position: int
    taken_at: datetime
    design_version: int
    folder: Path
    is_blinded: bool
    site: str | None = None
    #: the rest of `snapshot.json`: format, software version, row counts, hashes
    about: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)

    @property
    def name(self) -> str:
        """What people call it: `snapshot 3`, or `the state` of an instant of which no snapshot was taken."""
        return f"snapshot {self.number}" if self.number else "the state"

    @property
    def path(self) -> Path:
        """The DuckDB file that this reader reads."""
        return self.folder / file_name(is_blinded=self.is_blinded)

    @property
    def tables(self) -> list[str]:
        """Full names of all tables."""
        return list(_tables(self.path, self.path.stat().st_mtime_ns))

    @property
    def forms(self) -> list[str]:
        """Names of the forms in dictionary order."""
        return self.frame("forms")["form_id"].to_list()

    def frame(self, table: str) -> pl.DataFrame:
        """Return a table by its full name, its short name (`visits`), or as `form:name`.

        Raises
        ------
        NotFoundError
            When this reader has no such table.
        """
        name = self._full_name(table)
        with _connection(self.path) as connection:
            frame = _read(connection, f'select * from "{name}"')  # noqa: S608 - one of our own tables
        if self.site is not None and "site_id" in frame.columns:
            return frame.filter(pl.col("site_id") == self.site)
        return frame

    def form(self, name: str) -> pl.DataFrame:
        """Return the tidy frame of a form."""
        return self.frame(f"form:{name}")

    def form_frames(self) -> dict[str, pl.DataFrame]:
        """Return all forms' tidy frames, by form name, in dictionary order."""
        return {name: self.form(name) for name in self.forms}

    def events(self) -> pl.DataFrame:
        """Return the events of the design in their order."""
        return self.frame("events")

    def participants(self) -> pl.DataFrame:
        """Return who is in."""
        return self.frame("participants")

    def catalogue(self) -> pl.DataFrame:
        """Return what each column of each form's table means."""
        return self.frame("catalogue")

    def _full_name(self, table: str) -> str:
        names = self.tables
        wanted = SHORT.get(table, table)
        if table.startswith("form:"):
            wanted = next((name for name in names if form_of(name) == table.removeprefix("form:")), table)
        if wanted not in names:
            raise NotFoundError(
                f"Snapshot {self.number} of {self.study} has no table “{table}” for this reader. It has: {', '.join(names)}."
            )
        return wanted


@contextmanager
def _connection(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(str(path), read_only=True, config={"threads": 2})
    try:
        connection.execute("set timezone = 'UTC'")
        yield connection
    finally:
        connection.close()


@lru_cache(maxsize=64)
def _tables(path: Path, written_at: int) -> tuple[str, ...]:  # noqa: ARG001 - another file of that name is another key
    """Return the names of a file's tables, asked once: opening a file takes longer than reading a small table."""
    with _connection(path) as connection:
        rows = connection.execute("select table_name from information_schema.tables order by 1").fetchall()
    return tuple(name for (name,) in rows)


def file_name(*, is_blinded: bool) -> str:
    """Return the name of the DuckDB file of one kind of reader."""
    return "blinded.duckdb" if is_blinded else "unblinded.duckdb"


def open_snapshot(
    folder: Path,
    study: str,
    *,
    number: int | date | Literal["latest"] = "latest",
    unblinded: bool = False,
    site: str | None = None,
) -> Snapshot:
    """Open a snapshot of `study` below the marts' `folder`: by number, the newest, or the newest of a day or before.

    Raises
    ------
    NotFoundError
        When there is none such.
    """
    known = [about for about in (_about(folder / study / str(one)) for one in numbers(folder, study)) if about]
    if isinstance(number, date):
        known = [one for one in known if datetime.fromisoformat(one["taken_at"]).date() <= number]
    elif number != "latest":
        known = [one for one in known if one["number"] == number]
    if not known:
        have = ", ".join(str(one) for one in numbers(folder, study)) or "none yet"
        raise NotFoundError(
            f"The study {study} has no snapshot “{number}”. Numbers that exist: {have}. "
            "One is taken after each sync with REDCap; start a sync, or ask the study's data manager."
        )
    about = known[-1]
    return _snapshot(folder / study / str(about["number"]), study, about, unblinded=unblinded, site=site)


def numbers(folder: Path, study: str) -> list[int]:
    """Return the numbers of the study's snapshots, oldest first."""
    place = folder / study
    if not place.is_dir():
        return []
    return sorted(int(one.name) for one in place.iterdir() if one.name.isdigit() and (one / DESCRIPTION).exists())


def open_folder(place: Path, *, study: str, unblinded: bool = False, site: str | None = None) -> Snapshot:
    """Open the snapshot in the folder `place`."""
    return _snapshot(place, study, _about(place), unblinded=unblinded, site=site)


def _about(place: Path) -> dict[str, Any]:
    about: dict[str, Any] = orjson.loads((place / DESCRIPTION).read_bytes())
    return about


def _snapshot(place: Path, study: str, about: dict[str, Any], *, unblinded: bool, site: str | None) -> Snapshot:
    return Snapshot(
        study=study,
        number=about["number"],
        position=about["position"],
        data_position=about["data_position"],
        taken_at=datetime.fromisoformat(about["taken_at"]),
        design_version=about["design_version"],
        folder=place,
        is_blinded=not unblinded,
        site=site,
        about=about,
    )


def _read(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    return pl.DataFrame(connection.sql(query).to_arrow_table())
