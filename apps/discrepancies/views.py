"""How the list and the thread look."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import panel_material_ui as pmui
from markupsafe import Markup

from apps.discrepancies.state import ANY, CHOICES, LABELS, QuestionsState, reference
from apps.shell.words import markup
from datamodel.discrepancies.reads import Discrepancy, Step


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "questions.css").read_text("utf-8")


def questions(state: QuestionsState, *, path: str, zone: str) -> Markup:
    """Return the list with its count."""
    hrefs = [state.href(path, question=reference(one)) for one in state.shown]
    return markup("discrepancies/list.html", state=state, path=path, zone=zone, hrefs=hrefs)


def thread(
    state: QuestionsState, one: Discrepancy, steps: list[Step], *, path: str, zone: str, **values: Any
) -> Markup:
    """Return one question with every step of its life."""
    before, after = state.neighbours()

    def to(other: Discrepancy | None) -> str:
        return state.href(path, question=reference(other)) if other else ""

    return markup(
        "discrepancies/thread.html",
        one=one,
        steps=steps,
        place=state.place(one),
        reference=reference(one),
        before=to(before),
        after=to(after),
        close=state.href(path, question=""),
        zone=zone,
        **values,
    )


def filters(state: QuestionsState) -> dict[str, Any]:
    """Return the widgets that set the state's choices."""
    every = {"size": "small", "margin": 0}
    return {
        "state": pmui.Select(
            label="State", value=state.state, options={LABELS[one]: one for one in CHOICES}, width=180, **every
        ),
        "site": pmui.Select(
            label="Site",
            value=state.site or ANY,
            options={"All sites": ANY} | {one: one for one in state.sites},
            width=130,
            **every,
        ),
        "text": pmui.TextInput(label="Subject, form or words", value=state.text, width=220, **every),
    }
