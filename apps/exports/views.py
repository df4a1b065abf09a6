"""How the choice and the first rows look."""

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import panel_material_ui as pmui
from markupsafe import Markup

from apps.exports.state import ExportState
from apps.shell.words import day, instant, markup, number
from exports.extracts.choice import POPULATIONS, Table

#: what the columns are called that every table has
KEYS: Final = {
    "subject_id": "Participant",
    "site_id": "Site",
    "arm_id": "Arm",
    "event_id": "Visit",
    "event_repeat": "Visit number",
    "form_id": "Form",
    "form_repeat": "Form number",
    "form_status": "State of the form",
    "form_updated_at": "Last change",
    "status": "State",
}


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "exports.css").read_text("utf-8")


def preview(state: ExportState, frame: Any, *, rows: int, label: str, labels: Mapping[str, str], zone: str) -> Markup:
    """Return the first rows of a table, with the columns' labels."""

    def cell(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, datetime):
            return instant(value, zone)
        if isinstance(value, date):
            return day(value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return "; ".join(str(one) for one in value)
        return number(value) if isinstance(value, float) else str(value)

    sentence = POPULATIONS[state.population].sentence
    return markup(
        "exports/preview.html",
        frame=frame,
        rows=rows,
        label=label,
        labels=labels,
        keys=KEYS,
        cell=cell,
        population=sentence,
    )


def none() -> Markup:
    """Return what is said where no snapshot was taken."""
    return markup("exports/none.html")


def choices(state: ExportState, tables: tuple[Table, ...], taken: Mapping[int, str]) -> dict[str, Any]:
    """Return the widgets that set the choice."""
    every = {"size": "small", "margin": 0}
    populations = {one.label: name for name, one in POPULATIONS.items()}
    return {
        "standard": pmui.Select(label="Standard", value=state.standard, options=state.standards, width=200, **every),
        "form": pmui.Select(label="Format", value=state.form, options=state.formats, width=220, **every),
        "population": pmui.Select(
            label="Participants", value=state.population, options=populations, width=160, **every
        ),
        "snapshot": pmui.Select(
            label="Snapshot",
            value=state.snapshot,
            options={f"{one}, {taken[one]}": one for one in reversed(state.snapshots)},
            width=230,
            **every,
        ),
        "tables": pmui.MultiChoice(
            label="Tables (none chosen: all)",
            value=[one.label for one in tables if one.name in state.tables],
            options=[one.label for one in tables],
            searchable=True,
            sizing_mode="stretch_width",
            max_width=842,
            margin=0,
        ),
    }
