"""How findings look."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell.words import markup
from apps.validation.state import LISTED, SEVERITIES, SHOWS, ValidationState


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "validation.css").read_text("utf-8")


def shown(state: ValidationState, *, path: str, may_see_values: bool) -> Markup:
    """Return what the state asks for: rules, datasets, causes or what did not run."""
    return markup("validation/lists.html", state=state, path=path, may_see_values=may_see_values, severities=SEVERITIES)


def findings(state: ValidationState, rows: list[dict[str, Any]], *, path: str, may_see_values: bool) -> Markup:
    """Return the findings of one rule in one dataset; each row has the address of its form, or none."""
    return markup(
        "validation/findings.html",
        state=state,
        one=state.chosen,
        rows=rows,
        path=path,
        may_see_values=may_see_values,
        most=LISTED,
    )


def none() -> Markup:
    """Return what is said where nothing was checked yet."""
    return markup("validation/none.html")


def filters(state: ValidationState) -> dict[str, Any]:
    """Return the widgets that set the state's choices."""
    every = {"size": "small", "margin": 0}
    return {
        "show": pmui.RadioButtonGroup(
            label="Show",
            value=state.show,
            options={words: key for key, words in SHOWS.items()},
            max_width=420,
            sizing_mode="stretch_width",
            **every,
        ),
        "severity": pmui.Select(
            label="Severity",
            value=state.severity or "every",
            options={"Every severity": "every"} | {one: one for one in SEVERITIES},
            width=160,
            **every,
        ),
        "domain": pmui.Select(
            label="Dataset",
            value=state.domain or "every",
            options={"All datasets": "every"} | {one: one for one in state.domains},
            width=160,
            **every,
        ),
    }
