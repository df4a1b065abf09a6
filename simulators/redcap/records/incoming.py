"""What an import brings: values of any JSON type as text, EAV rows made flat, faults as lines, the next free name."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from simulators.redcap.api.call import Call
from simulators.redcap.model import Project

LEAD = (
    "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group",
    "redcap_survey_identifier",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an import: one line of the answer."""

    record: str
    field: str
    value: str
    message: str

    def line(self) -> str:
        """The fault as REDCap's CSV line."""
        return ",".join(
            '"' + part.replace('"', '""') + '"' for part in (self.record, self.field, self.value, self.message)
        )


def as_text(value: Any) -> str:
    """A value of any JSON type as REDCap sees it."""
    if value.__class__ is str:
        return str(value)
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return "" if value != value else str(int(value)) if value.is_integer() else repr(value)  # noqa: PLR0124 NaN
    return str(value)


def next_record_name(call: Call, db: sqlite3.Connection, *, taken: list[str]) -> str:
    """The next free numeric record name; in a data access group it is ``<group number>-<n>``."""
    dag = call.user.get("data_access_group", "")
    prefix = next((f"{group['id']}-" for group in call.project.doc["dags"] if group["unique"] == dag), "")
    names = [row[0] for row in db.execute("SELECT record FROM record WHERE project_id = ?", (call.project_id,))]
    numbers = [
        int(rest)
        for name in [*names, *taken]
        if name.startswith(prefix) and (rest := name[len(prefix) :]).isascii() and rest.isdigit()
    ]
    return f"{prefix}{max(numbers, default=0) + 1}"


def eav_to_flat(project: Project, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """EAV rows gathered into one flat row per record, event, instrument and instance."""
    flat: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        lead = {name: as_text(row.get(name)) for name in LEAD[:3]}
        record, name, value = as_text(row.get("record")), as_text(row.get("field_name")), row.get("value", "")
        target = flat.setdefault((record, *lead.values()), {project.id_field: record} | lead)
        found = project.fields.get(name)
        if found and found.kind == "checkbox":
            name, value = f"{name}___{as_text(value).lower()}", "1"
        if name != project.id_field:
            target[name] = value
    return list(flat.values())
