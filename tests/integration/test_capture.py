"""What arrives is kept once, sealed, and filed by the drain with its ledger entries."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
import psycopg
import pytest
from sqlalchemy import text

from datamodel.assessments import reads as assessments
from datamodel.audit import ledger
from datamodel.audit.verify import verify
from datamodel.consent import actions as consent_actions
from datamodel.consent import reads as consent
from datamodel.intake import actions as inbox
from datamodel.intake import reads as intake
from datamodel.kernel.errors import BadInputError, NotFoundError, Refused, RefusedError
from datamodel.kernel.unit import sealing, unit_of_work
from datamodel.tasks import reads as tasks
from pipelines.intake.steps import drain
from tests.support.capture import STUDY, build

CODE = "701-1015"
NAME = "Eleonora Rigby-Whistlewood"


@pytest.fixture
def scene(database_url, home):
    return build(database_url)


def now():
    return datetime.now(UTC)


def version(scene, language="en"):
    with unit_of_work(scene.url, scene.service()) as unit:
        person = consent.who(unit.session, scene.people[CODE].id)
        return consent.version_in_force(unit.session, person.study_id, language=language, at=unit.instant)


def consent_event(scene, *, decision="agreed", at=None, **changes):
    shown = version(scene)
    event = {
        "decision": decision,
        "decided_at": (at or now()).isoformat(),
        "version": str(shown.id),
        "content_sha256": shown.content_sha256,
    }
    if decision == "agreed":
        event |= {"is_certified": True, "method": "typed", "typed_name": NAME}
    return event | changes


def trial(index, rt, phase="test"):
    return {
        "trial_index": index,
        "trial_type": "html-button-response",
        "time_elapsed": 1000.0 * (index + 1),
        "phase": phase,
        "rt": rt,
        "stimulus": "<p>go</p>",
    }


RTS = [300, 320, 140, 510, None]


def results(scene, *, session=None, trials=None, at=None, **changes):
    rows = [trial(index, rt) for index, rt in enumerate(RTS)] if trials is None else trials
    begun = at or now()
    return {
        "session": str(session or uuid4()),
        "assignment": str(scene.people[CODE].assignment),
        "task": "simple-reaction-time",
        "started_at": begun.isoformat(),
        "ended_at": (begun + timedelta(seconds=30)).isoformat(),
        "is_simulated": False,
        "outcome": "complete",
        "trials_expected": len(RTS),
        "device": {"input": "touch", "width": 390},
        "interactions": [{"event": "blur", "trial": 2, "time": 4000}],
        "trials": rows,
    } | changes


def send(scene, kind, body, *, key=None, code=CODE):
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    with unit_of_work(scene.url, scene.actor(code)) as unit:
        return inbox.accept(unit, study=STUDY, kind=kind, key=key or str(uuid4()), body=raw)


def sign(scene, **changes):
    receipt = send(scene, "consent", consent_event(scene, **changes))
    drain(scene.url)
    return receipt


def rows(scene, statement):
    with unit_of_work(scene.url, scene.service()) as unit:
        return unit.session.execute(text(statement)).all()


def outcome(scene, receipt, code=CODE):
    with unit_of_work(scene.url, scene.service()) as unit:
        return intake.receipt(unit.session, receipt.number, sender=scene.actor(code))


def test_consent_then_results_are_filed_and_scored(scene):
    sign(scene)
    receipt = send(scene, "jspsych", results(scene))
    assert drain(scene.url).processed == 1
    with unit_of_work(scene.url, scene.service()) as unit:
        [found] = assessments.sessions(unit.session, participant_id=scene.people[CODE].id)
        scores = {name: one.value for name, one in assessments.scores(unit.session, found.id).items()}
        assert [one["rt"] for one in assessments.trials(unit.session, found.id)] == RTS
    assert found.state == "scored"
    assert found.consent_version_id == version(scene).id
    assert found.receipt == receipt.number
    assert found.flags == ["focus-lost"]
    assert scores["n"] == 3
    assert scores["median_rt"] == 320
    assert scores["anticipations"] == 1
    assert scores["lapses"] == 1
    assert scores["accuracy"] == pytest.approx(0.6)


def test_every_step_is_one_ledger_event_and_the_ledger_verifies(scene):
    before = {row[0] for row in rows(scene, "select id from app.audit_event")}
    sign(scene)
    send(scene, "jspsych", results(scene))
    drain(scene.url)
    events = list(rows(scene, "select id, action, actor_name, change from app.audit_event order by seq"))
    fresh = [(row.action, row.actor_name) for row in events if row.id not in before]
    assert fresh == [
        ("intake.accept", CODE),
        ("consent.file_signature", "Metricis sync"),
        ("intake.settle", "Metricis sync"),
        ("intake.accept", CODE),
        ("assessments.file_session", "Metricis sync"),
        ("intake.settle", "Metricis sync"),
    ]
    assert all(row.change["new"]["by"] == CODE for row in events if ".file_" in row.action)
    with sealing(scene.url) as session:
        ledger.seal(session)
    with sealing(scene.url) as session:
        assert verify(session).is_ok


def test_the_name_is_nowhere_in_the_database_in_the_clear(scene, owner_url):
    sign(scene)
    with psycopg.connect(owner_url) as connection:
        tables = [row[0] for row in connection.execute("select tablename from pg_tables where schemaname = 'app'")]
        for table in tables:
            for (row,) in connection.execute(f"select t::text from app.{table} t"):
                assert "Whistlewood" not in row, table


def test_the_same_message_twice_is_one_envelope_with_one_receipt(scene):
    body, key = results(scene), str(uuid4())
    first, second = (send(scene, "jspsych", body, key=key) for _ in range(2))
    assert (second.number, second.is_repeat) == (first.number, True)
    assert rows(scene, "select count(*) from app.envelope")[0][0] == 1


@pytest.mark.parametrize("code", [CODE, "701-1023"])
def test_a_key_that_was_used_for_another_message_is_refused(scene, code):
    key = str(uuid4())
    send(scene, "jspsych", b"{}", key=key)
    with pytest.raises(RefusedError, match="already used") as refused:
        send(scene, "jspsych", b"{ }" if code == CODE else b"{}", key=key, code=code)
    assert refused.value.refusal.code == "key-reused"


def test_a_malformed_key_is_refused_with_the_rule(scene):
    with pytest.raises(BadInputError, match="8 to 128"):
        send(scene, "jspsych", b"{}", key="short")


def test_without_consent_results_are_refused_with_the_sentence_in_envelope_and_ledger(scene):
    receipt = send(scene, "jspsych", results(scene))
    assert drain(scene.url).refused == 1
    found = outcome(scene, receipt)
    assert (found.state, "consent" in found.outcome) == ("refused", True)
    [event] = rows(scene, "select change from app.audit_event where action = 'intake.settle'")
    assert event.change["new"]["outcome"] == found.outcome
    assert rows(scene, "select count(*) from app.assessment_session")[0][0] == 0


def test_results_from_before_the_signature_are_refused_and_from_before_a_withdrawal_are_kept(scene):
    early = now() - timedelta(minutes=1)
    sign(scene)
    send(scene, "jspsych", results(scene, at=early))
    during = now()
    assert drain(scene.url).refused == 1
    send(scene, "consent", {"decision": "withdrawn", "decided_at": now().isoformat()})
    assert drain(scene.url).processed == 1
    send(scene, "jspsych", results(scene, at=during))
    send(scene, "jspsych", results(scene, at=now()))
    summary = drain(scene.url)
    assert (summary.processed, summary.refused) == (1, 1)
    assert "withdrawn" in summary.trouble[0][1]


def test_a_decline_is_kept_and_may_be_followed_by_a_yes(scene):
    sign(scene, decision="declined")
    with unit_of_work(scene.url, scene.service()) as unit:
        assert consent.consent(unit.session, scene.people[CODE].id, at=now()).state == "declined"
        assert isinstance(consent.gate(unit.session, scene.people[CODE].id, at=now()), Refused)
    sign(scene)
    with unit_of_work(scene.url, scene.service()) as unit:
        assert consent.consent(unit.session, scene.people[CODE].id, at=now()).state == "signed"


def test_a_new_version_closes_the_gate_until_it_is_signed(scene):
    sign(scene)
    with unit_of_work(scene.url, scene.owner) as unit:
        consent_actions.publish(
            unit,
            study=STUDY,
            version="2.0",
            language="en",
            title="New",
            sections=[{"heading": "A", "paragraphs": ["b"]}],
        )
    with unit_of_work(scene.url, scene.service()) as unit:
        answer = consent.gate(unit.session, scene.people[CODE].id, at=now())
    assert answer.code == "consent-outdated"
    sign(scene)
    with unit_of_work(scene.url, scene.service()) as unit:
        assert consent.gate(unit.session, scene.people[CODE].id, at=now())
        states = consent.consents(unit.session, consent.who(unit.session, scene.people[CODE].id).study_id, at=now())
    assert {one.state for one in states.values()} == {"signed", "needed"}


def test_a_published_version_is_never_changed(scene):
    with pytest.raises(BadInputError, match="never changed"), unit_of_work(scene.url, scene.owner) as unit:
        consent_actions.publish(
            unit, study=STUDY, version="1.0", language="en", title="X", sections=[{"heading": "A", "paragraphs": ["b"]}]
        )


def test_a_text_that_was_not_shown_cannot_be_signed(scene):
    receipt = sign(scene, content_sha256="0" * 64)
    assert "not the text" in outcome(scene, receipt).outcome


def test_a_language_without_text_says_so(scene):
    with pytest.raises(NotFoundError, match="not available in your language"):
        version(scene, "de")


def test_parts_in_any_order_and_twice_make_one_whole_session(scene):
    sign(scene)
    session, begun = uuid4(), now()
    every = [trial(index, rt) for index, rt in enumerate(RTS)]
    last = results(scene, session=session, trials=every[3:], at=begun)
    first = results(
        scene, session=session, trials=every[:3], at=begun, outcome=None, trials_expected=None, ended_at=None
    )
    states = []
    for body in (last, first, first, last):
        send(scene, "jspsych", body)
        drain(scene.url)
        with unit_of_work(scene.url, scene.service()) as unit:
            [found] = assessments.sessions(unit.session, participant_id=scene.people[CODE].id)
            states.append((found.state, len(assessments.trials(unit.session, found.id))))
    assert states == [("partial", 2), ("scored", 5), ("scored", 5), ("scored", 5)]


def test_other_content_for_a_trial_that_is_there_is_refused_and_the_first_stays(scene):
    sign(scene)
    session = uuid4()
    send(scene, "jspsych", results(scene, session=session))
    send(scene, "jspsych", results(scene, session=session, trials=[trial(0, 999)]))
    summary = drain(scene.url)
    assert (summary.processed, summary.refused) == (1, 1)
    assert rows(scene, "select data->>'rt' from app.assessment_trial where trial_index = 0")[0][0] == "300"


def test_nobody_files_for_somebody_else_s_task(scene):
    sign(scene)
    body = results(scene, assignment=str(scene.people["701-1023"].assignment))
    receipt = send(scene, "jspsych", body)
    drain(scene.url)
    assert "no such task of yours" in outcome(scene, receipt).outcome


def test_one_bad_envelope_holds_up_nothing_and_names_no_value(scene):
    sign(scene)
    bad = send(scene, "jspsych", b'{"session": "Whistlewood"')
    wrong = send(scene, "jspsych", results(scene, trials=[{"trial_index": "Whistlewood"}]))
    send(scene, "jspsych", results(scene))
    summary = drain(scene.url)
    assert (summary.processed, summary.refused) == (1, 2)
    assert "not JSON" in outcome(scene, bad).outcome
    assert "Whistlewood" not in outcome(scene, wrong).outcome
    assert drain(scene.url).total == 0


def test_what_fails_is_kept_and_tried_again(scene, server_url, monkeypatch):
    from datamodel.kernel.errors import FaultError
    from pipelines.intake import steps

    def broken(unit, opened):
        raise FaultError("The store is being repaired.")

    receipt = send(scene, "consent", consent_event(scene))
    with monkeypatch.context() as patch:
        patch.setitem(steps._FILERS, "consent", broken)
        assert drain(scene.url).failed == 1
    found = outcome(scene, receipt)
    assert (found.state, found.tries, found.outcome) == ("failed", 1, "The store is being repaired.")
    assert drain(scene.url).total == 0, "the pause of a minute is not over"
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update app.envelope set done_at = done_at - interval '61 seconds'")
    assert drain(scene.url).processed == 1


def test_results_wait_for_a_consent_that_arrived_before_them(scene, server_url):
    held = send(scene, "consent", consent_event(scene))
    later = send(scene, "jspsych", results(scene))
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update app.envelope set state = 'failed', tries = 5, done_at = now() where receipt = %s", [held.number]
        )
    assert drain(scene.url).failed == 1
    assert f"receipt {held.number}" in outcome(scene, later).outcome


def test_simulated_results_are_refused_in_production(scene, monkeypatch):
    import base64

    from datamodel.kernel.settings import settings

    sign(scene)
    send(scene, "jspsych", results(scene, is_simulated=True))
    key = (settings().home / "root.key").read_bytes()
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    monkeypatch.setenv("METRICIS_ROOT_KEY", base64.b64encode(base64.b64decode(key)).decode())
    settings.cache_clear()
    assert "simulated" in drain(scene.url).trouble[0][1]


def test_only_receipts_of_one_s_own_can_be_asked_for(scene):
    receipt = send(scene, "jspsych", results(scene))
    with pytest.raises(NotFoundError):
        outcome(scene, receipt, code="701-1023")


def test_staff_may_not_send_results(scene):
    with pytest.raises(RefusedError, match="may not"), unit_of_work(scene.url, scene.owner) as unit:
        inbox.accept(unit, study=STUDY, kind="jspsych", key=str(uuid4()), body=b"{}")


@pytest.mark.parametrize(
    ("events", "state"), [((), "blocked"), (("agreed",), "to_do"), (("agreed", "results"), "done")]
)
def test_the_queue_tells_consent_and_tasks_in_words(scene, events, state):
    for event in events:
        if event == "results":
            send(scene, "jspsych", results(scene))
        else:
            sign(scene, decision=event)
    drain(scene.url)
    with unit_of_work(scene.url, scene.service()) as unit:
        consent_card, task = tasks.queue(unit.session, scene.actor(CODE), at=unit.instant)
    assert consent_card.kind == "consent"
    assert task.state == state
    assert (task.blocked is not None) == (state == "blocked")


def test_a_study_without_digital_consent_is_open(database_url, home):
    scene = build(database_url, consent_mode="external")
    send(scene, "jspsych", results(scene))
    assert drain(scene.url).processed == 1


def test_what_waits_in_a_study_that_is_closed_is_settled_and_holds_up_nothing(scene, server_url):
    """Results that came too late are refused with the sentence; a withdrawal behind them is filed."""
    sign(scene)
    late = send(scene, "jspsych", results(scene))
    goes = send(scene, "consent", consent_event(scene, decision="withdrawn"))
    with psycopg.connect(server_url) as server:
        server.execute("set session_replication_role = replica")
        server.execute("update app.study set status = 'closed'")
    summary = drain(scene.url)
    assert (summary.processed, summary.refused, summary.failed) == (1, 1, 0)
    assert outcome(scene, late).state == "refused"
    assert "is closed" in outcome(scene, late).outcome
    assert outcome(scene, goes).state == "processed"
    assert rows(scene, "select count(*) from app.assessment_session")[0][0] == 0
    assert drain(scene.url).processed == 0


def test_many_at_once_with_one_key_are_one_envelope(scene):
    body, key = results(scene), str(uuid4())
    with ThreadPoolExecutor(16) as pool:
        receipts = list(pool.map(lambda _: send(scene, "jspsych", body, key=key), range(48)))
    assert len({one.number for one in receipts}) == 1
    assert sum(not one.is_repeat for one in receipts) == 1
    assert rows(scene, "select count(*) from app.audit_event where action = 'intake.accept'")[0][0] == 1


def test_drains_at_once_file_everything_once(scene):
    sign(scene)
    for _ in range(20):
        send(scene, "jspsych", results(scene))
    with ThreadPoolExecutor(4) as pool:
        summaries = list(pool.map(lambda _: drain(scene.url), range(4)))
    drain(scene.url)
    assert sum(one.refused + one.failed for one in summaries) == 0
    assert rows(scene, "select state, count(*) from app.envelope group by 1") == [("processed", 21)]
    assert rows(scene, "select count(*) from app.assessment_session")[0][0] == 20
    assert rows(scene, "select count(*) from app.audit_event where action = 'assessments.file_session'")[0][0] == 20
