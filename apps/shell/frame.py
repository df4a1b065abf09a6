"""The frame around every page: who, where, how fresh; the page boundary; refusals, errors and empty states in words."""

import hashlib
import logging
import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import panel as pn
import panel_material_ui as pmui
from markupsafe import Markup

from apps.shell import session as sessions
from apps.shell.pages import PAGES, Page
from apps.shell.session import Visitor
from apps.shell.status import rules, tokens
from apps.shell.words import clock, markup, template
from datamodel.access.rights import may, role_in_words
from datamodel.connections import reads as connection_reads
from datamodel.connections.reads import SyncHealth
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import FaultError, MetricisError, NotFoundError, RefusedError
from datamodel.kernel.settings import settings
from datamodel.rehearsal import reads as rehearsals
from datamodel.rehearsal import surfaces
from datamodel.study import reads as study_reads
from datamodel.study.reads import Study

log = logging.getLogger("metricis.apps")

FILES: Final = Path(__file__).resolve().parent
#: How often an open page asks how fresh its data are, in milliseconds.
FRESHNESS_EVERY: Final = 20_000
_FONT: Final = '-apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", system-ui, sans-serif'


def _mode(accent: str, on_accent: str, surface: str, ink: str, muted: str, line: str) -> dict[str, Any]:
    return {
        "palette": {
            "primary": {"main": accent, "contrastText": on_accent},
            "background": {"default": surface, "paper": surface},
            "text": {"primary": ink, "secondary": muted},
            "divider": line,
        },
        "typography": {"fontFamily": _FONT, "fontSize": 15, "button": {"textTransform": "none", "fontWeight": 600}},
        "shape": {"borderRadius": 8},
    }


#: What Material components are told of the theme; the numbers are those of shell.css.
THEME: Final = {
    "light": _mode("#0b6e75", "#ffffff", "#ffffff", "#16252a", "#51636a", "#d7e0e2"),
    "dark": _mode("#5cc4ca", "#06292c", "#152023", "#e4edef", "#9fb2b8", "#293a3f"),
}


@dataclass(slots=True)
class Visit:
    """One person on one page of one study. `crumbs` may be added to by the page."""

    visitor: Visitor
    page: Page
    named: dict[str, str]
    query: dict[str, str]
    study: Study | None = None
    crumbs: list[tuple[str, str]] = field(default_factory=list)
    title: str = ""
    _banner: Any = None

    @property
    def code(self) -> str:
        """Code of the study of the address."""
        return self.named.get("study", "")

    @property
    def zone(self) -> str:
        """Time zone in which this study's instants are shown."""
        return self.study.time_zone if self.study else "UTC"

    def notify(self, words: str, *, kind: str = "bad") -> None:
        """Say something above the page (kind: bad, good)."""
        if self._banner is not None:
            self._banner.say(words, kind)


# -- panes -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def component_style() -> str:
    """Return the rules that panes carry inside their shadow root."""
    return (FILES / "components.css").read_text("utf-8") + rules()


def pane(html: Markup, *extra: str, **options: Any) -> pn.pane.HTML:
    """Return markup made by a template as a pane in house style."""
    options.setdefault("sizing_mode", "stretch_width")
    options.setdefault("margin", 0)
    return pn.pane.HTML(str(html), stylesheets=[component_style(), *extra], **options)


def column(*parts: Any, **options: Any) -> pmui.Column:
    """Return parts beneath each other on the 8 px grid."""
    return pmui.Column(*parts, sizing_mode="stretch_width", margin=0, theme_config=THEME, **options)


def state_block(
    title: str, words: str, *, icon: str = "not_started", link: str = "", href: str = "", more: str = ""
) -> Markup:
    """Return what stands where nothing can be shown: empty, refused, or failed, with the next step."""
    return markup("shell/state.html", title=title, words=words, icon=icon, link=link, href=href, more=more)


# -- freshness -----------------------------------------------------------------------------------------------------


class Banner:
    """The slot under the bar: stale data, what an act came to, and the "as of" in the bar."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.words = ("", "")
        self.slot = pane(Markup(""))
        self.asof = pane(Markup(""), sizing_mode=None)
        self.show(_health(visit))

    def say(self, words: str, kind: str) -> None:
        """Show the outcome of an act above the page."""
        self.words = (words, kind)
        self.show(_health(self.visit))

    def show(self, health: SyncHealth | None) -> None:
        """Draw banner and "as of" from the present health of the sync."""
        now = sessions.clock()
        values = {
            "health": health,
            "when": clock(health.last_good_at, self.visit.zone, now=now) if health else "",
            "failure": failure_of(health) if health else "",
            "rehearsal": _rehearsal(self.visit),
            "words": self.words[0],
            "kind": self.words[1],
            "study": self.visit.code,
            "can_open": bool(
                self.visit.code and may(self.visit.visitor.actor, "study:connections:read", study=self.visit.code)
            ),
        }
        self.slot.object = str(markup("shell/banner.html", **values))
        self.asof.object = str(markup("shell/asof.html", **values))

    def refresh(self) -> None:
        """Look again, without counting as a sign of life; say so when the browser was signed out meanwhile."""
        try:
            sessions.again(self.visit.visitor, is_seen=False)
            self.show(_health(self.visit))
        except RefusedError as error:
            self.words = (error.refusal.sentence, "bad")
            self.show(None)
        except FaultError as error:
            self.words = (str(error), "bad")
            self.show(None)


def failure_of(health: SyncHealth) -> str:
    """Return why the data are stale, in one sentence."""
    if health.is_altered:
        return "the connection to REDCap was altered in the database, not by Metricis, so nothing is asked of REDCap."
    if health.last_run is not None and health.last_run.state == "failed":
        return health.last_run.sentence or "the run ended without saying why; look at its log."
    if health.last_good_at is None:
        return "no sync has succeeded yet."
    return "no newer sync has succeeded."


def _rehearsal(visit: Visit) -> str:
    """Return what every page says of a rehearsal copy, and outside production of a simulated day and development surfaces."""
    words = "Development mode: nothing here is a real study." if surfaces.opened(settings()) else ""
    if visit.study is not None:
        with sessions.reading(visit.visitor.actor) as session:
            words = f"{words} {rehearsals.notice(session, visit.study.id, sessions.clock())}".strip()
    return words


def _health(visit: Visit) -> SyncHealth | None:
    if visit.study is None or not may(visit.visitor.actor, "study:overview:read", study=visit.code):
        return None
    with sessions.reading(visit.visitor.actor) as session:
        health = connection_reads.sync_health(session, visit.visitor.actor, study=visit.code)
    return health if health.is_connected else None


# -- the page boundary -----------------------------------------------------------------------------------------------


def serve(page: Page) -> Callable[[], Any]:
    """Return the function that Panel calls for each visit of `page`."""

    def make() -> Any:
        visit = _visit(page)
        pn.config.theme = "dark" if _theme() == "dark" else "default"
        with sessions.reading(visit.visitor.actor) as session:
            visit.study = study_reads.study(session, visit.code) if visit.code else None
        banner = visit._banner = Banner(visit)  # noqa: SLF001 - the frame fills its own slot
        content = _content(visit)
        if visit.study is not None:
            pn.state.add_periodic_callback(banner.refresh, period=FRESHNESS_EVERY)
        return _framed(visit, pn.Column(banner.slot, *content, sizing_mode="stretch_width", margin=0), banner)

    make.__name__ = f"page_{page.title.lower().replace(' ', '_')}"
    return make


def acts(visit: Visit, callback: Callable[..., None]) -> Callable[..., None]:
    """Wrap a callback: the browser must still be signed in; a refusal or fault is told above the page."""

    def safely(*events: Any) -> None:
        try:
            visit.visitor = sessions.again(visit.visitor)
            callback(*events)
        except MetricisError as error:
            visit.notify(str(error))
        except Exception as error:  # noqa: BLE001 - the page boundary: a person must read a sentence, the log has the rest
            visit.notify(_fault_words(visit, error))

    return safely


def _visit(page: Page) -> Visit:
    query = {name: values[-1].decode("utf-8", "replace") for name, values in pn.state.session_args.items()}
    visit = Visit(visitor=sessions.current(), page=page, named=dict(pn.state.route_params), query=query)
    visit.title = page.title
    return visit


def _content(visit: Visit) -> list[Any]:
    try:
        made = visit.page.build(visit)
    except NotFoundError as error:
        visit.title = "Not found"
        return [pane(state_block("Not found", str(error), link="Back to the participants", href="../participants"))]
    except RefusedError as error:
        visit.title = "Not allowed"
        return [pane(state_block("Not allowed", error.refusal.sentence, icon="locked"))]
    except MetricisError as error:
        return [pane(state_block("This page cannot be shown now", str(error), icon="failed"))]
    except Exception as error:  # noqa: BLE001 - the page boundary
        return [pane(state_block("This page cannot be shown now", _fault_words(visit, error), icon="failed"))]
    return made if isinstance(made, list) else [made]


def _fault_words(visit: Visit, error: Exception) -> str:
    reference = secrets.token_hex(4).upper()
    # A driver's or library's message may repeat values; the place and the kind of the error are enough to find it.
    where = "".join(traceback.format_tb(error.__traceback__)[-6:])
    log.error("Reference %s: page %s, %s\n%s", reference, visit.page.path, type(error).__name__, where)
    return (
        "Something went wrong on our side. What you had saved before is kept; nothing was half-written. "
        f"Try again, and if it stays, tell your administrator the reference {reference}."
    )


# -- the document ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    """Return the address of one of the shell's files, which changes with its content."""
    content = style().encode() if name == "shell.css" else (FILES / name).read_bytes()
    return f"/shell/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


@lru_cache(maxsize=1)
def style() -> str:
    """Return the document's own style sheet: tokens, frame, and the components for pages without Panel."""
    return tokens() + (FILES / "shell.css").read_text("utf-8") + component_style()


def frame_values(visit: Visit, *, theme: str) -> dict[str, Any]:
    """Return what the frame's template needs."""
    actor, code = visit.visitor.actor, visit.code
    with sessions.reading(actor) as session:
        studies = study_reads.studies_of(session, actor)
        counts = _counts(session, visit) if visit.study else {}
    pages = PAGES.open_to(actor, code) if visit.study else []
    entries = [
        {
            "heading": page.rail,
            "href": page.address(code),
            "title": page.title,
            "icon": page.icon,
            "count": counts.get(page.path, 0),
            "is_current": page.path == visit.page.path or visit.page.path.startswith(page.path + "/"),
        }
        for page in pages
    ]
    go = {page.key: page.address(code) for page in pages if page.key}
    membership = actor.membership(code)
    return {
        "title": " · ".join([visit.title, *([visit.study.protocol_id] if visit.study else []), "Metricis"]),
        "theme": theme,
        "study": visit.study,
        "studies": studies,
        "actor": actor,
        "initials": "".join(word[0] for word in actor.name.split()[:2]).upper(),
        "role": _role_words(membership) if membership else "",
        "rail": [(name, list(rows)) for name, rows in groupby(entries, key=lambda one: one["heading"])],
        "crumbs": _crumbs(visit),
        "can_search": bool(visit.study and may(actor, "study:participants:read", study=code)),
        "asked": visit.query.get("q", "") if visit.page.path.endswith("/search") else "",
        "go": {"h": "/app/studies", **go},
        "go_words": [("h", "Your studies"), *((page.key, page.title) for page in pages if page.key)],
        "icon_url": asset("icon.svg"),
        "style_url": asset("shell.css"),
        "script_url": asset("shell.js"),
        "ending_url": asset("ending.js"),
    }


def _crumbs(visit: Visit) -> list[tuple[str, str]]:
    start = [(visit.study.protocol_id, f"/app/{visit.code}/overview")] if visit.study else []
    return start + (visit.crumbs or [(visit.title, "")])


def _counts(session: Any, visit: Visit) -> dict[str, int]:
    """Return what waits behind entries of the rail."""
    actor, code = visit.visitor.actor, visit.code
    if not may(actor, "study:discrepancies:read", study=code):
        return {}
    found = discrepancy_reads.counts(session, actor, study=code)
    return {"/app/{study}/questions": found["open"] + found["reopened"]}


def _role_words(membership: Any) -> str:
    where = f", site {membership.site}" if membership.site else ", all sites"
    return role_in_words(membership.role).capitalize() + where


def _theme() -> str:
    return "dark" if (pn.state.cookies or {}).get("metricis_theme") == "dark" else "light"


def _framed(visit: Visit, content: Any, banner: Banner) -> Any:
    doc = pn.state.curdoc
    doc.template = template("shell/frame.html")
    values = frame_values(visit, theme=_theme())
    doc.title = values["title"]
    banner.asof.server_doc(doc, title=values["title"], location=False)
    doc.roots[-1].name = "asof"
    doc.template_variables.update(values)
    return content


def refusal_page(
    *, title: str, words: str, actor: Any = None, href: str = "/app/studies", link: str = "Your studies"
) -> str:
    """Return a whole page, without Panel, that says why not and what next."""
    values = {
        "title": f"{title} · Metricis",
        "theme": "light",
        "study": None,
        "studies": [],
        "actor": actor,
        "initials": "".join(word[0] for word in actor.name.split()[:2]).upper() if actor else "",
        "role": "",
        "rail": [],
        "crumbs": [("Studies", "/app/studies"), (title, "")],
        "can_search": False,
        "asked": "",
        "go": {"h": "/app/studies"},
        "go_words": [("h", "Your studies")],
        "icon_url": asset("icon.svg"),
        "style_url": asset("shell.css"),
        "script_url": asset("shell.js"),
        "ending_url": asset("ending.js"),
        "body": state_block(title, words, icon="locked", link=link, href=href),
    }
    return template("shell/frame.html").render(values)
