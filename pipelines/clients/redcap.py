"""A REDCap project as the sync asks it: structure as JSON through PyCap, records as CSV bytes into text frames."""

import csv
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import polars as pl
from redcap.request import _ContentConfig, _RCRequest
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from datamodel.kernel.errors import BadInputError, TransientFault
from pipelines.clients.transport import Limits, Transport, UnusableAnswerError

#: PHP drops form parameters beyond 1,000 without a word; stay well below.
MOST_PARAMETERS: Final = 900
_TAIL: Final = 1 << 16
#: Lead columns of a flat export; all but the record id come only where the project has them.
EVENT, REPEAT_FORM, REPEAT_NUMBER, GROUP = (
    "redcap_event_name",
    "redcap_repeat_instrument",
    "redcap_repeat_instance",
    "redcap_data_access_group",
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a question is asked in all, and how long to wait between: first, twice that, ... (seconds)."""

    attempts: int = 4
    first_wait: float = 2.0
    longest_wait: float = 32.0


@dataclass(slots=True)
class RedcapClient:
    """Asks one REDCap project. The token is in no message, repr or log. Used by one thread at a time."""

    api_url: str
    token: str = field(repr=False)
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    transport: Transport = field(init=False, repr=False)
    #: whether this server ends its CSV with a line end, learned from its first answer
    _ends_lines: bool = False

    def __post_init__(self) -> None:
        self.transport = Transport(self.limits)

    @property
    def host(self) -> str:
        """The server's name, for messages."""
        return urlsplit(self.api_url).netloc

    def structure(self, content: str, **parameters: str) -> Any:
        """Return what REDCap says of the project (`metadata`, `event`, ...), as PyCap reads it."""
        payload = {"token": self.token, "content": content, "format": "json", "returnFormat": "json", **parameters}
        config = _ContentConfig(return_empty_json=False, return_bytes=False)

        def ask() -> Any:
            return _RCRequest(self.api_url, payload, config, session=self.transport).execute(
                verify_ssl=True, return_headers=False, file=None
            )

        return self._patiently(ask)

    def version(self) -> str:
        """Return the server's REDCap version."""
        payload = {"token": self.token, "content": "version"}
        return str(self._patiently(lambda: self.transport.post(self.api_url, payload)).text).strip()

    def inventory(self, record_field: str) -> pl.DataFrame:
        """Return (record, event) of every row that REDCap has, in its order; the event is blank without events."""
        frame = self.frame({"fields[0]": record_field})
        if frame.is_empty():
            return pl.DataFrame(schema={"record": pl.String, "event": pl.String})
        event = frame[EVENT] if EVENT in frame.columns else pl.repeat("", frame.height, eager=True)
        return pl.DataFrame({"record": self._column(frame, record_field), "event": event})

    def changed(self, record_field: str, *, since: datetime) -> set[str]:
        """Return the records that were created or changed since, by REDCap's log; `since` is in the server's local time.

        Deletions, and what is written past REDCap, are not in that log.
        """
        frame = self.frame({"fields[0]": record_field, "dateRangeBegin": f"{since:%Y-%m-%d %H:%M:%S}"})
        return set() if frame.is_empty() else set(self._column(frame, record_field).unique().to_list())

    def record_ids(self, record_field: str) -> list[str]:
        """Return the names of all records, in REDCap's order."""
        return self.inventory(record_field)["record"].unique(maintain_order=True).to_list()

    def records(
        self,
        ids: Sequence[str],
        *,
        record_field: str,
        forms: Sequence[str] = (),
        fields: Sequence[str] = (),
        expected: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """Return the rows of these records for these forms (or single fields), every value as text.

        `expected` are the records that must come back (all of `ids` when not given): REDCap sends nothing of a record
        that has no row for the form.

        Raises
        ------
        ValueError
            Without ids (REDCap would send every record) or without forms and fields (it would send every field).
        UnusableAnswerError
            When not every record came back.
        """
        if not ids or not (forms or fields):
            raise ValueError("Ask for records by name, and for forms or fields: REDCap takes “none” for “all”.")
        parameters = _indexed("forms", forms) | _indexed("fields", [record_field, *fields]) | _record_list(ids)
        frame = self.frame(parameters | {"exportBlankForGrayFormStatus": "true", "exportDataAccessGroups": "true"})
        came = set() if frame.is_empty() else set(self._column(frame, record_field).unique().to_list())
        must = ids if expected is None else [one for one in ids if one in expected]
        missing = [one for one in must if one not in came]
        if missing:
            raise UnusableAnswerError(
                f"REDCap at {self.host} left out {len(missing)} of {len(must)} records it was asked for (first: "
                f"{missing[0]}), which happens when an export is too large. Nothing of this answer was used; sync again, "
                "and if it stays so ask the REDCap administrator for more memory."
            )
        return frame.filter(pl.col(record_field).is_in(list(ids))) if came - set(ids) else frame

    def frame(self, parameters: Mapping[str, str]) -> pl.DataFrame:
        """Ask for records as CSV and return the rows as text."""
        payload = {
            "token": self.token,
            "content": "record",
            "action": "export",
            "format": "csv",
            "returnFormat": "json",
            "type": "flat",
            "rawOrLabel": "raw",
            **parameters,
        }
        if len(payload) > MOST_PARAMETERS:
            raise ValueError(f"{len(payload)} parameters in one question; REDCap drops the tail beyond 1,000.")

        def ask() -> pl.DataFrame:
            body = self.transport.post(self.api_url, payload).content
            return self._parse(body)

        found: pl.DataFrame = self._patiently(ask)
        return found

    def _parse(self, body: bytes) -> pl.DataFrame:
        if not body.strip():
            return pl.DataFrame()
        problem = breaks_off(body, ends_lines=self._ends_lines)
        if problem:
            raise UnusableAnswerError(
                f"REDCap at {self.host} sent CSV that breaks off after {len(body):,} bytes ({problem}). Nothing of it was "
                "used; sync again, and if it stays so tell the REDCap administrator."
            )
        self._ends_lines = self._ends_lines or body.endswith(b"\n")
        try:
            return pl.read_csv(body, infer_schema=False, empty_string_is_null=False)
        except pl.exceptions.PolarsError as error:
            raise UnusableAnswerError(
                f"REDCap at {self.host} sent {len(body):,} bytes that are not proper CSV in UTF-8 "
                f"({type(error).__name__}). Nothing of it was used; tell the REDCap administrator if it stays so."
            ) from None

    def _column(self, frame: pl.DataFrame, record_field: str) -> pl.Series:
        if record_field not in frame.columns:
            raise BadInputError(
                f"REDCap at {self.host} sent rows without the record field “{record_field}”, so they belong to nobody. "
                "Check that the token's user may see this field (full data set, not de-identified)."
            )
        return frame[record_field]

    def _patiently(self, ask: Callable[[], Any]) -> Any:
        """Ask until there is an answer, with growing pauses, and give the last fault when there is none."""
        asking = Retrying(
            stop=stop_after_attempt(self.patience.attempts),
            wait=wait_exponential(multiplier=self.patience.first_wait, max=self.patience.longest_wait),
            retry=retry_if_exception_type(TransientFault),
            reraise=True,
        )
        return asking(ask)


def breaks_off(body: bytes, *, ends_lines: bool) -> str:
    """Return why CSV text cannot be whole, or an empty text.

    Looks at three things: quotes come in pairs, the last row has as many cells as the header, and a server that ends
    its CSV with a line end does so always.
    """
    if body.count(b'"') % 2:
        return "inside a quoted value"
    if ends_lines and not body.endswith(b"\n"):
        return "inside a row"
    header = next(csv.reader([body[:_TAIL].split(b"\n", 1)[0].decode("utf-8-sig", "replace")]), [])
    last = _last_row(body)
    return "" if len(last) == len(header) else f"its last row has {len(last)} of {len(header)} cells"


def _last_row(body: bytes) -> list[str]:
    """Return the cells of the last row: what follows the last line end that is outside quotes."""
    text = body.rstrip(b"\r\n")
    cut = len(text)
    while (cut := text.rfind(b"\n", 0, cut)) >= 0:
        if text.count(b'"', cut) % 2 == 0:
            break
    rows = list(csv.reader(io.StringIO(text[cut + 1 :].decode("utf-8", "replace"), newline="")))
    return rows[-1] if rows else []


def _indexed(name: str, values: Sequence[str]) -> dict[str, str]:
    return {f"{name}[{number}]": value for number, value in enumerate(values)}


def _record_list(ids: Sequence[str]) -> dict[str, str]:
    """Name records in one comma list, which costs one parameter; one by one when a name holds a comma."""
    if any("," in one for one in ids):
        return _indexed("records", ids)
    return {"records": ",".join(ids)}
