"""Makes the project and loads its records through REDCap's API, as an operator's script would."""

import json
from collections.abc import Callable, Iterator
from typing import Final

import polars as pl
import requests

from simulators.cdiscpilot.dictionary import project
from simulators.cdiscpilot.odm import project_xml
from simulators.cdiscpilot.rows import KEYS, Batch, records

TIMEOUT_SECONDS: Final = (10, 180)
CELLS_PER_CALL: Final = 60_000
"""Bounds the body of one import to a few MB whatever the width of the form."""
_TOKEN_LENGTH: Final = 32
_OK: Final = 200

Progress = Callable[[str, int, int], None]
"""Called with the form's name, rows handled and rows in all, after each call to the server."""


class LoadError(RuntimeError):
    """The server refused a call or answered something that is no REDCap answer; what was loaded so far stays."""


def load_trial(*, api_url: str, super_token: str, subjects: int | None = None, progress: Progress | None = None) -> str:
    """Create the project with the super token, load all records, and give the project's token.

    `subjects` loads a small slice, always the same. Raises LoadError; go on with `load_into` and the project's token
    when the project was made but records are missing.
    """
    with requests.Session() as session:
        token = _create_project(session, api_url=api_url, super_token=super_token)
        _load(session, api_url=api_url, token=token, subjects=subjects, progress=progress)
    return token


def load_into(
    *, api_url: str, token: str, subjects: int | None = None, progress: Progress | None = None
) -> dict[str, int]:
    """Load what an existing project lacks and give the number of rows sent by form; a second run sends none.

    A row counts as present when its form's status is 1 or 2; its values are not compared. Raises LoadError.
    """
    with requests.Session() as session:
        return _load(session, api_url=api_url, token=token, subjects=subjects, progress=progress)


def _create_project(session: requests.Session, *, api_url: str, super_token: str) -> str:
    definition = project()
    data = [
        {
            "project_title": definition.title,
            "purpose": "0",
            "project_notes": definition.notes,
            "is_longitudinal": "1",
            "surveys_enabled": "0",
            "record_autonumbering_enabled": "0",
        }
    ]
    form = {
        "token": super_token,
        "content": "project",
        "format": "json",
        "returnFormat": "json",
        "data": json.dumps(data),
        "odm": project_xml().decode(),
    }
    token = _post(session, api_url, form, doing="creating the project").strip()
    if len(token) != _TOKEN_LENGTH:
        raise LoadError(
            f"Creating the project answered {len(token)} characters where a token of {_TOKEN_LENGTH} is expected. "
            "Nothing was loaded; check that the address is REDCap's API."
        )
    return token


def _load(
    session: requests.Session, *, api_url: str, token: str, subjects: int | None, progress: Progress | None
) -> dict[str, int]:
    sent: dict[str, int] = {}
    for batch in records(subjects):
        missing = batch.frame.join(
            _present(session, api_url, token, batch.form), on=KEYS, how="anti", maintain_order="left"
        )
        done, total = batch.frame.height - missing.height, batch.frame.height
        if progress:
            progress(batch.form, done, total)
        for part in _parts(Batch(batch.form, missing)):
            _import(session, api_url, token, part)
            done += part.frame.height
            if progress:
                progress(batch.form, done, total)
        sent[batch.form] = missing.height
    return sent


def _parts(batch: Batch) -> Iterator[Batch]:
    size = max(1, CELLS_PER_CALL // batch.frame.width)
    for part in batch.frame.iter_slices(size):
        if part.height:
            yield Batch(batch.form, part)


def _present(session: requests.Session, api_url: str, token: str, form: str) -> pl.DataFrame:
    """Give the keys of the rows whose form has been saved as unverified or complete."""
    status = f"{form}_complete"
    request = {
        "token": token,
        "content": "record",
        "format": "csv",
        "returnFormat": "json",
        "type": "flat",
        "fields[0]": project().record_id_field,
        "fields[1]": status,
    }
    doing = f"asking which {form} rows exist"
    text = _post(session, api_url, request, doing=doing)
    if not text.strip():
        return pl.DataFrame(schema=dict.fromkeys(KEYS, pl.String))
    frame = pl.read_csv(text.encode(), infer_schema=False).fill_null("")
    absent = [name for name in (*KEYS, status) if name not in frame.columns]
    if absent:
        raise LoadError(
            f"While {doing}, the export had no column {', '.join(absent)}. "
            "The project is not the one that project_xml() describes; use its own token or make it anew."
        )
    return frame.filter(pl.col(status).is_in(["1", "2"])).select(KEYS)


def _import(session: requests.Session, api_url: str, token: str, batch: Batch) -> None:
    request = {
        "token": token,
        "content": "record",
        "action": "import",
        "format": "csv",
        "returnFormat": "json",
        "type": "flat",
        "overwriteBehavior": "normal",
        "forceAutoNumber": "false",
        "dateFormat": "YMD",
        "returnContent": "count",
        "data": batch.frame.write_csv(),
    }
    text = _post(session, api_url, request, doing=f"importing {batch.frame.height} {batch.form} rows")
    expected = batch.frame["record_id"].n_unique()
    try:
        count = int(json.loads(text)["count"])
    except (ValueError, TypeError, KeyError) as error:
        raise LoadError(
            f"Importing {batch.form} answered {text[:200]!r} where a count of records is expected. "
            "Run the load again: it sends only what is missing."
        ) from error
    if count != expected:
        raise LoadError(
            f"Importing {batch.form} touched {count} records where {expected} were sent. "
            "Run the load again: it sends only what is missing."
        )


def _post(session: requests.Session, api_url: str, form: dict[str, str], *, doing: str) -> str:
    try:
        response = session.post(api_url, data=form, timeout=TIMEOUT_SECONDS)
    except requests.RequestException as error:
        # The error's own text may carry the address with what was sent; its kind says enough.
        raise LoadError(
            f"While {doing}, the REDCap server could not be reached or fell silent ({type(error).__name__}). "
            "Check that it runs, then load again: only what is missing is sent."
        ) from None
    response.encoding = "utf-8"
    if response.status_code != _OK:
        raise LoadError(
            f"While {doing}, the REDCap server answered status {response.status_code}: {response.text[:300]!r}. "
            "Nothing of this call was stored; mend the cause, then load again."
        )
    return response.text
