"""Mail goes out: by SMTP with and without TLS, once each, again when it has to, and tells nobody's address."""

import datetime as dt
import logging
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import FaultError, TransientFault
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import Settings
from datamodel.kernel.unit import unit_of_work
from datamodel.links import actions as links
from datamodel.notices import actions as notices
from datamodel.notices import reads
from pipelines.clients.mail import UndeliverableError, mailer
from pipelines.notices.steps import deliver
from simulators.mail.server import running_sink
from tests.support.capture import build
from tests.support.mailbox import ADDRESS, dump, give_address, outbox

CODE = "701-1015"


def to_sink(port, **more):
    return Settings(smtp_host="127.0.0.1", smtp_port=port, smtp_tls="none", mail_from="study@trial.example", **more)


@pytest.fixture
def scene(database_url, home):
    made = build(database_url)
    give_address(made, CODE)
    return made


def ask(scene, address=ADDRESS):
    with unit_of_work(scene.url, KNOCKING) as unit:
        links.ask(unit, address=address, nonce="n", language="en", base_url="http://trial.example")


def rows(scene):
    with unit_of_work(scene.url, scene.service()) as unit:
        found = unit.session.execute(text("select state, tries, outcome, address, content from app.notice"))
        return [tuple(row) for row in found]


def test_a_mail_is_handed_over_once_and_then_removed(scene, owner_url, caplog):
    ask(scene)
    caplog.set_level(logging.DEBUG)
    with running_sink() as (port, box):
        assert deliver(scene.url, given=to_sink(port)).sent == 1
        assert deliver(scene.url, given=to_sink(port)).sent == 0
        (message,) = box.to(ADDRESS)
    assert "/link#" in message.text
    assert message.subject == "Your sign-in link"
    assert rows(scene) == [("sent", 1, "", None, None)]
    assert ADDRESS not in dump(owner_url)
    ours = [one.getMessage() for one in caplog.records if one.name != "mail.log"]  # that one is the sink's own
    assert ADDRESS not in " ".join(ours)


def test_a_server_that_is_away_is_asked_again(scene):
    ask(scene)
    with running_sink() as (port, _):
        pass
    assert deliver(scene.url, given=to_sink(port)).put_off == 1
    ((state, tries, outcome, address, _),) = rows(scene)
    assert (state, tries) == ("waiting", 1)
    assert "does not answer" in outcome
    assert address is not None
    assert deliver(scene.url, given=to_sink(port)).put_off == 0, "its next try is a minute away"


def test_without_a_mail_server_everything_waits(scene):
    ask(scene)
    assert deliver(scene.url, given=Settings()).put_off == 0
    assert len(outbox(scene)) == 1


@pytest.mark.parametrize(("name", "state"), [("refused", "failed"), ("later", "waiting")])
def test_an_address_may_be_refused_for_good_or_for_now(scene, name, state, caplog):
    address = f"{name}@mail.example"
    give_address(scene, CODE, address)
    ask(scene, address)
    with running_sink() as (port, _):
        deliver(scene.url, given=to_sink(port))
    assert rows(scene)[0][0] == state
    assert address not in " ".join(one.getMessage() for one in caplog.records if one.name != "mail.log")
    assert address not in rows(scene)[0][2]


def test_a_link_that_is_too_old_is_not_sent(scene):
    ask(scene)
    service = scene.service()
    later = dt.datetime.now(tz=dt.UTC) + dt.timedelta(minutes=11)
    with unit_of_work(scene.url, service, clock=lambda: later) as unit:
        (one,) = reads.due(unit.session, now=unit.instant)
        assert notices.take(unit, one) is None
        assert reads.counts(unit.session)["late"] == 1
    assert rows(scene) == [("late", 1, "It was too old to be sent.", None, None)]


def test_a_mail_is_given_up_after_seven_tries(scene):
    ask(scene)
    service = scene.service()
    with unit_of_work(scene.url, service) as unit:
        (one,) = reads.due(unit.session, now=unit.instant)
        for _ in range(notices.MOST):
            notices.put_off(unit, one, outcome="The mail server does not answer.")
    assert rows(scene)[0][:2] == ("failed", notices.MOST)


def test_a_participant_delivers_no_mail(scene):
    ask(scene)
    with unit_of_work(scene.url, scene.service()) as unit:
        (one,) = reads.due(unit.session, now=unit.instant)
    with unit_of_work(scene.url, scene.actor("701-1023")) as unit:
        assert notices.take(unit, one) is None


def test_production_speaks_to_no_mail_server_without_tls(home):
    given = to_sink(25, environment="production")
    with pytest.raises(FaultError, match="production refuses"), mailer(given):
        pass


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, secret)
    return context, cert


def with_tls(port, ca, **more):
    return Settings(smtp_host="localhost", smtp_port=port, smtp_tls="starttls", smtp_ca_file=ca, **more)


def test_starttls_with_name_and_password(tmp_path):
    context, ca = certificate(tmp_path)
    with running_sink(tls=context, login=("metricis", "secret of the server")) as (port, box):
        good = with_tls(port, ca, smtp_user="metricis", smtp_password="secret of the server")
        with mailer(good) as server:
            server.send(new_id(), to="somebody@mail.example", subject="Été", text="Un lien : …")
        assert box.messages[0].was_encrypted
        assert (box.messages[0].subject, box.messages[0].text.strip()) == ("Été", "Un lien : …")
        wrong = with_tls(port, ca, smtp_user="metricis", smtp_password="another")
        with pytest.raises(FaultError, match="refused METRICIS_SMTP_USER") as told, mailer(wrong):
            pass
        assert not isinstance(told.value, TransientFault)
        with pytest.raises(FaultError, match="certificate"), mailer(with_tls(port, None)):
            pass


def test_a_subject_or_address_cannot_smuggle_in_headers():
    with running_sink() as (port, box), mailer(to_sink(port)) as server:
        with pytest.raises(UndeliverableError):
            server.send(new_id(), to="a@b.example\r\nBcc: c@d.example", subject="x", text="y")
        with pytest.raises(UndeliverableError):
            server.send(new_id(), to="a@b.example", subject="x\r\nBcc: c@d.example", text="y")
        assert box.messages == []
