"""The pages: the audit trail with its two lists, and the review of changes of critical values."""

import csv
import io
from collections.abc import Callable
from datetime import date
from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.audit import views
from apps.audit.state import SIZE, TrailState
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.places import Places, places
from apps.shell.session import acting, reading
from apps.shell.words import instant
from datamodel.access.rights import may
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused
from datamodel.study import reads as study_reads
from datamodel.trail import actions
from datamodel.trail import reads as trail
from datamodel.trail.actions import Looked
from datamodel.trail.reads import ChangeFilter, ValueChange

#: Most waiting changes that are offered at once, and most reviewed ones that are shown.
_WAITING, _DONE = 200, 50
_EVENT_COLUMNS = ("position", "at_utc", "who", "role", "what", "action", "about", "reason")
_CHANGE_COLUMNS = (
    "at_utc",
    "who",
    "participant",
    "site",
    "visit",
    "form",
    "form_repeat",
    "field",
    "was",
    "became",
    "reason",
    "source",
    "revision",
    "position",
)


def audit(visit: Visit) -> Any:
    """Return the trail as the address asks for it."""
    path = f"/app/{visit.code}/audit"
    words, people = _words(visit), _people(visit)
    state = TrailState.from_query(visit.query, words, visit.zone)
    listed = pane(Markup(""), views.style())
    bar = pmui.FlexBox(gap="12px", align_items="center", margin=(0, 0, 16, 0))
    taken = pmui.FileDownload(
        label="Take away as CSV",
        filename=f"{visit.code}-audit-{state.show}.csv",
        variant="outlined",
        callback=lambda: _file(visit, state),
        margin=0,
    )

    def draw() -> None:
        listed.object = str(_list(visit, state, path))

    def choose(name: str) -> Callable[[Any], None]:
        def chosen(event: Any) -> None:
            value = event.new
            if name in {"since", "until"} and isinstance(value, str):
                value = date.fromisoformat(value[:10]) if value else None
            state.param.update(**{name: value.strip() if isinstance(value, str) else value, "page": 1})
            if name == "form":
                state.field = ""
            pn.state.location.search = state.href("")
            taken.filename = f"{visit.code}-audit-{state.show}.csv"
            if name in {"show", "form"}:
                fill()
            draw()

        return chosen

    def fill() -> None:
        widgets = views.filters(state, people)
        for name, widget in widgets.items():
            widget.param.watch(acts(visit, choose(name)), "value")
        bar[:] = list(widgets.values())

    fill()
    draw()
    heading = pmui.FlexBox(
        pane(Markup("<h1>Audit trail</h1>"), sizing_mode=None),
        taken,
        justify_content="space-between",
        align_items="center",
        margin=(0, 0, 16, 0),
        sizing_mode="stretch_width",
    )
    return column(heading, bar, listed)


def _list(visit: Visit, state: TrailState, path: str) -> Markup:
    actor = visit.visitor.actor
    with reading(actor) as session:
        if state.show == "events":
            events = trail.events(
                session, actor, study=visit.code, asked=state.event_filter, limit=SIZE, offset=state.offset
            )
            return views.events(state, events, path=path, zone=visit.zone)
        found = trail.changes(
            session, actor, study=visit.code, asked=state.change_filter, limit=SIZE, offset=state.offset
        )
        return views.changes(state, found, path=path, study=visit.code, zone=visit.zone)


def _file(visit: Visit, state: TrailState) -> io.StringIO | None:
    """Return what the filters leave as a file, and tell the ledger of it with its hash; None when it was refused."""
    made: list[io.StringIO] = []

    def make() -> None:
        text = io.StringIO(newline="")
        with acting(visit.visitor, reason="took away the audit trail") as unit:
            rows = _rows(unit.session, visit, state)
            writer = csv.writer(text, lineterminator="\r\n")
            writer.writerow(_EVENT_COLUMNS if state.show == "events" else _CHANGE_COLUMNS)
            writer.writerows(rows)
            actions.note_export(
                unit, study=visit.code, what=f"audit {state.show}", rows=len(rows), content=text.getvalue().encode()
            )
        text.seek(0)
        made.append(text)
        visit.notify("The file is an entry of the ledger now, with its content hash.", kind="good")

    acts(visit, make)()
    return made[0] if made else None


def _rows(session: Any, visit: Visit, state: TrailState) -> list[tuple[Any, ...]]:
    """Return all rows that the filters leave; more than one answer holds are refused, never cut."""
    actor = visit.visitor.actor
    if state.show == "events":
        events = trail.events(session, actor, study=visit.code, asked=state.event_filter)
        _whole(events.total, len(events.rows))
        return [
            (
                one.position or "",
                one.at.isoformat(),
                one.who,
                one.role,
                one.what,
                one.action,
                views.about(one.subject, state.words),
                one.reason,
            )
            for one in events.rows
        ]
    found = trail.changes(session, actor, study=visit.code, asked=state.change_filter)
    _whole(found.total, len(found.rows))
    told = [views.told(one, state.words, study=visit.code) for one in found.rows]
    return [
        (
            one["one"].at.isoformat(),
            one["one"].who,
            one["one"].participant,
            one["one"].site,
            one["event"],
            one["form"],
            one["one"].form_repeat or "",
            one["field"],
            one["one"].old or "",
            one["one"].new or "",
            one["one"].reason,
            one["one"].source,
            one["one"].revision,
            one["one"].position or "",
        )
        for one in told
    ]


def _whole(total: int, here: int) -> None:
    if total > here:
        raise BadInputError(
            f"These filters leave {total:,} rows, and a file holds at most {here:,}. Nothing was made; choose fewer days, "
            "one person or one form."
        )


def review(visit: Visit) -> Any:
    """Return what waits for review, what was reviewed, and which fields are critical."""
    actor, words = visit.visitor.actor, _words(visit)
    answer = may(actor, "study:audit:review", study=visit.code)
    shown = pane(Markup(""), views.style())
    boxes = pmui.CheckBoxGroup(options={}, value=[], margin=(0, 0, 8, 0), sizing_mode="stretch_width")
    note = pmui.TextInput(label="Note (needed to question)", margin=0, size="small", width=360)
    accept = pmui.Button(label="Accept", variant="contained", margin=0)
    question = pmui.Button(label="Question", variant="outlined", margin=0)
    row = pmui.FlexBox(note, accept, question, gap="12px", align_items="center", margin=(0, 0, 16, 0))
    denied = pane(Markup('<p class="muted">{}</p>').format(answer.sentence if isinstance(answer, Refused) else ""))
    waiting: dict[str, ValueChange] = {}

    def draw() -> None:
        with reading(visit.visitor.actor) as session:
            ask = {"study": visit.code, "limit": _WAITING}
            left = trail.changes(session, actor, asked=ChangeFilter(critical=True, reviewed=False), **ask)
            done = trail.changes(
                session, actor, study=visit.code, asked=ChangeFilter(critical=True, reviewed=True), limit=_DONE
            )
            critical = trail.critical_fields(session, actor, study=visit.code)
        shown.object = str(views.review(left, done, words=words, study=visit.code, zone=visit.zone, critical=critical))
        waiting.clear()
        waiting.update({_line(one, words, visit): one for one in left.rows})
        boxes.options, boxes.value = list(waiting), []
        row.visible = boxes.visible = bool(waiting and answer)
        denied.visible = bool(waiting and not answer)

    def say(verdict: str) -> Callable[[Any], None]:
        def said(_: Any) -> None:
            chosen = [waiting[one] for one in boxes.value]
            if not chosen:
                raise BadInputError("No change is chosen. Tick the changes that you looked at, then say it again.")
            looked = [Looked(one.instance, one.revision, one.field) for one in chosen]
            with acting(visit.visitor, reason="review of critical changes") as unit:
                count = actions.review(
                    unit,
                    study=visit.code,
                    looked_at=looked,
                    verdict=verdict,
                    note=note.value_input or note.value or "",
                )
            note.value = ""
            asked = " A data question was opened for each." if verdict == "questioned" else ""
            visit.notify(f"Saved: {count} reviewed.{asked}", kind="good")
            draw()

        return said

    accept.on_click(acts(visit, say("accepted")))
    question.on_click(acts(visit, say("questioned")))
    draw()
    return column(pane(Markup("<h1>Changes to review</h1>")), boxes, row, denied, shown, *_critical(visit, words, draw))


def _line(one: ValueChange, words: Places | None, visit: Visit) -> str:
    told = views.told(one, words, study=visit.code)
    was, became = (text if text is not None else "no value" for text in (told["old"], told["new"]))
    place = ", ".join(part for part in (told["event"], told["form"]) if part)
    repeat = f" ({one.form_repeat})" if one.form_repeat else ""
    return (
        f"{one.participant} · {place}{repeat} · {told['field']}: {was} → {became} · {one.who}, "
        f"{instant(one.at, visit.zone)} · revision {one.revision}"
    )


def _critical(visit: Visit, words: Places | None, draw: Callable[[], None]) -> list[Any]:
    """Return the list of critical fields for whoever writes the design."""
    if words is None or not may(visit.visitor.actor, "study:design:manage", study=visit.code):
        return []
    names = {
        f"{form.label}: {one.label} ({one.name})": (form.name, one.name)
        for form in words.protocol.forms
        for one in form.fields
        if one.kind != "descriptive" and not one.is_identifier
    }
    with reading(visit.visitor.actor) as session:
        present = trail.critical_fields(session, visit.visitor.actor, study=visit.code)
    chosen = pmui.MultiChoice(
        label="Critical fields",
        options=list(names),
        value=[words for words, name in names.items() if name in present],
        searchable=True,
        sizing_mode="stretch_width",
        margin=(0, 0, 8, 0),
    )
    save = pmui.Button(label="Save the list", variant="outlined", margin=0)

    def keep(_: Any) -> None:
        with acting(visit.visitor, reason="list of critical fields") as unit:
            count = actions.mark_critical(unit, study=visit.code, fields=[names[one] for one in chosen.value])
        visit.notify(f"Saved: {count} marks changed." if count else "Nothing changed.", kind="good")
        draw()

    save.on_click(acts(visit, keep))
    heading = pane(Markup('<h2 class="later">Which fields are critical</h2>'), views.style())
    return [heading, chosen, save]


def _words(visit: Visit) -> Places | None:
    with reading(visit.visitor.actor) as session:
        try:
            return places(study_reads.design(session, visit.study.id).protocol)
        except NotFoundError:
            return None


def _people(visit: Visit) -> list[str]:
    with reading(visit.visitor.actor) as session:
        return trail.actors(session, visit.visitor.actor, study=visit.code)


PAGES.declare(
    Page(
        path="/app/{study}/review",
        title="Changes to review",
        permission="study:records:read",
        build=review,
        rail="Study",
        key="r",
        icon="review",
        order=40,
    )
)
PAGES.declare(
    Page(
        path="/app/{study}/audit",
        title="Audit trail",
        permission="study:audit:read",
        build=audit,
        rail="Operations",
        key="a",
        icon="audit",
        order=95,
    )
)
