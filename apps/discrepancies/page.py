"""The page: the list of data questions, and a thread beside it that may be answered."""

from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.discrepancies import views
from apps.discrepancies.state import ANY, QuestionsState
from apps.shell.frame import THEME, Visit, acts, column, pane
from apps.shell.pages import PAGES, Page
from apps.shell.places import places
from apps.shell.session import acting, reading
from datamodel.access.rights import may
from datamodel.discrepancies import actions, life
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.discrepancies.reads import Discrepancy, Step
from datamodel.kernel.errors import NotFoundError, Refused
from datamodel.records import reads as record_reads
from datamodel.study import reads as study_reads

#: More than this are not read at once; no study that is looked after has so many.
_MOST = 20_000
#: (words on the button, action, permission, whether the state takes it)
STEPS: tuple[tuple[str, Callable[..., None], str, Callable[[str], Any]], ...] = (
    ("Answer", actions.answer, "study:discrepancies:answer", life.may_answer),
    ("Close", actions.close, "study:discrepancies:close", life.may_close),
    ("Send back", actions.reopen, "study:discrepancies:open", life.may_reopen),
)


def load(visit: Visit) -> QuestionsState:
    """Return the list as the address asks for it."""
    with reading(visit.visitor.actor) as session:
        try:
            words = places(study_reads.design(session, visit.study.id).protocol)
        except NotFoundError:
            words = None
        every = discrepancy_reads.discrepancies(session, visit.visitor.actor, study=visit.code, limit=_MOST)
    return QuestionsState.from_query(every, words, visit.query)


def questions(visit: Visit) -> Any:
    """Return list, filters, and the open thread."""
    state, path = load(visit), f"/app/{visit.code}/questions"
    listed = pane(views.questions(state, path=path, zone=visit.zone), views.style())
    widgets = views.filters(state)

    def choose(name: str) -> Callable[[Any], None]:
        def chosen(event: Any) -> None:
            state.param.update(**{name: "" if event.new == ANY else event.new, "page": 1})
            pn.state.location.search = state.href("")
            listed.object = str(views.questions(state, path=path, zone=visit.zone))

        return chosen

    for name, widget in widgets.items():
        widget.param.watch(acts(visit, choose(name)), "value_input" if name == "text" else "value")
    bar = pmui.FlexBox(*widgets.values(), gap="12px", align_items="center", margin=(0, 0, 16, 0))
    heading = pane(Markup('<div class="head"><h1>Data questions</h1></div>'))
    side = _side(visit, state, listed, path)
    body = pmui.Grid(
        pmui.Grid(listed, size={"xs": 12, "lg": 7 if side else 12}, sx={"order": {"xs": 1, "lg": 0}}),
        *([pmui.Grid(side, size={"xs": 12, "lg": 5})] if side else []),
        container=True,
        spacing=2,
        sizing_mode="stretch_width",
        margin=0,
    )
    return column(heading, bar, body)


def _side(visit: Visit, state: QuestionsState, listed: Any, path: str) -> Any:
    """Return the open thread with what may be done, or None when no question is open."""
    if state.one is None:
        return None
    shown = pane(Markup(""), views.style())
    text = pmui.TextAreaInput(
        label="What you found or did", rows=3, max_length=2000, margin=(12, 0, 8, 0), sizing_mode="stretch_width"
    )
    buttons = {
        words: pmui.Button(label=words, variant="contained" if number == 0 else "outlined", margin=(0, 8, 0, 0))
        for number, (words, *_) in enumerate(_offered(visit, state.one, every=True))
    }
    row = pmui.Row(*buttons.values(), margin=0)

    def draw() -> None:
        one, steps, values = _thread(visit, state)
        offered = {words for words, *_ in _offered(visit, one)}
        shown.object = str(views.thread(state, one, steps, path=path, zone=visit.zone, **values))
        for words, button in buttons.items():
            button.visible = words in offered
        text.visible = row.visible = bool(offered)

    def step(action: Callable[..., None]) -> Callable[[Any], None]:
        def done(_: Any) -> None:
            with acting(visit.visitor) as unit:
                action(unit, study=visit.code, discrepancy_id=state.one.id, words=text.value_input or text.value)
            text.value = ""
            with reading(visit.visitor.actor) as session:
                state.every = discrepancy_reads.discrepancies(
                    session, visit.visitor.actor, study=visit.code, limit=_MOST
                )
            visit.notify("Saved. Everyone who may see this question sees it now.", kind="good")
            listed.object = str(views.questions(state, path=path, zone=visit.zone))
            draw()

        return done

    for words, action, *_ in STEPS:
        if words in buttons:
            buttons[words].on_click(acts(visit, step(action)))
    draw()
    return pmui.Column(shown, text, row, theme_config=THEME, margin=0, sizing_mode="stretch_width")


def _offered(visit: Visit, one: Discrepancy, *, every: bool = False) -> list[Any]:
    """Return the steps that this reader may do (with `every`: in any state of the question)."""
    actor = visit.visitor.actor
    return [
        step
        for step in STEPS
        if may(actor, step[2], study=visit.code, site=one.site or None) and (every or step[3](one.state))
    ]


def _thread(visit: Visit, state: QuestionsState) -> tuple[Discrepancy, list[Step], dict[str, Any]]:
    actor = visit.visitor.actor
    with reading(visit.visitor.actor) as session:
        one, steps = discrepancy_reads.thread(session, actor, study=visit.code, discrepancy_id=state.one.id)
        now = "–"
        if may(actor, "study:records:read", study=visit.code) and one.form_name:
            now = _value_now(session, visit, one)
    has_form = state.words is not None and one.form_name in state.words.form_slugs
    href = state.words.href(visit.code, one.participant, one.event_name, one.form_name) if has_form else ""
    answer = may(actor, "study:discrepancies:answer", study=visit.code, site=one.site or None)
    return (
        one,
        steps,
        {
            "value_now": now,
            "form_href": href,
            "may_act": bool(_offered(visit, one, every=True)),
            "why_not": answer.sentence if isinstance(answer, Refused) else "",
        },
    )


def _value_now(session: Any, visit: Visit, one: Discrepancy) -> str:
    try:
        found = record_reads.instance(
            session,
            visit.visitor.actor,
            study=visit.code,
            participant=one.participant,
            event_name=one.event_name,
            form_name=one.form_name,
            event_repeat=one.event_repeat,
            form_repeat=one.form_repeat,
        )
    except NotFoundError:
        return "not entered"
    if one.field in found.withheld:
        return "Blinded: not shown to your role"
    return found.values.get(one.field, "") or "blank"


PAGES.declare(
    Page(
        path="/app/{study}/questions",
        title="Data questions",
        permission="study:discrepancies:read",
        build=questions,
        rail="Study",
        key="q",
        icon="questions",
        order=30,
    )
)
