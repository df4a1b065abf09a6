"""The page: what was found, the findings of one rule with their forms, and questions about them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import panel as pn
import panel_material_ui as pmui
import polars as pl
from markupsafe import Markup

from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.places import Places, places
from apps.shell.session import acting, reading
from apps.shell.words import plural
from apps.validation import views
from apps.validation.state import ValidationState, newest
from datamodel.access.rights import may
from datamodel.kernel.errors import NotFoundError
from datamodel.kernel.settings import settings
from datamodel.study import reads as study_reads
from exports.marts.reader import open_snapshot
from exports.reports.queries import findings_of, origin_of, raise_as_queries
from exports.sdtm.dataset import SdtmDataset
from exports.sdtm.snapshots import frames_of, traceable
from exports.sdtm.terms import Terms
from exports.submission.standards import terms_of


def validation(visit: Visit) -> Any:
    """Return the newest report as the address asks for it."""
    heading, path = pane(Markup("<h1>Validation</h1>")), f"/app/{visit.code}/validation"
    found = newest(settings().exports_folder, visit.code)
    if found is None:
        return column(heading, pane(views.none(), views.style()))
    state, may_see = ValidationState.from_query(found, visit.query), _may_see_values(visit)
    if state.chosen is not None:
        return column(heading, *_findings(visit, state, path, may_see_values=may_see))
    shown = pane(views.shown(state, path=path, may_see_values=may_see), views.style())
    widgets = views.filters(state)

    def choose(name: str) -> Callable[[Any], None]:
        def chosen(event: Any) -> None:
            state.param.update(**{name: "" if event.new == "every" else event.new, "rule": ""})
            pn.state.location.search = state.href("")
            shown.object = str(views.shown(state, path=path, may_see_values=may_see))

        return chosen

    for name, widget in widgets.items():
        widget.param.watch(acts(visit, choose(name)), "value")
    show = pmui.Column(widgets.pop("show"), margin=(0, 0, 12, 0), sizing_mode="stretch_width")
    bar = pmui.FlexBox(*widgets.values(), gap="12px", margin=(0, 0, 16, 0))
    return column(heading, show, bar, shown)


def _findings(visit: Visit, state: ValidationState, path: str, *, may_see_values: bool) -> list[Any]:
    """Return the findings of one rule in one dataset, and the button that makes data questions of them."""
    details = state.details if may_see_values else []
    datasets, frames = _made(visit, state, details)
    words = _words(visit)
    found = findings_of(pl.DataFrame(details)) if details else []
    rows = []
    for one, row in zip(found, [row for row in details if row["record"] is not None], strict=True):
        origin = origin_of(one, datasets, frames)
        rows.append(row | _place(visit, words, origin))
    shown = pane(views.findings(state, rows, path=path, may_see_values=may_see_values), views.style())
    asked = [one for one, row in zip(found, rows, strict=True) if row["href"]]
    if not asked or not may(visit.visitor.actor, "study:discrepancies:open", study=visit.code):
        return [shown]
    button = pmui.Button(
        label=f"Open data questions about {plural(len(asked), 'finding')}", variant="outlined", margin=(16, 0, 0, 0)
    )

    def ask(_: Any) -> None:
        with acting(visit.visitor, reason="raised from the validation report") as unit:
            done = raise_as_queries(unit, study=visit.code, findings=asked, datasets=datasets, frames=frames)
        visit.notify(f"{plural(done.opened, 'data question')} opened; {done.present} were there already.", kind="good")
        button.disabled = True

    button.on_click(acts(visit, ask))
    return [shown, button]


def _place(visit: Visit, words: Places | None, origin: Any) -> dict[str, str]:
    if origin is None or words is None or origin.form not in words.form_slugs:
        return {"href": "", "place": ""}
    label = ", ".join(
        part
        for part in (origin.participant, words.event_label(origin.event), words.form_label(origin.form))
        if part and part != "Unknown event"
    )
    field = words.field(origin.form, origin.field)
    href = words.href(visit.code, origin.participant, origin.event, origin.form, repeat=origin.form_repeat)
    return {"href": href, "place": f"{label}: {field.label}" if field else label}


def _made(visit: Visit, state: ValidationState, details: list[dict[str, Any]]) -> tuple[dict[str, SdtmDataset], Any]:
    """Return the dataset of the findings as it was checked, and the forms it was made of."""
    if not details:
        return {}, {}
    with reading(visit.visitor.actor) as session:
        terms = terms_of(session, study=visit.code, shelf=settings().home / "standards")
    return _datasets(visit.code, state.found.snapshot, details[0]["dataset"], terms)


@lru_cache(maxsize=2)
def _datasets(study: str, number: int, dataset: str, terms: Terms | None) -> tuple[dict[str, SdtmDataset], Any]:
    snapshot = open_snapshot(settings().marts_folder, study, number=number, unblinded=True)
    return traceable(snapshot, dataset, terms=terms), frames_of(snapshot)


def _may_see_values(visit: Visit) -> bool:
    """Say whether this reader may see every record as it was checked."""
    actor = visit.visitor.actor
    membership = actor.membership(visit.code)
    needed = ("study:records:read", "study:blinded:read")
    return all(may(actor, one, study=visit.code) for one in needed) and not (membership and membership.site)


def _words(visit: Visit) -> Places | None:
    with reading(visit.visitor.actor) as session:
        try:
            return places(study_reads.design(session, visit.study.id).protocol)
        except NotFoundError:
            return None


PAGES.declare(
    Page(
        path="/app/{study}/validation",
        title="Validation",
        permission="study:discrepancies:read",
        build=validation,
        rail="Study",
        key="c",
        icon="validation",
        order=45,
    )
)
