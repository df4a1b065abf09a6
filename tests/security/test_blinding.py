"""Whoever is blinded meets no arm: arms and blinded values are marked, and every page, frame, file, error and ledger view is
read through as every blinded role. The same crawl as somebody who may see them finds them, so it can fail."""

import json
import logging
import re
from datetime import date
from uuid import uuid4

import duckdb
import httpx
import polars as pl
import psycopg
import pytest
from sqlalchemy import text
from websockets.sync.client import connect

import metricis as mx
from apps.shell.pages import PAGES
from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.access.rights import may
from datamodel.approvals import actions as approvals
from datamodel.discrepancies import actions as discrepancies
from datamodel.discrepancies import reads as questions
from datamodel.discrepancies.life import Question
from datamodel.kernel.database import engine_for
from datamodel.kernel.errors import MetricisError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, unit_of_work
from datamodel.migrations.roles import Roles
from datamodel.participants import actions as participants
from datamodel.participants import reads as participant_reads
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.reveals import actions as reveals
from datamodel.signatures.actions import Proof
from datamodel.trail import reads as trail
from datamodel.trail.reads import ChangeFilter, EventFilter
from exports.marts.snapshot import take_snapshot
from tests.conftest import _PASSWORD
from tests.support import dashboard
from tests.support.web import running

MARK = "ZQXCANARY"
HOME = f"/app/{dashboard.STUDY}"
BLINDED = [name for name, one in dashboard.PEOPLE.items() if one[1] != "pharmacist"]
SUBJECTS = 14


@pytest.fixture(scope="module")
def marked(cluster, template, tmp_path_factory):
    """The dashboard's study, with a mark in every arm and in every blinded value, old and new, and a snapshot of it."""
    name, home = f"t_{uuid4().hex[:12]}", tmp_path_factory.mktemp("home")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
    url = cluster.url(name, role=Roles().app, password=_PASSWORD)
    patch = pytest.MonkeyPatch()
    patch.setenv("METRICIS_DATABASE_URL", url)
    patch.setenv("METRICIS_SEALER_URL", cluster.url(name, role=Roles().sealer, password=_PASSWORD))
    patch.setenv("METRICIS_HOME", str(home))
    settings.cache_clear()
    scene = dashboard.build(url, subjects=SUBJECTS)
    people = dashboard.codes(SUBJECTS)
    service = scene.service()
    with unit_of_work(url, service) as unit:
        participants.ensure(
            unit,
            study=dashboard.STUDY,
            facts=[
                Facts(
                    code=code,
                    site=code[:3],
                    status="enrolled",
                    enrolled_on=date(2026, 1, 5),
                    anchor_on=date(2026, 1, 7),
                    arm_code=f"{MARK}{n % 3}",
                    arm_label=f"{MARK} arm {n % 3}",
                )
                for n, code in enumerate(people)
            ],
        )
    for turn in ("first", "second", ""):  # written, changed, and emptied again for some
        rows = [
            (
                code,
                "visit_0_arm_1",
                0,
                0,
                "complete",
                dashboard._values("dm", n, 0, arm_planned=f"{MARK} {turn}" if turn or n % 2 else ""),
            )
            for n, code in enumerate(people)
        ]
        with unit_of_work(url, service) as unit:
            records.revise_batch(unit, study=dashboard.STUDY, form="dm", rows=rows)
    asked = [
        Question(
            record=people[0],
            event_name="visit_0_arm_1",
            event_repeat=0,
            form_repeat=0,
            form_name="dm",
            field="arm_planned",
            value=f"{MARK} asked",
            rule="SRC-TYPE",
            reason=f"“{MARK} asked” is not an arm.",
        )
    ]
    with unit_of_work(url, service) as unit:
        discrepancies.raise_batch(
            unit, study=dashboard.STUDY, form="dm", records=people, rules=["SRC-TYPE"], questions=asked
        )
    scene.accounts["shown"] = [emergency(scene, people[0]), decided(scene, people[0])]
    take_snapshot(url, study=dashboard.STUDY, folder=settings().marts_folder, actor=service)
    yield scene
    patch.undo()
    settings.cache_clear()
    engine_for(url).dispose()


def shown(scene, one):
    with unit_of_work(scene.url, scene.actor("investigator")) as unit:
        return reveals.show(unit, study=dashboard.STUDY, reveal_id=one.id)


def proof(scene):
    return Proof(
        token=scene.token("investigator"), password=dashboard.PASSWORD, sign_in_name="investigator@demo.example"
    )


def emergency(scene, code):
    """Let the investigator see one arm in an emergency; it stands in every crawl of this file."""
    with unit_of_work(scene.url, scene.actor("investigator"), reason="a seizure") as unit:
        one = reveals.reveal(unit, study=dashboard.STUDY, code=code, category="treatment", proof=proof(scene))
    return shown(scene, one)


def decided(scene, code):
    """Let the investigator see it again, as two people decided."""
    with unit_of_work(scene.url, scene.actor("investigator"), reason="a report") as unit:
        number = reveals.propose(unit, study=dashboard.STUDY, code=code)
    with unit_of_work(scene.url, scene.actor("safety"), reason="agreed") as unit:
        approvals.approve(unit, number)
    with unit_of_work(scene.url, scene.actor("investigator")) as unit:
        one = reveals.reveal_approved(unit, study=dashboard.STUDY, code=code, approval_id=number, proof=proof(scene))
    return shown(scene, one)


@pytest.fixture(scope="module")
def site(marked):
    from apps.web import create_app

    with running(create_app()) as address:
        yield address


def addresses():
    code = dashboard.codes(SUBJECTS)[0]
    for page in PAGES.all():
        filled = page.path.replace("{study}", dashboard.STUDY).replace("{subject}", code)
        yield filled.replace("{event}", "screening-1").replace("{form}", "demographics")
    yield f"{HOME}/questions?state=all"
    yield f"{HOME}/questions?state=closed"
    yield f"{HOME}/participants?rows=100"
    yield f"{HOME}/search?q=demographics"
    yield f"{HOME}/search?q=planned"
    yield f"{HOME}/participants/nobody"
    yield f"{HOME}/participants/{code}/screening-1/nothing"
    yield f"{HOME}/audit?kind=records"
    yield f"{HOME}/audit?view=changes"


def document(site, cookie, path, html):
    """Return the page's whole document as its websocket sends it."""
    found = re.search(r'"token":\s*"([^"]+)"', html)
    if not found:
        return ""
    address = f"{site.replace('http', 'ws')}{path.split('?')[0]}/ws"
    headers = {"cookie": f"metricis_session={cookie}"}
    with connect(
        address, origin=site, subprotocols=["bokeh", found.group(1)], additional_headers=headers, max_size=None
    ) as socket:
        for part in (json.dumps({"msgid": "1", "msgtype": "PULL-DOC-REQ"}), "{}", "{}"):
            socket.send(part)
        told = [""]
        while "PULL-DOC-REPLY" not in told[-1]:
            told.append(str(socket.recv(timeout=30)))
        return "".join([*told, *(str(socket.recv(timeout=30)) for _ in range(2))])


def crawl(site, scene, who):
    """Return {address: everything that it answers} for one person, and how many answers were read."""
    cookie, found, count = scene.token(who), {}, 0
    with httpx.Client(base_url=site, headers={"cookie": f"metricis_session={cookie}"}, timeout=60) as client:
        for path in addresses():
            answer = client.get(path)
            parts = [
                answer.text,
                str(answer.headers),
                *(client.get(path.split("?")[0] + more).text for more in ("/metadata", "/ws")),
            ]
            parts.append(document(site, cookie, path, answer.text))
            found[path] = "\n".join(parts)
            count += len(parts) + 1
    return found, count


@pytest.mark.parametrize("who", BLINDED)
def test_no_page_shows_a_mark_to_whoever_is_blinded(site, marked, who, caplog):
    with caplog.at_level(logging.INFO):
        found, count = crawl(site, marked, who)
    assert [path for path, told in found.items() if MARK in told] == []
    assert count > 60
    assert max(len(told) for told in found.values()) > 20_000  # whole documents were read, not shells
    assert MARK not in caplog.text


def test_a_revealed_arm_was_shown_to_one_person_and_its_mark_tells_everybody_that_and_no_more(site, marked):
    assert [MARK in one.label for one in marked.accounts["shown"]] == [True, True]
    path = f"{HOME}/participants/{dashboard.codes(SUBJECTS)[0]}"
    for who in ("coordinator", "investigator", "safety"):
        cookie = marked.token(who)
        with httpx.Client(base_url=site, headers={"cookie": f"metricis_session={cookie}"}, timeout=60) as client:
            told = document(site, cookie, path, client.get(path).text)
        assert "Arm revealed (emergency)" in told
        assert "Arm revealed (decided by two people)" in told
        assert MARK not in told
        with reading(marked.url, marked.actor(who)) as session:
            assert session.execute(text("select count(*) from app.participant_arm")).scalar_one() == 0


def reach(frames, told):
    for one in frames:
        told.append(one.write_csv() if isinstance(one, pl.DataFrame) else str(one))


def notebook(scene, who, home):
    """Return everything that a notebook gives this person."""
    actor = scene.actor(who)
    with unit_of_work(scene.url, actor, reason="a notebook") as unit:
        token = access.make_token(unit, account_id=actor.id, purpose="crawl", days=1, study=dashboard.STUDY)
    (home / "notebook.token").write_text(token + "\n")
    study, told = mx.open_study(dashboard.STUDY), []
    for form in (
        study.forms()["form"].to_list() if "form" in study.forms().columns else [one.name for one in dashboard.FORMS]
    ):
        try:
            told.append(json.dumps(study.form(form).rows(), default=str))
        except MetricisError as error:
            told.append(str(error))
    for frame in (
        study.participants,
        study.visits,
        study.status,
        study.events,
        study.queries,
        study.codebook,
        study.audit,
        study.history,
    ):
        try:
            made = frame()
            told.append(json.dumps(made.rows(), default=str) + str(made.columns))
        except MetricisError as error:
            told.append(str(error))
    told += [repr(study), study._repr_html_(), study.source_line]
    return "\n".join(told)


@pytest.mark.parametrize("who", ["manager", "investigator", "owner"])
def test_no_frame_shows_a_mark_to_whoever_is_blinded(marked, who):
    told = notebook(marked, who, settings().home)
    assert MARK not in told
    assert len(told) > 10_000


@pytest.mark.parametrize("who", BLINDED)
def test_no_view_of_the_ledger_shows_a_mark_to_whoever_is_blinded(marked, who):
    actor = marked.actor(who)
    told = []
    with reading(marked.url, actor) as session:
        if may(actor, "study:audit:read", study=dashboard.STUDY):
            told.append(str(trail.events(session, actor, study=dashboard.STUDY, asked=EventFilter(), limit=5000)))
        if may(actor, "study:audit:read", study=dashboard.STUDY) and may(
            actor, "study:records:read", study=dashboard.STUDY
        ):
            told.append(
                str(trail.changes(session, actor, study=dashboard.STUDY, asked=ChangeFilter(first=True), limit=50_000))
            )
    assert told
    assert MARK not in "".join(told)


@pytest.mark.parametrize("who", ["coordinator", "manager", "investigator"])
def test_a_question_about_a_blinded_value_does_not_tell_it_nor_is_it_found_by_it(marked, who):
    seer = marked.actor(who)
    with reading(marked.url, seer) as session:
        every = questions.discrepancies(session, seer, study=dashboard.STUDY)
        about = next(one for one in every if one.field == "arm_planned")
        told = str(questions.thread(session, seer, study=dashboard.STUDY, discrepancy_id=about.id))
        found = questions.discrepancies(session, seer, study=dashboard.STUDY, search=MARK)
    assert MARK not in str(every) + told
    assert "blinded" in about.reason
    assert found == []


def tables(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [row[0] for row in connection.execute("select table_name from information_schema.tables").fetchall()]
        return "\n".join(str(connection.execute(f'select * from "{name}"').fetchall()) for name in names)


def test_no_file_for_the_blinded_holds_a_mark_and_that_for_the_unblinded_does(marked):
    files = sorted(settings().marts_folder.rglob("*.duckdb"))
    blinded = [path for path in files if "unblinded" not in path.name]
    unblinded = [path for path in files if "unblinded" in path.name]
    assert blinded
    assert unblinded
    for path in blinded:
        assert MARK not in tables(path), path.name
        assert MARK.encode() not in path.read_bytes(), path.name
    assert any(MARK in tables(path) for path in unblinded)


def test_whoever_may_see_arms_finds_the_marks_by_the_same_ways(marked):
    pharmacist = marked.actor("pharmacist")
    with reading(marked.url, pharmacist) as session:
        assert MARK in str(participant_reads.arms(session, pharmacist, study=dashboard.STUDY))
    with unit_of_work(marked.url, marked.installer, reason="set-up") as unit:
        account_id = access.create_account(unit, kind="staff", name="Uma Open", sign_in_name="uma@demo.example")
        access.grant(unit, account_id=account_id, study=dashboard.STUDY, role="data_manager", is_unblinded=True)
    marked.accounts["unblinded"] = account_id
    with unit_of_work(marked.url, KNOCKING) as unit:
        assert access.start_session(unit, account_id, kind="staff", how="password")
    assert MARK in notebook(marked, "unblinded", settings().home)


def test_a_page_shows_the_marks_to_whoever_may_see_them(site, marked):
    assert "unblinded" in marked.accounts, "the test before this one makes them"
    found, _ = crawl(site, marked, "unblinded")
    assert [path for path, told in found.items() if MARK in told] != []
