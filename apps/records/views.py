"""How a form looks."""

from functools import lru_cache
from pathlib import Path

from apps.records.state import FormPage
from apps.shell.frame import Visit
from apps.shell.session import clock
from apps.shell.words import address, markup
from datamodel.access.rights import role_in_words
from datamodel.discrepancies.reads import Discrepancy


@lru_cache(maxsize=1)
def style() -> str:
    """Return the room's own rules."""
    return (Path(__file__).resolve().parent / "form.css").read_text("utf-8")


#: What a step is called in a form's history.
STEP_WORDS = {
    "verify": "Verified",
    "sign": "Signed",
    "lock": "Locked",
    "reopen": "Reopened",
    "change": "Content changed",
}


def form(found: FormPage, visit: Visit) -> tuple[str, str, str]:
    """Return the head of a form's page, where it stands with its signatures, and its values."""
    home = f"/app/{visit.code}/participants/{found.subject}"

    def question_href(one: Discrepancy) -> str:
        return address(f"/app/{visit.code}/questions", state="all", text=one.participant)

    head = markup(
        "records/head.html",
        found=found,
        path=found.words.href(visit.code, found.subject, found.event_name, found.form.name),
    )
    signatures = found.life.signatures if found.life else ()
    life = markup(
        "records/life.html",
        life=found.life,
        standing=[one for one in signatures if not one.is_void],
        void=[one for one in signatures if one.is_void],
        step_words=STEP_WORDS,
        role_words=role_in_words,
        zone=visit.zone,
    )
    body = markup(
        "records/form.html",
        found=found,
        zone=visit.zone,
        zone_words=visit.zone.replace("_", " "),
        home=home,
        question_href=question_href,
        study=visit.study.protocol_id if visit.study else visit.code,
        now=clock(),
    )
    return str(head), str(life), str(body)
