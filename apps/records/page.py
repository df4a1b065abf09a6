"""The page: one form of one participant at one visit."""

from typing import Any

from apps.records import views
from apps.records.state import load
from apps.shell.frame import Visit
from apps.shell.pages import PAGES, Page
from apps.shell.session import reading


def form(visit: Visit) -> Any:
    """Return the form that the address names."""
    home = f"/app/{visit.code}/participants"
    visit.crumbs = [("Participants", home), (visit.named["subject"], f"{home}/{visit.named['subject']}")]
    with reading(visit.visitor.actor) as session:
        found = load(session, visit)
    visit.crumbs += [(found.event_label, f"{home}?visit={visit.named['event']}")] if found.event_label else []
    visit.crumbs.append((found.form.label, ""))
    visit.title = ", ".join(part for part in (found.subject, found.event_label, found.form.label) if part)
    return views.form(found, visit)


PAGES.declare(
    Page(
        path="/app/{study}/participants/{subject}/{event}/{form}",
        title="Form",
        permission="study:records:read",
        build=form,
    )
)
