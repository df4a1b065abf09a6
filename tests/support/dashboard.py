"""A study as the dashboard shows it: sites, people, forms, questions, runs. All made through actions."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import orjson
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING, Actor
from datamodel.discrepancies import actions as discrepancies
from datamodel.discrepancies.life import Question
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.participants import actions as participants
from datamodel.participants.facts import Facts
from datamodel.records import actions as records
from datamodel.study import actions as study
from datamodel.study.protocol import Choice, Event, Field, Form, Protocol

STUDY = "cdiscpilot"
PASSWORD = "correct horse battery"
SITES = ("701", "702", "703", "704", "705", "708", "710")
YESNO = (Choice("1", "Yes"), Choice("0", "No"))
SEX = (Choice("F", "Female"), Choice("M", "Male"))

FORMS = (
    Form(
        "dm",
        "Demographics",
        (
            Field("birth_year", "Year of birth", "integer"),
            Field("sex", "Sex", "choice", choices=SEX),
            Field("dm_date", "Date of visit", "date", validation="date_ymd"),
            Field("arm_planned", "Planned arm", "text", is_blinded=True),
        ),
    ),
    Form(
        "mh",
        "Medical history",
        (Field("mh_term", "Condition", "text"), Field("mh_ongoing", "Ongoing", "yesno", choices=YESNO)),
    ),
    Form(
        "vs",
        "Vital signs",
        (
            Field("vs_date", "Date of examination", "date", section="Examination"),
            Field("sysbp", "Systolic blood pressure", "number", unit="mmHg", section="Blood pressure"),
            Field("diabp", "Diastolic blood pressure", "number", unit="mmHg"),
            Field("pulse", "Pulse", "number", unit="beats/min"),
            Field("temp", "Temperature", "number", unit="°C"),
        ),
    ),
    Form(
        "lb",
        "Laboratory",
        (Field("lb_hgb", "Haemoglobin", "number", unit="g/dL"), Field("lb_note", "Comment", "notes")),
    ),
    Form("adas", "ADAS-Cog", (Field("adas_total", "Total score", "number"), Field("adas_by", "Rater", "text"))),
    Form("ex", "Exposure", (Field("ex_dose", "Dose", "number", unit="mg"),)),
    Form("npi", "Neuropsychiatric inventory", (Field("npi_total", "Total score", "number"),)),
    Form("dad", "Disability assessment for dementia", (Field("dad_total", "Total score", "number"),)),
    Form("cibic", "Clinician's interview-based impression", (Field("cibic_score", "Impression", "number"),)),
    Form("ae", "Adverse events", (Field("ae_term", "Event", "text"), Field("ae_start", "Start", "date"))),
    Form("cm", "Concomitant medication", (Field("cm_name", "Medication", "text"),)),
    Form("ds", "Disposition", (Field("ds_reason", "Reason for ending", "text"),)),
)
VISIT_FORMS = ("vs", "lb", "adas", "ex", "npi", "dad", "cibic")
VISITS = (
    ("Screening 1", -14),
    ("Screening 2", -1),
    ("Baseline", 1),
    ("Week 2", 14),
    ("Week 4", 28),
    ("Week 6", 42),
    ("Week 8", 56),
    ("Week 10 (telephone)", 70),
    ("Week 12", 84),
    ("Week 14 (telephone)", 98),
    ("Week 16", 112),
    ("Week 18 (telephone)", 126),
    ("Week 20", 140),
    ("Week 22 (telephone)", 154),
    ("Week 24", 168),
    ("Week 26", 182),
    ("Retrieval", 196),
    ("Follow-up 1", 210),
    ("Follow-up 2", 224),
    ("Follow-up 3", 238),
)


def protocol() -> Protocol:
    """Return a design with some 150 event-forms."""
    events = [
        Event(f"visit_{n}_arm_1", label, "1", n, day, 3, 3, ("dm", "mh", *VISIT_FORMS) if n == 0 else VISIT_FORMS)
        for n, (label, day) in enumerate(VISITS)
    ]
    logs = Event("logs_arm_1", "Throughout the study", "1", 99, None, 0, 0, ("ae", "cm", "ds"), ("ae", "cm"))
    return Protocol("record_id", (Choice("1", "All participants"),), (*events, logs), FORMS)


@dataclass(frozen=True)
class Scene:
    """The study with its people."""

    url: str
    installer: Actor
    accounts: dict[str, object]

    def actor(self, name: str) -> Actor:
        """Return one of the people as an actor."""
        with unit_of_work(self.url, KNOCKING) as unit:
            return access_reads.actor(unit.session, self.accounts[name])

    def token(self, name: str) -> str:
        """Return the cookie of a newly signed-in browser."""
        with unit_of_work(self.url, KNOCKING) as unit:
            return access.start_session(unit, self.accounts[name], kind="staff", how="link")

    def service(self) -> Actor:
        """Return the machine account of the flows."""
        with unit_of_work(self.url, KNOCKING) as unit:
            return access_reads.service_actor(unit.session)


PEOPLE = {
    "coordinator": ("Anna Berger", "coordinator", None),
    "statistician": ("Stefan Ott", "statistician", None),
    "manager": ("Mara Dahl", "data_manager", None),
    "site": ("Ilse Kern", "coordinator", "702"),
    "viewer": ("Vera Long", "viewer", None),
    "clerk": ("Dora Penn", "data_entry", None),
    "owner": ("Olga Reyes", "owner", None),
    "investigator": ("Ida Paul", "investigator", None),
    "monitor": ("Miro Vogt", "monitor", None),
    "safety": ("Sonja Falk", "safety_officer", None),
    "pharmacist": ("Per Holm", "pharmacist", None),
}


def build(url: str, *, subjects: int = 60, with_runs: bool = True) -> Scene:
    """Make the study with `subjects` participants."""
    first = Actor(id=new_id(), kind="machine", name=access_reads.INSTALLER_NAME)
    with unit_of_work(url, first) as unit:
        access.install(unit)
    with unit_of_work(url, first) as unit:
        installer = access_reads.installer_actor(unit.session)
    accounts = {}
    with unit_of_work(url, installer) as unit:
        study.create_study(
            unit,
            code=STUDY,
            protocol_id="CDISCPILOT01",
            planned_enrolment=300,
            time_zone="America/New_York",
            title="Safety and efficacy of xanomeline in mild to moderate Alzheimer's disease",
        )
        for name, (printed, role, site) in PEOPLE.items():
            accounts[name] = access.create_account(
                unit,
                kind="staff",
                name=printed,
                sign_in_name=f"{name}@demo.example",
                password=PASSWORD if name in {"coordinator", "viewer", "investigator", "manager"} else None,
            )
            access.grant(unit, account_id=accounts[name], study=STUDY, role=role, site=site)
    scene = Scene(url=url, installer=installer, accounts=accounts)
    manager, service = scene.actor("manager"), scene.service()
    for code in SITES:
        with unit_of_work(url, manager) as unit:
            study.add_site(unit, study=STUDY, code=code, name=f"Site {code}")
    with unit_of_work(url, manager) as unit:
        study.publish_design(unit, study=STUDY, protocol=protocol())
    _fill(scene, service, subjects)
    if with_runs:
        _runs(scene)
    return scene


def codes(subjects: int) -> list[str]:
    """Return the participants' codes."""
    return sorted(f"{SITES[n % len(SITES)]}-{1001 + n}" for n in range(subjects))


def _fill(scene: Scene, service: Actor, subjects: int) -> None:
    people = codes(subjects)
    statuses = ("enrolled", "enrolled", "completed", "withdrawn", "screened")
    facts = [
        Facts(
            code=code,
            site=code[:3],
            status=statuses[n % 5],
            enrolled_on=None if n % 5 == 4 else date(2026, 1, 5) + timedelta(days=n),
            anchor_on=None if n % 5 == 4 else date(2026, 1, 7) + timedelta(days=n),
            arm_code=str(n % 3),
            arm_label=("Placebo", "Low dose", "High dose")[n % 3],
        )
        for n, code in enumerate(people)
    ]
    with unit_of_work(scene.url, service) as unit:
        participants.ensure(unit, study=STUDY, facts=facts)
    design = protocol()
    for form in design.forms:
        with unit_of_work(scene.url, service) as unit:
            records.revise_batch(unit, study=STUDY, form=form.name, rows=_rows(design, form, people))
    with unit_of_work(scene.url, service) as unit:
        records.revise_batch(
            unit,
            study=STUDY,
            form="vs",
            rows=[(people[0], "visit_0_arm_1", 0, 0, "complete", _values("vs", 0, 0, sysbp="151"))],
        )
    asked = [
        Question(
            record=code,
            event_name="visit_3_arm_1",
            event_repeat=0,
            form_repeat=0,
            form_name="vs",
            field="sysbp",
            value="1O2",
            rule="SRC-TYPE",
            reason="“1O2” is not a number; correct it in REDCap.",
        )
        for code in people[: max(3, subjects // 12)]
    ]
    with unit_of_work(scene.url, service) as unit:
        discrepancies.raise_batch(unit, study=STUDY, form="vs", records=people, rules=["SRC-TYPE"], questions=asked)


def _rows(design: Protocol, form: Form, people: list[str]) -> list[tuple[str, str, int, int, str, str]]:
    rows = []
    for n, code in enumerate(people):
        reached = 2 if n % 5 == 4 else 20 - (n * 7) % 16
        for event in design.events:
            if form.name not in event.forms or (event.ordinal < 90 and event.ordinal >= reached):
                continue
            status = "in_progress" if event.ordinal == reached - 1 and n % 2 else "complete"
            repeats = range(1, 2 + n % 4) if form.name in event.repeating_forms else (0,)
            if form.name == "ds" and n % 5 < 2:
                continue
            rows += [(code, event.name, 0, r, status, _values(form.name, n, event.ordinal)) for r in repeats]
    return rows


def _values(form: str, n: int, visit: int, **given: str) -> str:
    made = {
        "dm": {"birth_year": str(1930 + n % 25), "sex": "FM"[n % 2], "dm_date": "2026-01-05", "arm_planned": "Placebo"},
        "mh": {"mh_term": "Hypertension", "mh_ongoing": "1"},
        "vs": {
            "vs_date": f"2026-0{1 + visit % 9}-1{n % 10}",
            "sysbp": str(118 + (n * 7 + visit * 3) % 40),
            "diabp": str(66 + n % 20),
            "pulse": str(60 + n % 25),
            "temp": "36.6",
        },
        "lb": {"lb_hgb": f"{12 + n % 4}.{visit % 10}", "lb_note": "<b>not bold</b>" if n == 0 else ""},
        "adas": {"adas_total": str(14 + (n + visit) % 30), "adas_by": "Rater 4"},
        "ex": {"ex_dose": "54"},
        "npi": {"npi_total": str(n % 40)},
        "dad": {"dad_total": str(60 + n % 30)},
        "cibic": {"cibic_score": str(1 + n % 7)},
        "ae": {"ae_term": "Application site pruritus", "ae_start": "2026-02-11"},
        "cm": {"cm_name": "Aspirin"},
        "ds": {"ds_reason": "Completed"},
    }[form]
    return orjson.dumps({k: v for k, v in (made | given).items() if v}, option=orjson.OPT_SORT_KEYS).decode()


def _runs(scene: Scene, *, failed: bool = False) -> None:
    """Connect the study and put runs as the sync leaves them."""
    from datamodel.connections import actions as connections
    from datamodel.connections.mapping import Mapping

    with unit_of_work(scene.url, scene.actor("owner")) as unit:
        connections.connect(unit, study=STUDY, api_url="http://127.0.0.1:9/api/", token="A" * 32, mapping=Mapping())
    for n in range(6):
        state, sentence = (
            (
                "failed",
                "REDCap answered with a web page instead of data; nothing was changed. Check the address, then sync again.",
            )
            if n == 3
            else ("succeeded", "All forms were read.")
        )
        add_run(scene, state=state, sentence=sentence, ago=timedelta(minutes=5 + 60 * (5 - n)))


def add_run(scene: Scene, *, state: str, sentence: str, ago: timedelta) -> None:
    """Put one run, as the sync leaves it."""
    at = datetime.now(UTC) - ago
    with unit_of_work(scene.url, scene.service()) as unit:
        connection = unit.session.execute(text("select id from app.redcap_connection")).scalar_one()
        unit.session.execute(
            text(
                "insert into app.sync_run (id, connection_id, state, asked_by, started_at, ended_at, rows_in, rows_accepted, "
                "rows_changed, findings, sentence, flow_run, pull_key, pull_started_at) values (:id, :c, :state, 'schedule', :at, :end, 83211, 83200, 412, 11, "
                ":sentence, '', '', :at)"
            ),
            {
                "id": new_id(),
                "c": connection,
                "state": state,
                "at": at,
                "end": None if state == "running" else at + timedelta(seconds=48),
                "sentence": sentence,
            },
        )
        if state == "succeeded":
            unit.session.execute(text("update app.redcap_connection set last_good_at = :at"), {"at": at})
