"""One API call: who asks, with which parameters; and the answer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import orjson

from simulators.redcap.formats import MEDIA, XML_HEAD, ApiError, Row, parse_rows, text_rows, to_csv, to_xml
from simulators.redcap.model import Project
from simulators.redcap.store import Store

_INDEXED = re.compile(r"^(\w+)\[\d*\]$")
_DELIMITERS = {"tab": "\t", "": ","}


@dataclass(slots=True)
class Server:
    """What is set for the whole server: public address, version, time zone."""

    store: Store
    public_url: str
    version: str
    time_zone: str

    def now(self) -> str:
        """Local wall time of the server, ``YYYY-MM-DD HH:MM:SS``, as REDCap logs it."""
        return datetime.now(ZoneInfo(self.time_zone)).strftime("%Y-%m-%d %H:%M:%S")

    def change(
        self, *, public_url: str | None = None, version: str | None = None, time_zone: str | None = None
    ) -> None:
        """Change what is given; an unknown time zone is refused (ValueError)."""
        if time_zone is not None:
            if time_zone not in available_timezones():
                raise ValueError(f"{time_zone!r} is not a time zone; use a name such as Europe/Berlin")
            self.time_zone = time_zone
        self.public_url = (public_url or self.public_url).rstrip("/")
        self.version = version or self.version


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: text, bytes or a stream of bytes."""

    body: str | bytes | Iterable[bytes]
    media_type: str = MEDIA["xml"]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A file sent with the call."""

    name: str
    mime: str
    content: bytes


@dataclass(slots=True)
class Call:
    """A call with its token resolved to project and user."""

    server: Server
    pairs: list[tuple[str, str]]
    upload: Upload | None = None
    project_id: int = 0
    username: str = ""
    hidden: frozenset[str] = frozenset()  # records that the control surface makes exports lose
    params: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Make the single-valued view of the parameters."""
        self.params = dict(self.pairs)

    @property
    def store(self) -> Store:
        """The server's store."""
        return self.server.store

    @property
    def project(self) -> Project:
        """The project as last committed."""
        return self.store.project(self.project_id)

    @property
    def user(self) -> dict[str, Any]:
        """The caller's rights."""
        return self.project.user(self.username) or {}

    def get(self, name: str, default: str = "") -> str:
        """One parameter, or ``default``."""
        return self.params.get(name, default)

    def flag(self, name: str) -> bool:
        """Whether a parameter says true, in any of the spellings that clients send."""
        return self.get(name).strip().lower() in {"true", "1", "yes"}

    def names(self, name: str) -> list[str]:
        """A list parameter: ``k[0]``, ``k[]`` or one comma-separated ``k``."""
        found = []
        for key, value in self.pairs:
            match = _INDEXED.match(key)
            if key == name:
                found += [part.strip() for part in value.split(",")]
            elif match and match.group(1) == name:
                found.append(value)
        return [value for value in found if value != ""]

    @property
    def fmt(self) -> str:
        """Format of exported data and of imported ``data``; XML unless JSON, CSV or ODM is named."""
        wanted = self.get("format").lower()
        return wanted if wanted in {"json", "csv", "xml", "odm"} else "xml"

    @property
    def return_fmt(self) -> str:
        """Format of messages: ``returnFormat``, else ``format``, else XML."""
        for name in ("returnFormat", "format"):
            if self.get(name).lower() in MEDIA:
                return self.get(name).lower()
        return "xml"

    @property
    def delimiter(self) -> str:
        """``csvDelimiter``: one sign, or the word ``tab``."""
        wanted = self.get("csvDelimiter")
        return _DELIMITERS.get(wanted, wanted)

    def rows(self) -> list[dict[str, str]]:
        """Rows of ``data`` as text."""
        return text_rows(self.get("data"), self.fmt, delimiter=self.delimiter)

    def raw_rows(self) -> list[Row]:
        """Rows of ``data`` with JSON's own types."""
        return parse_rows(self.get("data"), self.fmt, delimiter=self.delimiter)

    def need(self, right: str, message: str) -> None:
        """Refuse with 403 unless the user has a right."""
        if str(self.user.get(right, "0")) in {"", "0"}:
            raise ApiError(403, message)

    def table(self, rows: list[Row], columns: Iterable[str], root: str) -> Reply:
        """Exported rows in the format asked for."""
        if self.fmt == "json":
            return Reply(orjson.dumps(rows), MEDIA["json"])
        if self.fmt == "csv":
            return Reply(to_csv(rows, list(columns), delimiter=self.delimiter), MEDIA["csv"])
        return Reply(to_xml(rows, root), MEDIA["xml"])

    def number(self, count: int, tag: str | None = None) -> Reply:
        """A bare count; XML wraps it in ``tag`` if one is given."""
        body = f"{XML_HEAD}<{tag}>{count}</{tag}>" if tag and self.return_fmt == "xml" else str(count)
        return Reply(body, MEDIA[self.return_fmt])

    def log(self, kind: str, action: str, details: str, record: str = "") -> None:
        """Append to the project's log, inside the caller's transaction or one of its own."""
        with self.store.writing() as db:
            db.execute(
                "INSERT INTO log (project_id, at, username, kind, action, details, record) VALUES (?,?,?,?,?,?,?)",
                (self.project_id, self.server.now(), self.username, kind, action, details, record),
            )
