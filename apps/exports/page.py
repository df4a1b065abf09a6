"""The page: choose, look at the first rows, take the data away."""

import io
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.exports import views
from apps.exports.state import ExportState
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.session import acting, reading
from apps.shell.words import instant
from datamodel.access.rights import may
from datamodel.kernel.settings import settings
from datamodel.trail import actions as trail
from exports.extracts.choice import Table, tables_of_forms
from exports.extracts.make import make, preview
from exports.extracts.signatures import signatures
from exports.marts.reader import Snapshot, numbers, open_snapshot
from exports.sdtm.spec import SPECS, load_spec


def exports(visit: Visit) -> Any:
    """Return the choice with its first rows, as the address asks for it."""
    heading = pane(Markup("<h1>Export</h1>"))
    may_sdtm = bool(may(visit.visitor.actor, "study:blinded:read", study=visit.code)) and _has_mapping(visit)
    state = ExportState.from_query(numbers(settings().marts_folder, visit.code), visit.query, may_sdtm=may_sdtm)
    if not state.snapshots:
        return column(heading, pane(views.none(), views.style()))
    taken = {one: instant(_open(visit, one).taken_at, visit.zone) for one in state.snapshots}
    shown, bar = pane(Markup(""), views.style()), pmui.FlexBox(gap="12px", margin=(0, 0, 12, 0))
    below = pmui.Column(margin=(0, 0, 16, 0), sizing_mode="stretch_width")
    download = pmui.FileDownload(
        label="Download", variant="contained", margin=0, filename="", callback=lambda: _archive(visit, state)
    )

    def draw() -> None:
        offered = {one.name: one.label for one in _tables(visit, state)}
        state.tables = [one for one in state.tables if one in offered]
        first, rows, labels = preview(_open(visit, state.snapshot), state.asked)
        label = offered[state.tables[0] if state.tables else next(iter(offered))]
        shown.object = str(views.preview(state, first, rows=rows, label=label, labels=labels, zone=visit.zone))
        download.filename = f"{visit.code}-snapshot-{state.snapshot}-{state.standard}-{state.form}.zip"

    def choose(name: str) -> Callable[[Any], None]:
        def chosen(event: Any) -> None:
            if name == "tables":
                names = {one.label: one.name for one in _tables(visit, state)}
                state.tables = [names[one] for one in event.new]
            else:
                state.param.update(**{name: event.new})
            if name == "standard":
                state.tables = []
                if state.form not in state.formats.values():
                    state.form = "xlsx"
                fill()
            pn.state.location.search = state.href("")
            draw()

        return chosen

    def fill() -> None:
        widgets = views.choices(state, _tables(visit, state), taken)
        for name, widget in widgets.items():
            widget.param.watch(acts(visit, choose(name)), "value")
        below[:] = [widgets.pop("tables")]
        bar[:] = list(widgets.values())

    fill()
    draw()
    row = pmui.FlexBox(heading, download, justify_content="space-between", align_items="center", margin=(0, 0, 16, 0))
    return column(row, bar, below, shown)


def _archive(visit: Visit, state: ExportState) -> io.BytesIO | None:
    """Return the archive, after the ledger was told of it; None when it was refused."""
    made: list[io.BytesIO] = []

    def take() -> None:
        snapshot = _open(visit, state.snapshot)
        with reading(visit.visitor.actor) as session:
            signed = signatures(session, visit.visitor.actor, study=visit.code, at=snapshot.taken_at)
        one = make(
            snapshot,
            state.asked,
            protocol_id=visit.study.protocol_id if visit.study else visit.code,
            software=version("metricis"),
            signatures=signed,
        )
        with acting(visit.visitor, reason="downloaded from the export page") as unit:
            trail.note_extract(
                unit,
                study=visit.code,
                snapshot=state.snapshot,
                what={
                    "standard": state.standard,
                    "format": state.form,
                    "population": state.population,
                    "rows": one.rows,
                    "files": {name: digest for name, (_, digest) in one.files.items()},
                },
                name=one.name,
                sha256=one.sha256,
            )
        visit.notify(
            f"The archive is an entry of the ledger now. Its SHA-256 begins with {one.sha256[:12]}.", kind="good"
        )
        made.append(io.BytesIO(one.content))

    acts(visit, take)()
    return made[0] if made else None


def _open(visit: Visit, number: int) -> Snapshot:
    actor = visit.visitor.actor
    membership = actor.membership(visit.code)
    return open_snapshot(
        settings().marts_folder,
        visit.code,
        number=number,
        unblinded=bool(may(actor, "study:blinded:read", study=visit.code)),
        site=membership.site if membership else None,
    )


def _tables(visit: Visit, state: ExportState) -> tuple[Table, ...]:
    if state.standard == "sdtm":
        return tuple(Table(one.domain.lower(), f"{one.domain} {one.label}") for one in load_spec(visit.code).domains)
    return tables_of_forms(_open(visit, state.snapshot))


def _has_mapping(visit: Visit) -> bool:
    return (SPECS / visit.code).is_dir()


PAGES.declare(
    Page(
        path="/app/{study}/export",
        title="Export",
        permission="study:data:export",
        build=exports,
        rail="Study",
        key="e",
        icon="export",
        order=50,
    )
)
