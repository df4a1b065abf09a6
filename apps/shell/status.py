"""The vocabulary of states: one icon, one word and one colour each, the same on every page."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

from apps.shell.words import share

#: colour family -> (ink on light, ink on dark); every ink keeps 4.5:1 on its page's surfaces
INKS: Final[dict[str, tuple[str, str]]] = {
    "grey": ("#5B6870", "#9FB0B7"),
    "blue": ("#1F5FA8", "#7FB3EE"),
    "green": ("#1B6E3C", "#6FCF97"),
    "amber": ("#8A5300", "#F0B85A"),
    "red": ("#B3261E", "#F2918B"),
    "teal": ("#0B6E75", "#5CC4CA"),
    "purple": ("#6B3FA0", "#C3A3EC"),
    "slate": ("#3F4C5C", "#A9B6C6"),
}

_RING: Final = '<circle cx="12" cy="12" r="8.25" fill="none" stroke="C" stroke-width="2"/>'
_BALLOON: Final = (
    '<path d="M4 4.5h16v11.5H11.5L7 20.5V16H4z" fill="none" stroke="C" stroke-width="2" stroke-linejoin="round"/>'
)
_CLOCK: Final = '<circle cx="10.5" cy="12" r="7.25" fill="none" stroke="C" stroke-width="2"/>'


@dataclass(frozen=True, slots=True)
class State:
    """One state as people see it; `drawing` is SVG on a 24 × 24 field with C for the ink."""

    code: str
    word: str
    family: str
    drawing: str


def _line(path: str, width: str = "2.2") -> str:
    return (
        f'<path d="{path}" fill="none" stroke="C" stroke-width="{width}" stroke-linecap="round" '
        'stroke-linejoin="round"/>'
    )


_ALL: Final = (
    State("not_started", "Not started", "grey", _RING),
    State("in_progress", "In progress", "blue", _RING + '<path d="M12 3.75a8.25 8.25 0 0 1 0 16.5z" fill="C"/>'),
    State(
        "complete",
        "Complete",
        "green",
        '<path fill-rule="evenodd" fill="C" d="M12 2.75a9.25 9.25 0 1 0 0 18.5 9.25 9.25 0 0 0 0-18.5zm4.9 6.2-6 '
        '7.1-3.9-3.7 1.4-1.5 2.4 2.3 4.6-5.5z"/>',
    ),
    State("query", "Query", "red", _BALLOON + _line("M12 7.2v3.6M12 13.2v.1", "2.4")),
    State("answered", "Answered", "amber", _BALLOON + _line("M15.5 10.2H8.6M11 7.6 8.4 10.2 11 12.8", "1.9")),
    State("verified", "Verified", "teal", _line("M2.5 12.5 7 17 15.5 7.5M11.5 16.4l.6.6L21.5 7.5")),
    State("signed", "Signed", "purple", _line("M4 20l1-4.5L16 4.5l3.5 3.5L8.5 19zM13.5 7l3.5 3.5", "2")),
    State(
        "locked",
        "Locked",
        "slate",
        '<path fill="C" d="M5 10.5h14v10H5z"/>' + _line("M8 10.5V8a4 4 0 0 1 8 0v2.5", "2"),
    ),
    State("not_done", "Not done", "grey", _RING + _line("M6.5 17.5 17.5 6.5", "2")),
    State("overdue", "Overdue", "red", _CLOCK + _line("M10.5 8v4l2.5 1.6", "2") + _line("M21.3 6v7M21.3 17v.1", "2.4")),
    State(
        "outside_window",
        "Outside window",
        "amber",
        _CLOCK + _line("M10.5 8v4l2.5 1.6", "2") + _line("M19.5 9l3 3-3 3", "2"),
    ),
    State(
        "stale",
        "Stale",
        "amber",
        _line("M9.5 7H7a5 5 0 0 0 0 10h2.5M14.5 7H17a5 5 0 0 1 0 10h-2.5M10 3l1 3M14 21l-1-3"),
    ),
    # runs of the sync, and other work
    State("running", "Running", "blue", _line("M20 12a8 8 0 1 1-3-6.2M17 2.5v3.6h-3.6")),
    State("succeeded", "Succeeded", "green", _line("M4.5 12.5 9.5 17.5 19.5 7")),
    State("failed", "Failed", "red", _line("M12 3.5 21.5 20h-19zM12 10v4.5M12 17.2v.1", "2")),
    # questions
    State("open", "Open", "red", _BALLOON + _line("M12 7.2v3.6M12 13.2v.1", "2.4")),
    State("closed", "Closed", "grey", _BALLOON + _line("M8.3 10.2l2.6 2.4 4.8-5", "2")),
    State("reopened", "Reopened", "red", _BALLOON + _line("M9.5 8.2a3.2 3.2 0 1 1 .2 4.3M9.2 6v2.6h2.6", "1.7")),
    State("cancelled", "Cancelled", "grey", _BALLOON + _line("M9.5 8l5 5M14.5 8l-5 5", "2")),
    # people
    State(
        "screened",
        "Screened",
        "grey",
        _line("M12 11.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM4.5 20c.6-4 3.6-6 7.5-6s6.9 2 7.5 6", "2"),
    ),
    State(
        "screen_failed",
        "Screen failed",
        "slate",
        _line(
            "M9.5 11.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM2.5 20c.6-4 3.1-6 7-6s6.4 2 7 6M16.5 7.5l5 5M21.5 7.5l-5 5",
            "2",
        ),
    ),
    State(
        "enrolled",
        "Enrolled",
        "blue",
        _line("M9.5 11.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM2.5 20c.6-4 3.1-6 7-6s6.4 2 7 6M19 7v6M16 10h6", "2"),
    ),
    State(
        "completed",
        "Completed",
        "green",
        _line(
            "M9.5 11.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM2.5 20c.6-4 3.1-6 7-6s6.4 2 7 6M16 10.5l2 2 4-4.5", "2"
        ),
    ),
    State(
        "withdrawn",
        "Withdrawn",
        "amber",
        _line("M9.5 11.5a3.7 3.7 0 1 0 0-7.4 3.7 3.7 0 0 0 0 7.4zM2.5 20c.6-4 3.1-6 7-6s6.4 2 7 6M16 10h6", "2"),
    ),
)
STATES: Final[dict[str, State]] = {state.code: state for state in _ALL}


def state(code: str) -> State:
    """Return the state called `code`; KeyError when the vocabulary has no such word."""
    return STATES[code]


def icon(code: str, size: int = 20) -> Markup:
    """Return a state's icon alone, for beside its word (hidden from screen readers)."""
    one = STATES[code]
    body = one.drawing.replace('C"', 'currentColor"')
    return Markup(  # noqa: S704 - drawings of our own
        f'<svg class="icon ink-{one.family}" width="{size}" height="{size}" viewBox="0 0 24 24" aria-hidden="true" '
        f'focusable="false">{body}</svg>'
    )


def chip(code: str, text: str = "") -> Markup:
    """Return icon and word on a tinted ground."""
    one = STATES[code]
    return Markup('<span class="chip tint-{}">{}<span>{}</span></span>').format(
        one.family, icon(code, 16), text or one.word
    )


def combined(states: Collection[str], *, expected: int) -> str:
    """Return the one state of a visit from those of its forms; forms without an entry are not started.

    A question comes first, then an answer; all forms as far as complete make it complete; none begun, not started.
    """
    if "query" in states:
        return "query"
    if "answered" in states:
        return "answered"
    begun = [one for one in states if one != "not_started"]
    if not begun:
        return "not_started"
    if len(begun) < expected or "in_progress" in begun:
        return "in_progress"
    return "complete"


def tokens() -> str:
    """Return the inks and grid icons as custom properties of the document, in light and dark."""
    light, dark = [], []
    for family, (day_ink, night_ink) in INKS.items():
        light.append(f"--ink-{family}:{day_ink}")
        dark.append(f"--ink-{family}:{night_ink}")
    for one in _ALL:
        day_ink, night_ink = INKS[one.family]
        light.append(f"--icon-{one.code}:{_picture(one, day_ink)}")
        dark.append(f"--icon-{one.code}:{_picture(one, night_ink)}")
    return f":root{{{';'.join(light)}}}html[data-theme=dark]{{{';'.join(dark)}}}"


def rules() -> str:
    """Return the rules that give families their ink and grid cells their icon."""
    inks = "".join(
        f".ink-{family}{{color:var(--ink-{family})}}.tint-{family}{{color:var(--ink-{family});"
        f"background:color-mix(in srgb,var(--ink-{family}) 9%,var(--mx-surface))}}"
        for family in INKS
    )
    return inks + "".join(f".c.{one.code}{{background-image:var(--icon-{one.code})}}" for one in _ALL)


def _picture(one: State, ink: str) -> str:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">{one.drawing.replace('C"', ink + '"')}</svg>'
    return f'url("data:image/svg+xml,{quote(svg)}")'


share(state_chip=chip, state_icon=icon, state_word=lambda code: STATES[code].word)
