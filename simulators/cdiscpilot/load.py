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

    `subjects` loads a small slice, always the same. Raises LoadError. A caller that must be able to go on after a
    fault calls `create_project`, keeps the token, and calls `load_into` as often as needed.
    """
    token = create_project(api_url=api_url, super_token=super_token)
    with requests.Session() as session:
        _load(session, api_url=api_url, token=token, present={}, subjects=subjects, progress=progress)
    return token


def load_into(
    *, api_url: str, token: str, subjects: int | None = None, progress: Progress | None = None
) -> dict[str, int]:
    """Load what an existing project lacks and give the number of rows sent by form; a second run sends none.

    A row counts as present when its form's status is 1 or 2; its values are not compared. Raises LoadError.
    """
    with requests.Session() as session:
        present = _present(session, api_url, token)
        return _load(session, api_url=api_url, token=token, present=present, subjects=subjects, progress=progress)


def create_project(*, api_url: str, super_token: str) -> str:
    """Create the project, without records, and give its token. Raises LoadError."""
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
    with requests.Session() as session:
        token = _post(session, api_url, form, doing="creating the project").strip()
    if len(token) != _TOKEN_LENGTH:
        raise LoadError(
            f"Creating the project answered {len(token)} characters where a token of {_TOKEN_LENGTH} is expected. "
            "Nothing was loaded; check that the address is REDCap's API."
        )
    return token


def _load(
    session: requests.Session,
    *,
    api_url: str,
    token: str,
    present: dict[str, pl.DataFrame],
    subjects: int | None,
    progress: Progress | None,
) -> dict[str, int]:
    sent: dict[str, int] = {}
    for batch in records(subjects):
        missing = batch.frame
        if batch.form in present:
            missing = missing.join(present[batch.form], on=KEYS, how="anti", maintain_order="left")
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


def _present(session: requests.Session, api_url: str, token: str) -> dict[str, pl.DataFrame]:
    """Give, by form, the keys of the rows that have been saved as unverified or complete; one call for all forms."""
    forms = [form.form for form in project().forms]
    statuses = [f"{form}_complete" for form in forms]
    request = {"token": token, "content": "record", "format": "csv", "returnFormat": "json", "type": "flat"}
    wanted = [project().record_id_field, *statuses]
    request |= {f"fields[{number}]": name for number, name in enumerate(wanted)}
    text = _post(session, api_url, request, doing="asking which rows exist")
    if not text.strip():
        return {}
    frame = pl.read_csv(text.encode(), infer_schema=False).fill_null("")
    absent = [name for name in (*KEYS, *statuses) if name not in frame.columns]
    if absent:
        raise LoadError(
            f"The export that tells which rows exist had no column {', '.join(absent)}. "
            "The project is not the one that project_xml() describes; use its own token or make it anew."
        )
    return {
        form: frame.filter(pl.col(status).is_in(["1", "2"])).select(KEYS)
        for form, status in zip(forms, statuses, strict=True)
    }


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
