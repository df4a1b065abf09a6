"""How the trail, its filters and the review look."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import panel_material_ui as pmui
from markupsafe import Markup

from apps.audit.state import SHOWS, SIZE, TrailState
from apps.shell.places import Places
from apps.shell.words import markup, slug
from datamodel.trail.reads import KINDS, Line, Page, ValueChange

_IDENTIFIER: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-")


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "audit.css").read_text("utf-8")


def events(state: TrailState, found: Page[Line], *, path: str, zone: str) -> Markup:
    """Return the events of a page of the list."""
    rows = [(one, about(one.subject, state.words)) for one in found.rows]
    return markup(
        "audit/events.html", state=state, found=found, rows=rows, path=path, zone=zone, pages=pages(found.total)
    )


def about(subject: str, words: Places | None) -> str:
    """Return what an event is about as people know it: no internal names, no identifiers."""
    kind, _, name = subject.partition(" ")
    if kind == "form" and words is not None:
        return words.form_label(name)
    if kind == "study":
        return ""
    if _IDENTIFIER.search(name):
        return f"one {kind}"
    return {"design": f"design version {name}"}.get(kind, subject)


def changes(state: TrailState, found: Page[ValueChange], *, path: str, study: str, zone: str) -> Markup:
    """Return the changes of a page of the list."""
    rows = [told(one, state.words, study=study) for one in found.rows]
    return markup(
        "audit/changes.html", state=state, found=found, rows=rows, path=path, zone=zone, pages=pages(found.total)
    )


def review(
    waiting: Page[ValueChange], done: Page[ValueChange], *, words: Places | None, study: str, **values: Any
) -> Markup:
    """Return what waits for review and what was reviewed lately."""
    return markup(
        "audit/review.html",
        waiting=waiting,
        done=done,
        waiting_rows=[told(one, words, study=study) for one in waiting.rows],
        done_rows=[told(one, words, study=study) for one in done.rows],
        **values,
    )


def told(one: ValueChange, words: Places | None, *, study: str) -> dict[str, Any]:
    """Return a change with its place in words."""
    if words is None:
        return {"one": one, "event": "", "form": "", "field": "", "href": "", "old": one.old, "new": one.new}
    return {
        "one": one,
        "event": words.event_label(one.event_name),
        "form": words.form_label(one.form_name),
        "field": words.field_label(one.form_name, one.field),
        "href": words.href(study, one.participant, one.event_name, one.form_name, repeat=one.form_repeat),
        "old": value(words, one, one.old),
        "new": value(words, one, one.new),
    }


def value(words: Places, one: ValueChange, text: str | None) -> str | None:
    """Return a value as people know it: a code with its label."""
    if text is None:
        return None
    field = words.field(one.form_name, one.field)
    if field is None:
        return text
    if field.kind == "checkbox":
        code = one.field.partition("___")[2]
        label = next((choice.label for choice in field.choices if choice.code == code), code)
        return f"{label}: {'ticked' if text == '1' else 'not ticked'}"
    return next((f"{choice.label} ({text})" for choice in field.choices if choice.code == text), text)


def pages(total: int) -> int:
    """Return how many pages so many rows fill."""
    return max(1, -(-total // SIZE))


def filters(state: TrailState, people: list[str]) -> dict[str, Any]:
    """Return the widgets that set the state's choices."""
    every = {"size": "small", "margin": 0}
    found: dict[str, Any] = {
        "show": pmui.RadioButtonGroup(
            label="Show", value=state.show, options={words: key for key, words in SHOWS.items()}, width=250, **every
        ),
        "since": pmui.DatePicker(label="From", value=state.since, clearable=True, width=160, **every),
        "until": pmui.DatePicker(label="To", value=state.until, clearable=True, width=160, **every),
        "who": pmui.Select(
            label="Who", value=state.who, options={"Anybody": ""} | {one: one for one in people}, width=190, **every
        ),
        "subject": pmui.TextInput(label="Participant", value=state.subject, width=140, **every),
    }
    if state.show == "events":
        kinds = {"Everything": ""} | {words: key for key, (words, _) in KINDS.items()}
        found["kind"] = pmui.Select(label="About", value=state.kind, options=kinds, width=200, **every)
        return found
    forms = {"All forms": ""} | {label: words for words, label in state.forms.items()}
    found["form"] = pmui.Select(label="Form", value=state.form, options=forms, width=200, **every)
    if form := next(
        (one for one in (state.words.protocol.forms if state.words else ()) if one.name == state.form_name), None
    ):
        fields = {"All fields": ""} | {one.label: slug(one.label) for one in form.fields if one.kind != "descriptive"}
        found["field"] = pmui.Select(label="Field", value=state.field, options=fields, width=220, **every)
    found["first"] = pmui.Checkbox(label="First entries too", value=state.first, **every)
    return found
