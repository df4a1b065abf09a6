"""How a form looks."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from apps.records.state import FormPage
from apps.shell.frame import Visit, pane
from apps.shell.words import address, markup
from datamodel.discrepancies.reads import Discrepancy


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "form.css").read_text("utf-8")


def form(found: FormPage, visit: Visit) -> Any:
    """Return the page of a form."""
    home = f"/app/{visit.code}/participants/{found.subject}"

    def question_href(one: Discrepancy) -> str:
        return address(f"/app/{visit.code}/questions", state="all", text=one.participant)

    html = markup(
        "records/form.html",
        found=found,
        zone=visit.zone,
        zone_words=visit.zone.replace("_", " "),
        home=home,
        path=found.words.href(visit.code, found.subject, found.event_name, found.form.name),
        question_href=question_href,
    )
    return pane(html, style())
