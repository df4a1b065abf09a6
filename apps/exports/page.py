"""The page: choose, look at the first rows, take the data away."""

import io
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

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
from exports.extracts.choice import Table, subjects, tables_of_forms
from exports.extracts.make import make, preview
from exports.extracts.signatures import signatures
from exports.marts.reader import Snapshot, numbers, open_snapshot
from exports.odm import export as odm
from exports.sdtm.spec import has_spec, load_spec
from exports.sdtm.terms import Terms
from exports.sdtm.unblinding import withheld
from exports.submission.standards import terms_of

_REASON: Final = "downloaded from the export page"


def exports(visit: Visit) -> Any:
    """Return the choice with its first rows, as the address asks for it."""
    heading = pane(Markup("<h1>Export</h1>"))
    there = numbers(settings().marts_folder, visit.code)
    state = ExportState.from_query(there, visit.query, has_sdtm=_has_mapping(visit))
    if not state.snapshots:
        return column(heading, pane(views.none(), views.style()))
    taken = {one: instant(_open(visit, one).taken_at, visit.zone) for one in state.snapshots}
    shown, bar = pane(Markup(""), views.style()), pmui.FlexBox(gap="12px", margin=(0, 0, 12, 0))
    below = pmui.Column(margin=(0, 0, 16, 0), sizing_mode="stretch_width")
    download = pmui.FileDownload(
        label="Download", variant="contained", margin=0, filename="", callback=lambda: _taken(visit, state)
    )

    def draw() -> None:
        offered = {one.name: one.label for one in _tables(visit, state)}
        state.tables = [one for one in state.tables if one in offered]
        first, rows, labels = preview(_open(visit, state.snapshot), state.asked, terms=_terms(visit, state))
        label = (
            offered[state.tables[0] if state.tables else next(iter(offered))] if offered else "what the file will hold"
        )
        shown.object = str(views.preview(state, first, rows=rows, label=label, labels=labels, zone=visit.zone))
        name = f"{visit.code}-snapshot-{state.snapshot}-{state.standard}"
        download.filename = f"{name}-{state.form}.zip" if state.standard != "odm" else f"{name}{state.form[3:]}.xml"

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
                    state.form = state.first_form
                fill()
            pn.state.location.search = state.href("")
            draw()

        return chosen

    def fill() -> None:
        widgets = views.choices(state, _tables(visit, state), taken)
        for name, widget in widgets.items():
            widget.param.watch(acts(visit, choose(name)), "value")
        tables = widgets.pop("tables")
        below[:] = [tables] if tables.options else []
        bar[:] = list(widgets.values())

    fill()
    draw()
    row = pmui.FlexBox(heading, download, justify_content="space-between", align_items="center", margin=(0, 0, 16, 0))
    return column(row, bar, below, shown)


def _taken(visit: Visit, state: ExportState) -> io.BytesIO | None:
    """Return the file, after the ledger was told of it; None when it was refused."""
    made: list[io.BytesIO] = []

    def take() -> None:
        content, sha256 = (_odm if state.standard == "odm" else _archive)(visit, state)
        visit.notify(f"The file is an entry of the ledger now. Its SHA-256 begins with {sha256[:12]}.", kind="good")
        made.append(io.BytesIO(content))

    acts(visit, take)()
    return made[0] if made else None


def _odm(visit: Visit, state: ExportState) -> tuple[bytes, str]:
    with tempfile.TemporaryDirectory(prefix="metricis-odm-") as folder:
        done = odm.export(
            settings().database_url.get_secret_value(),
            visit.visitor.actor,
            study=visit.code,
            marts=settings().marts_folder,
            out=Path(folder) / f"{state.form}.xml",
            version="2.0" if state.form == "odm-2.0" else "1.3.2",
            number=state.snapshot,
            people=lambda snapshot: subjects(snapshot, state.population),
            reason=_REASON,
        )
        return done.path.read_bytes(), done.sha256


def _archive(visit: Visit, state: ExportState) -> tuple[bytes, str]:
    snapshot = _open(visit, state.snapshot)
    with reading(visit.visitor.actor) as session:
        signed = signatures(session, visit.visitor.actor, study=visit.code, position=snapshot.position)
    one = make(
        snapshot,
        state.asked,
        protocol_id=visit.study.protocol_id if visit.study else visit.code,
        software=version("metricis"),
        signatures=signed,
        terms=_terms(visit, state),
    )
    with acting(visit.visitor, reason=_REASON) as unit:
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
    return one.content, one.sha256


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


def _terms(visit: Visit, state: ExportState) -> Terms | None:
    """Return the terminology that the study is pinned to, for SDTM."""
    if state.standard != "sdtm":
        return None
    with reading(visit.visitor.actor) as session:
        return terms_of(session, study=visit.code, shelf=settings().home / "standards")


def _tables(visit: Visit, state: ExportState) -> tuple[Table, ...]:
    if state.standard == "odm":
        return ()
    if state.standard == "sdtm":
        spec = load_spec(visit.code)
        gone = withheld(spec) if _open(visit, state.snapshot).is_blinded else ()
        return tuple(
            Table(one.domain.lower(), f"{one.domain} {one.label}") for one in spec.domains if one.domain not in gone
        )
    return tables_of_forms(_open(visit, state.snapshot))


def _has_mapping(visit: Visit) -> bool:
    return has_spec(visit.code)


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
