"""Fifty marked secrets and identifying values through every door; then none of them is anywhere it could be read.

Looked at: every row of every table, every file below the home folder (snapshots, workbooks, CSV, Parquet among them), every log line of whatever level, every answer over HTTP with
its headers and address, every refusal, and the reprs of what was passed around.
"""

import base64
import io
import logging
import re
import secrets
import zipfile
from contextlib import suppress

import duckdb
import httpx
import psycopg
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from apps.edge.app import create_edge
from apps.entrance.app import routes as entrance
from datamodel.access.actor import KNOCKING
from datamodel.checkpoints import bundle
from datamodel.checkpoints.heads import Record
from datamodel.connections import actions as connections
from datamodel.connections import reads as connection_reads
from datamodel.connections import runs
from datamodel.connections.mapping import Mapping
from datamodel.intake import actions as intake
from datamodel.kernel.errors import MetricisError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import reading, sealing, unit_of_work
from datamodel.participants import identity
from datamodel.vault.keyring import keyring
from datamodel.vault.keys import load_key, load_roots
from datamodel.vault.seal import Foreign, Place
from exports.extracts.make import Asked, make
from exports.marts.reader import open_snapshot
from metricis.local import keys
from pipelines.clients.redcap import Patience, RedcapClient
from pipelines.custody.steps import seal, verify_all
from pipelines.intake.steps import drain
from pipelines.marts.steps import snapshot
from tests.integration.test_edge import consent_body, send
from tests.integration.test_identity import member
from tests.support.capture import STUDY, build
from tests.support.web import running

CODE, OTHER = "701-1015", "701-1023"
NUMBER = 50


class Canaries:
    """Hands out marks that stand nowhere by chance, and finds them again, also in base64 and hexadecimal."""

    def __init__(self):
        self.marks = []

    def word(self, before="", after=""):
        mark = f"{before}Kanari{secrets.token_hex(6)}{after}"
        self.marks.append(mark)
        return mark

    def digits(self, number=12):
        mark = "7" + "".join(secrets.choice("0123456789") for _ in range(number - 1))
        self.marks.append(mark)
        return mark

    def hexadecimal(self):
        mark = secrets.token_hex(16).upper()
        self.marks.append(mark)
        return mark

    def kept(self, mark):
        self.marks.append(mark)
        return mark

    def found(self, text):
        """Return the marks in a text of any kind, as they are or encoded."""
        raw = text if isinstance(text, bytes) else str(text).encode("utf-8", "replace")
        low = raw.lower()
        return {mark for mark in self.marks for one in self._forms(mark) if one in low}

    @staticmethod
    def _forms(mark):
        plain = mark.encode().lower()
        # a stretch from the middle survives any alignment of base64
        coded = [base64.b64encode(b"\0" * shift + mark.encode())[4:-4].lower() for shift in range(3)]
        return [plain, plain.hex().encode(), *[one for one in coded if len(one) > 12]]


@pytest.fixture
def scene(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    monkeypatch.setenv("REDCAP_ENCRYPTION_KEY", Fernet.generate_key().decode())
    settings.cache_clear()
    yield build(database_url)
    settings.cache_clear()


class Heard:
    """Whatever was said to anybody."""

    def __init__(self):
        self.said = []

    def hear(self, *things):
        self.said += [str(one) for one in things] + [repr(one) for one in things]

    def answer(self, response):
        """Keep an answer: its body, its headers and the address it names, but not what its own cookie carries."""
        headers = [f"{name}: {value}" for name, value in response.headers.items() if name.lower() != "set-cookie"]
        self.hear(response.text, *headers, response.headers.get("location", ""))

    def refused(self, act, *arguments, **more):
        with suppress(Exception):
            self.hear(act(*arguments, **more))
            return
        try:
            act(*arguments, **more)
        except Exception as error:  # noqa: BLE001 - whatever is said in it counts
            self.hear(error, error.__cause__, error.__context__)


def through_actions(scene, canary, heard, owner_url):
    coordinator = member(scene, "coordinator")
    for code in (CODE, OTHER):
        values = {
            "name": canary.word("Anna "),
            "mail": canary.word(after="@patients.example"),
            "phone": "+" + canary.digits(),
        }
        with unit_of_work(scene.url, coordinator) as unit:
            identity.write(unit, study=STUDY, code=code, values=values)
            identity.write(
                unit,
                study=STUDY,
                code=code,
                values={"name": canary.word("Parent "), "mail": canary.word(after="@parents.example")},
                of=scene.people[code].account,
            )
        with unit_of_work(scene.url, coordinator) as unit:
            identity.read(unit, study=STUDY, code=code)
            identity.search(unit, study=STUDY, field="mail", value=values["mail"])
        for field, wrong in (
            ("mail", canary.word("no mail ")),
            ("phone", canary.word("no phone ")),
            ("birth_date", canary.word()),
            ("name", canary.word("bell\a")),
        ):
            heard.refused(identity.checked, field, wrong)
        heard.refused(identity.checked, canary.word("field"), "x")
    tokens = [canary.hexadecimal() for _ in range(3)]
    with unit_of_work(scene.url, scene.owner) as unit:
        for token in tokens[:2]:
            connections.connect(unit, study=STUDY, api_url="http://127.0.0.1:9/api/", token=token, mapping=Mapping())

    def connect(**changes):
        with unit_of_work(scene.url, scene.owner) as unit:
            right = {"api_url": "http://127.0.0.1:9/api/", "token": tokens[2], "mapping": Mapping()}
            connections.connect(unit, study=STUDY, **(right | changes))

    heard.refused(connect, token=canary.word("not a token "))
    heard.refused(connect, api_url=f"https://user:{canary.word()}@redcap.example.org/api/")
    heard.refused(connect, api_url=f"https://redcap.example.org/api/?token={canary.word()}")
    heard.refused(connect, server_time_zone="Nowhere/At-All")
    with reading(scene.url, scene.service()) as session:
        heard.hear(connection_reads.connection(session, scene.service(), study=STUDY))
        token = runs.token(session, scene.service(), study=STUDY)
    with unit_of_work(scene.url, scene.service()) as unit:
        body = canary.word("trigger ").encode()
        heard.hear(intake.accept(unit, study=STUDY, kind="redcap_trigger", key="canary-key-1", body=body))
    client = RedcapClient("http://127.0.0.1:9/api/", token, patience=Patience(attempts=1))
    heard.hear(client)
    heard.refused(client.version)
    vault(scene, canary, heard)
    with unit_of_work(owner_url, KNOCKING) as unit:
        heard.hear(keyring(unit.session).roots, keyring(unit.session).present(None))
    heard.hear(
        load_key(settings()), load_roots(settings()), settings(), canary.kept(load_key(settings()).material.hex())[:0]
    )


def vault(scene, canary, heard):
    """What goes wrong with sealed values tells none of them."""
    with unit_of_work(scene.url, scene.service()) as unit:
        ring = keyring(unit.session)
        study = unit.session.connection().exec_driver_sql("select id from app.study").scalar_one()
        place = Place("envelope", "body", scene.people[CODE].id, study)
        sealed = ring.seal(place, canary.word("sealed ").encode())
        heard.hear(sealed, place, ring.sealing(place), [sealed], {"value": sealed})
        heard.refused(ring.unseal, Place("envelope", "body", scene.people[OTHER].id, study), sealed)
        heard.refused(ring.unseal, place, Foreign(canary.word("plain ")))
        old = Place("redcap_connection", "token", scene.people[CODE].id, study)
        heard.refused(ring.unseal, old, Foreign("enc:v2:" + canary.word("damaged")))
        heard.refused(ring.unseal, old, Foreign(canary.word("plain ")))
        unit.session.rollback()


def through_http(scene, canary, heard):
    app = create_edge()
    app.include_router(entrance())
    with running(app) as base, httpx.Client(base_url=base, headers={"origin": base}, timeout=30) as browser:
        for data in (
            {"name": "owner@demo.example", "password": canary.word("wrong ")},
            # staff's sign-in name is no secret, and the form keeps it for whoever typed it
            {"name": "somebody@nobody.example", "password": canary.word()},
        ):
            form = {"form": _form(browser.get("/sign-in").text)} | data
            heard.answer(browser.post("/sign-in", data=form))
        for address in ("/link/ask", "/pin", "/confirm", "/sign-in/code"):
            fields = {"mail": canary.word(after="@lost.example"), "pin": canary.digits(), "code": canary.digits()}
            page = browser.get(address)
            heard.answer(browser.post(address, data={"form": _form(page.text)} | fields))
        heard.answer(browser.post("/link", data={"token": canary.word("token")}))
        heard.answer(browser.get("/me", headers={"cookie": f"metricis_session={canary.word('cookie')}"}))
        heard.answer(
            browser.post(f"/api/redcap/{STUDY}", data={"secret": canary.word(), "record": canary.word("record ")})
        )
        browser.cookies.clear()
        link = canary.kept(scene.link(CODE))
        entered = browser.post("/link", data={"token": link})
        heard.answer(entered)
        canary.kept(browser.cookies.get("metricis_session"))
        heard.answer(send(browser, "/api/consent", consent_body(scene, typed_name=canary.word("E. "))))
        heard.answer(send(browser, "/api/consent", {"decision": canary.word()}))
        heard.answer(send(browser, "/api/consent", canary.word('{"').encode()))
        heard.answer(browser.get("/me"))
        heard.answer(browser.get("/me/consent"))
        drain(scene.url)
        heard.answer(browser.get("/me/consent"))


def _form(page):
    found = re.search(r'name="form" value="([^"]*)"', page)
    return found.group(1) if found else ""


def through_the_command_line(scene, heard, owner_url, home):
    heard.hear(keys.status(owner_url))
    heard.hear(keys.rotate(owner_url, scene.installer, grace=0, said=heard.hear))
    seal(scene.url)
    heard.hear(verify_all(scene.url))
    with sealing(scene.url) as session:
        heard.hear(bundle.write(session, Record(settings().home), folder=home / "bundle"))
    from metricis.cli import app

    for command in (["--help"], ["vault", "--help"], ["vault", "rotate", "--approval", "not a number"]):
        heard.hear(CliRunner().invoke(app, command).output)


def through_files(scene, heard, home):
    """Take a snapshot, and everything away from it that can be: workbooks, CSV, Parquet."""
    taken = snapshot(scene.url, study=STUDY, folder=settings().marts_folder)
    for actor in (scene.owner, scene.service()):
        opened = open_snapshot(settings().marts_folder, STUDY, unblinded=True)
        for form in ("xlsx", "csv", "parquet"):
            made = make(opened, Asked("forms", form), protocol_id="CANARY", software="test")
            with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
                archive.extractall(home / "taken" / actor.kind / form)
            for book in (home / "taken" / actor.kind / form).glob("*.xlsx"):
                with zipfile.ZipFile(book) as inner:
                    inner.extractall(book.with_suffix(""))
    heard.hear(taken, opened, opened.frame("participants"))


def test_no_secret_and_no_identifying_value_is_found_anywhere(scene, owner_url, server_url, home, caplog, capfd):
    canary, heard = Canaries(), Heard()
    for ours in ("httpx", "httpcore"):  # the browser of this test, which knows its own cookies
        logging.getLogger(ours).setLevel(logging.CRITICAL)
    with caplog.at_level(logging.DEBUG):
        through_actions(scene, canary, heard, owner_url)
        through_http(scene, canary, heard)
        through_the_command_line(scene, heard, owner_url, home)
        through_files(scene, heard, home)
    assert len(canary.marks) >= NUMBER
    assert canary.found(f"x {canary.marks[0]} y") == {canary.marks[0]}  # it would be found
    assert canary.found(base64.b64encode(f"some words {canary.marks[1]} and more".encode())) == {canary.marks[1]}
    places = {"what was said": "\n".join(heard.said), "logs": caplog.text, "output": "".join(capfd.readouterr())}
    assert {name: canary.found(text) for name, text in places.items() if canary.found(text)} == {}
    assert in_tables(canary, server_url) == {}
    assert in_files(canary, home) == {}


def in_tables(canary, server_url):
    hits = {}
    with psycopg.connect(server_url) as connection:
        names = connection.execute("select tablename from pg_tables where schemaname = 'app' order by 1").fetchall()
        for (table,) in names:
            for row in connection.execute(f"select * from app.{table}"):
                text = b" ".join(one if isinstance(one, bytes) else str(one).encode() for one in row)
                if found := canary.found(text):
                    hits.setdefault(table, set()).update(found)
    return hits


def in_files(canary, home):
    hits = {}
    keys_themselves = {"root.key", "ledger.key", "scope.key"}
    for path in sorted(home.rglob("*")):
        if path.is_file() and path.name not in keys_themselves:
            content = path.read_bytes()
            if path.suffix == ".duckdb":
                with duckdb.connect(str(path), read_only=True) as file:
                    content += str(
                        [file.table(name).fetchall() for (name,) in file.execute("show tables").fetchall()]
                    ).encode()
            if found := canary.found(content):
                hits[str(path.relative_to(home))] = found
    return hits


def test_a_flow_s_parameters_name_what_to_do_and_carry_no_secret():
    import inspect

    from pipelines.custody import flow as custody
    from pipelines.ingest import flow as ingest
    from pipelines.intake import flow as inbox
    from pipelines.marts import flow as marts
    from pipelines.refresh import flow as refresh
    from pipelines.sdtm import flow as sdtm
    from pipelines.submission import flow as submission

    named = {}
    for module in (custody, ingest, inbox, marts, refresh, sdtm, submission):
        for name, one in vars(module).items():
            if hasattr(one, "fn") and type(one).__name__ == "Flow":
                named[name] = set(inspect.signature(one.fn).parameters)
    assert len(named) >= 4
    secret = re.compile("token|secret|password|key|mail|phone|name|birth|values|frame|rows|body")
    assert {flow: {one for one in given if secret.search(one)} for flow, given in named.items()} == {
        flow: set() for flow in named
    }


def test_errors_of_ours_hold_no_cause_with_a_value(scene):
    with pytest.raises(MetricisError) as refused:
        identity.checked("mail", "Kanari not a mail")
    assert "Kanari" not in f"{refused.value!r}{refused.value.__cause__!r}"
