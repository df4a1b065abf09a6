"""How the mapping and the code lists look."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell.words import markup
from apps.standards.state import SHOWS, StandardsState


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "standards.css").read_text("utf-8")


def shown(state: StandardsState, *, path: str) -> Markup:
    """Return the mapping of one domain, or the code lists."""
    return markup(f"standards/{state.show}.html", state=state, path=path)


def none(study: str) -> Markup:
    """Return what a study without a mapping says."""
    return markup("standards/none.html", study=study)


def filters(state: StandardsState) -> dict[str, Any]:
    """Return the widgets that set the state's choices."""
    return {
        "show": pmui.RadioButtonGroup(
            label="Show",
            value=state.show,
            options={words: key for key, words in SHOWS.items()},
            width=330,
            size="small",
            margin=0,
        ),
        "text": pmui.TextInput(
            label="Variable, field or code list", value=state.text, width=240, size="small", margin=0
        ),
    }
