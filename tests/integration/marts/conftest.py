"""A small trial, written through the rooms' own actions: four repeat shapes, two arms, missing codes, blinded fields."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.connections.mapping import Mapping, Place
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.records.content import canonical_values
from datamodel.study import actions as study
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol
from exports.marts import source
from exports.marts.snapshot import take_snapshot

STUDY = "small"
#: words that no blinded file may hold
ARMS = {"1": "Zephyrine", "2": "Quandolex"}
DAY_1 = date(2026, 1, 5)
SEX = (Choice("1", "Woman"), Choice("2", "Man"), Choice("9", "Other"))

PROTOCOL = Protocol(
    record_field="record_id",
    arms=(Choice("1", "Everybody"),),
    missing_codes=(Choice("-77", "Refused"), Choice("-99", "Not done")),
    events=(
        Event("base_arm_1", "Baseline", "1", 1, 0, 0, 0, ("about", "vitals", "drug")),
        Event("week_2_arm_1", "Week 2", "1", 2, 14, 3, 3, ("vitals", "scores")),
        Event("week_4_arm_1", "Week 4", "1", 3, 28, 3, 3, ("vitals", "scores"), repeating_forms=("scores",)),
        Event("call_arm_1", "Call", "1", 4, None, 0, 0, ("phone",), is_repeating=True),
        Event("log_arm_1", "Log", "1", 5, None, 0, 0, ("events",), repeating_forms=("events",)),
    ),
    forms=(
        Form(
            "about",
            "About the participant",
            (
                Field("record_id", "Participant", "text"),
                Field("site_id", "Site", "choice", choices=(Choice("A", "Site A"), Choice("B", "Site B"))),
                Field("heading", "Please ask", "descriptive"),
                Field("name", "Name", "text", is_identifier=True),
                Field("sex", "Sex", "choice", choices=SEX),
                Field("age", "Age", "integer", unit="years", is_required=True),
                Field("is_smoker", "Smokes?", "yesno"),
                Field("cigarettes", "Cigarettes a day", "integer", branching="[is_smoker] = '1'"),
                Field("illness", "Illnesses", "checkbox", choices=(Choice("1", "Asthma"), Choice("-2", "Gout"))),
            ),
        ),
        Form(
            "vitals",
            "Vital signs",
            (
                Field("visit_date", "Date of visit", "date", validation="date_ymd"),
                Field("sbp", "Systolic pressure", "integer", unit="mmHg"),
                Field("weight", "Weight", "number", unit="kg", validation="number_comma_decimal"),
                Field("measured", "Measured at", "datetime"),
                Field("at", "Time", "time"),
            ),
        ),
        Form("drug", "Drug given", (Field("arm", "Drug", "choice", choices=(Choice("1", "Z"),), is_blinded=True),)),
        Form("scores", "Scores", (Field("total", "Total", "calc"),)),
        Form("phone", "Telephone", (Field("said", "What was said", "notes"),)),
        Form(
            "events",
            "Adverse events",
            (
                Field("term", "Event", "text"),
                Field("started", "Started", "text", validation="date_partial"),
            ),
        ),
    ),
)
MAPPING = Mapping(
    arm=Place("drug", "arm"), visit_date=Place("vitals", "visit_date"), anchor_on=Place("vitals", "visit_date")
)


@dataclass
class Trial:
    """The small trial: where it is, who acts, and how to write to it."""

    url: str
    folder: Path
    service: Actor
    installer: Actor

    def revise(self, form, *rows, complete_for=()):
        """Write (subject, event, event_repeat, form_repeat, status, values) rows."""
        ready = [(*row[:5], canonical_values(row[5])) for row in rows]
        with unit_of_work(self.url, self.service) as unit:
            return records.revise_batch(unit, study=STUDY, form=form, rows=ready, complete_for=complete_for)

    def take(self, **more):
        return take_snapshot(self.url, study=STUDY, folder=self.folder, actor=self.service, **more)

    def source(self):
        with unit_of_work(self.url, self.service) as unit:
            from datamodel.study import reads

            return source.as_of(self.url, actor=self.service, study_id=reads.study(unit.session, STUDY).id)

    def person(self, role, *, site=None, is_unblinded=False):
        """Make a member of staff; return a notebook token."""
        with unit_of_work(self.url, self.installer) as unit:
            account = access.create_account(unit, kind="staff", name=f"{role} {new_id()}")
            access.grant(unit, account_id=account, study=STUDY, role=role, site=site, is_unblinded=is_unblinded)
            return access.make_token(unit, account_id=account, purpose="test", days=1)


def facts():
    return [
        Facts(
            code=f"S-{number}",
            site="A" if number % 2 else "B",
            status="withdrawn" if number == 4 else "enrolled",
            status_on=DAY_1 + timedelta(days=20) if number == 4 else DAY_1,
            enrolled_on=DAY_1,
            anchor_on=DAY_1,
            arm_code=arm,
            arm_label=ARMS[arm],
        )
        for number, arm in [(1, "1"), (2, "2"), (3, "1"), (4, "2")]
    ]


def fill(trial: Trial) -> None:
    people = [one.code for one in facts()]
    about = {"sex": "1", "age": "61", "is_smoker": "0", "illness___1": "1", "illness____2": "0", "site_id": "A"}
    trial.revise(
        "about",
        *[(who, "base_arm_1", 0, 0, "complete", about | {"age": str(60 + n)}) for n, who in enumerate(people[:3])],
        ("S-4", "base_arm_1", 0, 0, "in_progress", {"sex": "9", "age": "-77", "name": "Wilhelmina"}),
    )
    vitals = {"sbp": "120", "weight": "70,5", "at": "08:30"}
    for week, event in [(0, "base_arm_1"), (2, "week_2_arm_1")]:
        day = (DAY_1 + timedelta(days=7 * week)).isoformat()
        trial.revise(
            "vitals",
            *[
                (who, event, 0, 0, "complete", vitals | {"visit_date": day, "measured": f"{day} 08:31"})
                for who in people
            ],
        )
    trial.revise("drug", *[(one.code, "base_arm_1", 0, 0, "complete", {"arm": one.arm_code}) for one in facts()])
    trial.revise(
        "scores",
        ("S-1", "week_2_arm_1", 0, 0, "complete", {"total": "1.5"}),
        ("S-1", "week_4_arm_1", 0, 1, "complete", {"total": "2.5"}),
        ("S-1", "week_4_arm_1", 0, 2, "in_progress", {"total": "3"}),
    )
    trial.revise(
        "phone",
        ("S-1", "call_arm_1", 1, 0, "complete", {"said": "All well"}),
        ("S-1", "call_arm_1", 2, 0, "complete", {"said": "Tired"}),
    )
    trial.revise(
        "events",
        ("S-2", "log_arm_1", 0, 1, "complete", {"term": "Headache", "started": "2026-01"}),
        ("S-2", "log_arm_1", 0, 2, "complete", {"term": "Cough", "started": "2026-01-09"}),
        ("S-2", "log_arm_1", 0, 3, "complete", {"term": "Fall", "started": "-99"}),
    )


@pytest.fixture
def empty_trial(home, database_url, tmp_path) -> Trial:
    """The study with its design and participants, without records."""
    first = Actor(id=new_id(), kind="machine", name="Metricis installer")
    with unit_of_work(database_url, first) as unit:
        access.install(unit)
    with unit_of_work(database_url, KNOCKING) as unit:
        installer = access_reads.installer_actor(unit.session)
    with unit_of_work(database_url, installer) as unit:
        study.create_study(unit, code=STUDY, protocol_id="SMALL-1", title="A small trial", time_zone="Europe/Paris")
    with unit_of_work(database_url, KNOCKING) as unit:
        service = access_reads.service_actor(unit.session)
    with unit_of_work(database_url, service) as unit:
        study.publish_design(unit, study=STUDY, protocol=PROTOCOL)
    with unit_of_work(database_url, service) as unit:
        for code in ("A", "B"):
            study.add_site(unit, study=STUDY, code=code, name=f"Site {code}")
    connect(database_url, installer)
    with unit_of_work(database_url, service) as unit:
        participants.ensure(unit, study=STUDY, facts=facts())
    return Trial(database_url, tmp_path / "marts", service, installer)


def connect(url, installer):
    from datamodel.connections import actions

    with unit_of_work(url, installer) as unit:
        account = access.create_account(unit, kind="staff", name="Owner")
        access.grant(unit, account_id=account, study=STUDY, role="owner")
    with unit_of_work(url, KNOCKING) as unit:
        manager = access_reads.actor(unit.session, account)
    with unit_of_work(url, manager) as unit:
        actions.connect(
            unit,
            study=STUDY,
            api_url="http://127.0.0.1:9/api/",
            token="F" * 32,
            mapping=MAPPING,
            server_time_zone="UTC",
        )


@pytest.fixture
def trial(empty_trial) -> Trial:
    """The study with its records."""
    fill(empty_trial)
    return empty_trial
