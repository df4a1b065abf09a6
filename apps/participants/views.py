"""How the grid looks: one table made on the server, one link for each cell."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import panel_material_ui as pmui
from markupsafe import Markup, escape

from apps.participants.record import Record
from apps.participants.state import ANY, DUE, EVER, SIZES, GridState
from apps.shell import charts
from apps.shell.frame import Visit, pane
from apps.shell.status import STATES, icon
from apps.shell.words import address, markup, plural
from datamodel.discrepancies.reads import Discrepancy
from datamodel.participants.facts import STATUSES
from datamodel.records.reads import GridCell, GridSubject

_HERE: Final = Path(__file__).resolve().parent
#: Where a consent stands, as people say it.
CONSENT_WORDS: Final = {
    "not_needed": "Kept outside Metricis",
    "none_published": "No version published yet",
    "needed": "Not signed yet",
    "signed": "Signed",
    "outdated": "Must be signed again: a newer version is in force",
    "declined": "Declined",
    "withdrawn": "Withdrawn",
}


@lru_cache(maxsize=1)
def grid_style() -> str:
    """Return the grid's own rules."""
    return (_HERE / "grid.css").read_text("utf-8")


def record(found: Record, visit: Visit) -> object:
    """Return the page of one participant."""
    questions = address(f"/app/{visit.code}/questions", state="unsettled", text=found.person.code)
    html = markup(
        "participants/record.html",
        found=found,
        person=found.person,
        zone=visit.zone,
        consent_words=CONSENT_WORDS[found.consent.state] if found.consent else "",
        language={"en": "English", "fr": "French", "de": "German"}.get(found.person.language, found.person.language),
        questions_href=questions,
        asked=[(one, _place(found, one), questions) for one in (found.questions or ())[:6]],
        traces=[(trace.label, charts.series(trace.values, unit=trace.unit)) for trace in found.traces],
    )
    return pane(html, record_style())


def _place(found: Record, one: Discrepancy) -> str:
    words = found.words
    if words is None:
        return ""
    parts = (
        words.event_label(one.event_name),
        words.form_label(one.form_name),
        words.field_label(one.form_name, one.field),
    )
    return ", ".join(part for part in parts if part)


@lru_cache(maxsize=1)
def record_style() -> str:
    """Return the record's own rules."""
    return (_HERE / "record.css").read_text("utf-8")


def grid(state: GridState, *, path: str) -> Markup:
    """Return summary, legend, table and paging of a state."""
    first = (state.number - 1) * state.size + 1
    return markup(
        "participants/grid.html",
        state=state,
        groups=state.groups,
        rows=_rows(state, path),
        path=path,
        is_filtered=any(state.query(page="", rows="").values()),
        first=first,
        last=first + len(state.shown) - 1,
    )


def grid_pane(state: GridState, *, path: str) -> object:
    """Return the pane that holds the grid."""
    return pane(grid(state, path=path), grid_style())


def filters(state: GridState) -> dict[str, object]:
    """Return the widgets that set the state's choices, by the name of the choice."""
    every = {"size": "small", "margin": 0}
    cells = ["query", "answered", "in_progress", "complete", "not_started", "verified", "signed", "locked"]
    visits = {
        state.places.event_label(name): state.places.event_slugs[name]
        for name in dict.fromkeys(one.event_name for one in state.grid.columns)
    }
    return {
        "text": pmui.TextInput(label="Subject", value=state.text, width=130, **every),
        "site": pmui.Select(
            label="Site",
            value=state.site or ANY,
            options={"All sites": ANY} | {one: one for one in state.sites},
            width=120,
            **every,
        ),
        "status": pmui.Select(
            label="Participant",
            value=state.status if state.status in (*STATUSES, EVER) else ANY,
            options={"Any status": ANY, "Ever enrolled": EVER} | {STATES[one].word: one for one in STATUSES},
            width=150,
            **every,
        ),
        "visit": pmui.Select(
            label="Visit",
            value=state.visit if state.visit in visits.values() else ANY,
            options={"All visits": ANY} | visits,
            width=170,
            **every,
        ),
        "due": pmui.Select(
            label="Waited for",
            value=state.due or ANY,
            options={"Anybody": ANY} | {word: one for one, word in DUE.items()},
            width=170,
            **every,
        ),
        "cell": pmui.Select(
            label=cell_label(state),
            value=state.cell if state.cell in cells else ANY,
            options={"In any state": ANY} | {STATES[one].word: one for one in cells},
            width=160,
            **every,
        ),
        "problems": pmui.Switch(label="Only with problems", value=state.problems, width=200, margin=(4, 0)),
        "size": pmui.Select(label="Rows", value=state.size, options=list(SIZES), width=80, **every),
    }


def cell_label(state: GridState) -> str:
    """Return what the choice of a state means now: of the one visit shown, or of any form."""
    return "Visit is" if state.visit else "Has a form that is"


def _rows(state: GridState, path: str) -> Markup:
    """Return the table's rows. Written by hand, since thousands of cells go through here; all text is escaped once."""
    columns = [
        (
            one,
            f"{escape(state.places.event_label(one.event_name))}, {escape(one.form_label)}",
            f"{state.places.event_slugs[one.event_name]}/{state.places.form_slugs[one.form_name]}",
            ' class="b"' if one == group.columns[0] else "",
        )
        for group in state.groups
        for one in group.columns
    ]
    cells = state.grid.cells
    rows = []
    for number, subject in enumerate(state.shown):
        code = str(escape(subject.participant))
        home = f"{path}/{code}"
        made = [
            _cell(cells.get((subject.participant, one.event_name, one.form_name)), code, words, f"{home}/{tail}", edge)
            for one, words, tail, edge in columns
        ]
        if number == 0 and made:
            made[0] = made[0].replace(' tabindex="-1"', "", 1)
        rows.append(_head(subject, code, home, state.problem_count(subject.participant)) + "".join(made) + "</tr>")
    return Markup("\n".join(rows))  # noqa: S704 - every text above is escaped


def _head(subject: GridSubject, code: str, home: str, questions: int) -> str:
    status = STATES[subject.status]
    asked = f' data-tip="{plural(questions, "question")}"' if questions else ""
    return (
        f'<tr class="rec-{code}"><th class="s" scope="row"><a href="{home}"{asked}>{code}</a></th>'
        f'<td class="t">{escape(subject.site) or "–"}</td><td class="u">{icon(status.code, 18)}{status.word}</td>'
    )


def _cell(cell: GridCell | None, code: str, words: str, href: str, edge: str) -> str:
    state = STATES[cell.state if cell else "not_started"]
    said, badge = state.word, ""
    if cell and cell.state == "query":
        said = f"{said}, {cell.open_queries} open"
    if cell and cell.instances > 1:
        said, badge = f"{said}, {cell.instances} entries", f'<b aria-hidden="true">{cell.instances}</b>'
    return (
        f'<td{edge}><a class="c {state.code}" tabindex="-1" href="{href}" aria-label="{code}, {words}: {said}">'
        f"{badge}</a></td>"
    )
