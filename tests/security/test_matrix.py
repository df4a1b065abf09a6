"""The whole matrix: role x permission x {own study, other study, other site}, cell by cell: in `may`, in the act itself, at the
page's address, and in PostgreSQL's rows. Allowed and refused are both asserted."""

from datetime import date

import httpx
import pytest
from sqlalchemy import text

from apps.shell.pages import PAGES
from apps.web import ROOMS
from datamodel.access import actions as access
from datamodel.access import people, refusals
from datamodel.access import reads as access_reads
from datamodel.access.actor import Actor, Membership
from datamodel.access.rights import PERMISSIONS, ROLES, STUDY_WIDE, UNBLINDING, Denied, may
from datamodel.approvals import actions as approvals
from datamodel.approvals.kinds import KINDS
from datamodel.assessments import actions as assessments
from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections.mapping import Mapping
from datamodel.consent import actions as consent
from datamodel.custody import actions as custody
from datamodel.discrepancies import actions as discrepancies
from datamodel.discrepancies import reads as discrepancy_reads
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants import identity
from datamodel.participants import reads as participant_reads
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.records import reads as record_reads
from datamodel.reveals import actions as reveals
from datamodel.signatures.actions import Proof
from datamodel.study import actions as study
from datamodel.trail import reads as trail
from datamodel.trail.reads import EventFilter
from tests.support import dashboard

assert ROOMS
HERE, ELSEWHERE = dashboard.STUDY, "elsewhere"
SITE, OTHER_SITE = "701", "702"
SELF = {"participant", "caregiver"}
STAFF = sorted(set(ROLES) - SELF - {"service"})
PLACES = ("own study", "other study", "other site")


def actor(role, *, site=None):
    kind = {"participant": "participant", "caregiver": "caregiver", "service": "machine"}.get(role, "staff")
    return Actor(id=new_id(), kind=kind, name=f"A {role}", memberships=(Membership(HERE, role, site),))


def is_allowed(role, permission, place):
    return place == "own study" and permission in ROLES[role]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", ROLES)
def test_the_answer(role, place):
    for permission in PERMISSIONS:
        where = {"own study": (HERE, None), "other study": (ELSEWHERE, None), "other site": (HERE, OTHER_SITE)}[place]
        who = actor(role, site=SITE if place == "other site" else None)
        answer = may(who, permission, study=where[0], site=where[1])
        assert bool(answer) == is_allowed(role, permission, place), (role, permission, place)
        assert answer or (isinstance(answer, Denied) and answer.sentence)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_the_answer_to_an_administrator_without_a_role(permission):
    root = Actor(id=new_id(), kind="staff", name="Root", is_administrator=True)
    for where in (HERE, ELSEWHERE):
        assert bool(may(root, permission, study=where)) == permission.startswith("system:")


# -- the act itself ------------------------------------------------------------------------------------------------


def _question(unit, code):
    found = unit.session.execute(
        text(
            "select d.id from app.discrepancy d join app.participant p on p.id = d.participant_id "
            "where p.code like :site order by d.id limit 1"
        ),
        {"site": f"{code[:3]}-%"},
    ).scalar_one_or_none()
    return found or new_id()


def _publish(unit, where, code):
    consent.publish(unit, study=where, version="9", language="en", title="T", sections=[])


def _battery(unit, where, code):
    assessments.create_battery(unit, study=where, code="", title="", minutes=0, tasks=[])


def _connect(unit, where, code):
    connections.connect(unit, study=where, api_url="nonsense", token="x", mapping=Mapping())


#: permission -> an act that needs it, (unit, study, a participant's code); an error of its own means that it was let in
ACTS = {
    "system:users:manage": lambda unit, where, code: access.create_account(unit, kind="robot", name="X"),  # noqa: ARG005
    "system:studies:create": lambda unit, where, code: study.create_study(unit, code="B d", protocol_id="", title=""),  # noqa: ARG005
    "system:keys:rotate": lambda unit, where, code: approvals.propose(unit, "key_change", "", {}),  # noqa: ARG005
    "system:files:record": lambda unit, where, code: custody.record_files(unit, told={}),  # noqa: ARG005
    "study:overview:read": lambda unit, where, code: participant_reads.status_counts(  # noqa: ARG005
        unit.session, unit.actor, study=where
    ),
    "study:participants:read": lambda unit, where, code: participant_reads.participant(
        unit.session, unit.actor, study=where, code=code
    ),
    "study:participants:enrol": lambda unit, where, code: participants.ensure(unit, study=where, facts=[]),  # noqa: ARG005
    "study:records:read": lambda unit, where, code: record_reads.instances(
        unit.session, unit.actor, study=where, participant=code
    ),
    "study:records:revise": lambda unit, where, code: records.revise_batch(unit, study=where, form="vs", rows=[]),  # noqa: ARG005
    "study:records:verify": lambda unit, where, code: records.verify_forms(unit, study=where, shown=[]),  # noqa: ARG005
    "study:discrepancies:read": lambda unit, where, code: discrepancy_reads.counts(  # noqa: ARG005
        unit.session, unit.actor, study=where
    ),
    "study:discrepancies:answer": lambda unit, where, code: discrepancies.answer(
        unit, study=where, discrepancy_id=_question(unit, code), words="Looked."
    ),
    "study:discrepancies:close": lambda unit, where, code: discrepancies.close(
        unit, study=where, discrepancy_id=_question(unit, code), words="Looked."
    ),
    "study:discrepancies:open": lambda unit, where, code: discrepancies.reopen(
        unit, study=where, discrepancy_id=_question(unit, code), words="Looked."
    ),
    "study:connections:read": lambda unit, where, code: connection_reads.runs(unit.session, unit.actor, study=where),  # noqa: ARG005
    "study:connections:manage": _connect,
    "study:connections:sync": lambda unit, where, code: connections.request_sync(unit, study=where),  # noqa: ARG005
    "study:design:manage": lambda unit, where, code: study.add_site(unit, study=where, code="9", name="Nine"),  # noqa: ARG005
    "study:consent:publish": _publish,
    "study:assessments:configure": _battery,
    "study:blinded:read": lambda unit, where, code: participant_reads.arms(unit.session, unit.actor, study=where),  # noqa: ARG005
    "study:audit:read": lambda unit, where, code: trail.events(  # noqa: ARG005
        unit.session, unit.actor, study=where, asked=EventFilter()
    ),
    "study:people:read": lambda unit, where, code: access_reads.members(unit.session, unit.actor, study=where),  # noqa: ARG005
    "study:people:manage": lambda unit, where, code: people.grant(  # noqa: ARG005
        unit, account_id=new_id(), study=where, role="king"
    ),
    "study:blinding:lift": lambda unit, where, code: approvals.propose(unit, "unblinding", where, {}),  # noqa: ARG005
    "study:arm:decide": lambda unit, where, code: reveals.propose(unit, study=where, code=code),
    "study:arm:reveal": lambda unit, where, code: reveals.reveal(
        unit, study=where, code=code, category="other", proof=Proof(token="", password="")
    ),
    "study:closing:decide": lambda unit, where, code: approvals.propose(unit, "study_close", where, {}),  # noqa: ARG005
    "study:outbound:decide": lambda unit, where, code: approvals.propose(unit, "outbound_rule", where, {}),  # noqa: ARG005
    "study:identity:read": lambda unit, where, code: identity.read(unit, study=where, code=code),
    "study:identity:write": lambda unit, where, code: identity.write(unit, study=where, code=code, values={}),
    "study:identity:destroy": lambda unit, where, code: identity.destroy(unit, study=where, code=code),
}
#: acts on one participant: whose role is for another site does not find it
OF_ONE = {
    "study:participants:read",
    "study:records:read",
    "study:discrepancies:answer",
    "study:discrepancies:close",
    "study:discrepancies:open",
    "study:identity:read",
    "study:identity:write",
    "study:identity:destroy",
    "study:arm:decide",
    "study:arm:reveal",
}


class EnoughError(Exception):
    """The act was let in; nothing of it is kept."""


def _enough():
    raise EnoughError


def let_in(scene, who, permission, where, code):
    """Return whether the act was let in; what it did is rolled back."""
    try:
        with unit_of_work(scene.url, who, reason="a test of rights") as unit:
            ACTS[permission](unit, where, code)
            _enough()
    except EnoughError:
        return True
    except RefusedError as error:
        return not isinstance(error.refusal, Denied)
    except NotFoundError:
        return None
    except BadInputError:
        return True


@pytest.fixture(scope="module")
def matrix(scene):
    """A second study with a site and a participant of its own; traces of refusals are another test's."""
    with unit_of_work(scene.url, scene.installer) as unit:
        study.create_study(unit, code=ELSEWHERE, protocol_id="E-1", title="Elsewhere")
    owner = Actor(id=new_id(), kind="staff", name="O", memberships=(Membership(ELSEWHERE, "owner"),))
    with unit_of_work(scene.url, owner) as unit:
        study.add_site(unit, study=ELSEWHERE, code="900", name="Nine hundred")
    facts = Facts(
        code="900-1", site="900", status="enrolled", enrolled_on=date(2026, 1, 5), arm_code="1", arm_label="Low"
    )
    with unit_of_work(scene.url, scene.service()) as unit:
        participants.ensure(unit, study=ELSEWHERE, facts=[facts])
    patch = pytest.MonkeyPatch()
    patch.setattr(refusals, "note", lambda *_, **__: None)
    yield scene
    patch.undo()


def code_at(site):
    return next(code for code in dashboard.codes(14) if code.startswith(site))


@pytest.mark.parametrize("permission", ACTS)
def test_the_act(matrix, permission):
    for role in STAFF:
        held = permission in ROLES[role]
        assert bool(let_in(matrix, actor(role), permission, HERE, code_at(SITE))) == held or (
            held and permission in OF_ONE and let_in(matrix, actor(role), permission, HERE, code_at(SITE)) is None
        ), (role, "own study")
        assert not let_in(matrix, actor(role), permission, ELSEWHERE, "900-1"), (role, "other study")
        if permission in OF_ONE or permission in STUDY_WIDE:
            assert not let_in(matrix, actor(role, site=SITE), permission, HERE, code_at(OTHER_SITE)), (
                role,
                "other site",
            )


def test_most_permissions_have_an_act_and_each_kind_of_two_people_its_own():
    assert set(ACTS) <= PERMISSIONS.keys()
    assert len(ACTS) >= 0.6 * len([one for one in PERMISSIONS if not one.startswith("self:")])
    assert {kind.permission for kind in KINDS.values()} <= ACTS.keys()


# -- PostgreSQL's rows ---------------------------------------------------------------------------------------------

ROWS = {
    "participant": "select s.code, i.code from app.participant p join app.study s on s.id = p.study_id join app.site i on i.id = p.site_id",
    "form": "select s.code, i.code from app.form_instance f join app.participant p on p.id = f.participant_id "
    "join app.study s on s.id = f.study_id join app.site i on i.id = p.site_id",
    "question": "select s.code, i.code from app.discrepancy d join app.participant p on p.id = d.participant_id "
    "join app.study s on s.id = p.study_id join app.site i on i.id = p.site_id",
}
ARMS = "select s.code, i.code from app.participant_arm a join app.participant p on p.id = a.participant_id join app.study s on s.id = p.study_id join app.site i on i.id = p.site_id"


@pytest.mark.parametrize("role", STAFF)
def test_the_rows(matrix, role):
    for site in (None, SITE):
        who = actor(role, site=site)
        with reading(matrix.url, who) as session:
            for name, query in ROWS.items():
                found = {tuple(row) for row in session.execute(text(query))}
                assert {one for one, _ in found} == {HERE}, (role, name)
                sites = {one for _, one in found}
                assert sites == {SITE} if site else SITE in sites, (role, name)
            arms = {tuple(row) for row in session.execute(text(ARMS))}
        assert bool(arms) == (UNBLINDING in ROLES[role]), role
        assert {one for one, _ in arms} <= {HERE}


@pytest.mark.parametrize("role", sorted(SELF))
def test_participants_see_no_rows_of_others(matrix, role):
    with reading(matrix.url, actor(role)) as session:
        for query in (*ROWS.values(), ARMS):
            assert session.execute(text(query)).all() == []


def test_an_administrator_sees_no_rows_of_any_study(matrix):
    root = Actor(id=new_id(), kind="staff", name="Root", is_administrator=True)
    with reading(matrix.url, root) as session:
        for query in (*ROWS.values(), ARMS):
            assert session.execute(text(query)).all() == []


# -- the page's address --------------------------------------------------------------------------------------------


def address(page, where):
    filled = page.path.replace("{study}", where).replace("{subject}", code_at(SITE))
    return "/".join("x" if part.startswith("{") else part for part in filled.split("/"))


@pytest.mark.parametrize("who", [name for name, one in dashboard.PEOPLE.items() if one[2] is None])
def test_the_pages(matrix, base, who):
    role, cookie = dashboard.PEOPLE[who][1], {"cookie": f"metricis_session={matrix.token(who)}"}
    with httpx.Client(base_url=base, headers=cookie) as client:
        for page in PAGES.all():
            # a page's websocket address, asked for without a websocket: 400 when the door lets through, else its refusal
            held = not page.permission or page.permission in ROLES[role]
            assert client.get(address(page, HERE) + "/ws").status_code == (400 if held else 403), (role, page.path)
            if "{study}" in page.path:
                assert client.get(address(page, ELSEWHERE) + "/ws").status_code == 403, (role, page.path)


def test_every_role_of_staff_has_somebody_who_opens_pages():
    assert {one[1] for one in dashboard.PEOPLE.values() if one[2] is None} == set(STAFF)
