"""Bodies and files made to hurt: each is refused within 2 s of processor time and 512 MB, with one sentence (S32)."""

import gzip
import json
import socket
import subprocess
import sys
import time
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import MetricisError
from datamodel.kernel.unit import unit_of_work
from pipelines.clients.transport import Limits, Transport
from tests.security.test_bad_input import FAULT
from tests.support import dashboard, hostile
from validators.library.yaml import RefusedYamlError, guard

SECONDS, MEGABYTES, LONGEST_SENTENCE = 2.0, 512, 700


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What came of every hostile file, in a process of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile", str(folder)], capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.stderr[-500:])
    assert not (folder.parent / "tmp").exists()
    return [one for one in lines if one["state"] != "begun"]


def test_at_least_forty_files_are_tried_and_none_is_taken(told):
    assert len(told) >= 40
    assert [one["name"] for one in told if one["state"] == "taken"] == []


def test_each_is_refused_in_time_and_memory(told):
    assert [one for one in told if one["seconds"] > SECONDS or one["megabytes"] > MEGABYTES] == []


def test_each_refusal_is_one_sentence_for_people(told):
    ours = ("BadInputError", "ValueError", "UnreadableDatasetError", "UnreadableXptError", "UnreadableDefineError")
    assert [one for one in told if one["state"] not in ours] == []
    assert [one for one in told if not 20 < len(one["said"]) < LONGEST_SENTENCE or "Traceback" in one["said"]] == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (hostile.LAUGHS, "200,000 values"),
        ("a: &a [*a]", "itself"),
        ("[" * 101 + "]" * 101, "100 deep"),
        ("\n".join(" " * n + "a:" for n in range(101)), "100 deep"),
        ("x" * 5_000_000, "characters"),
    ],
)
def test_yaml_that_swells_is_refused(written, said):
    with pytest.raises(RefusedYamlError, match=said):
        guard(written)


@pytest.mark.parametrize(
    "written", ["a: [1, 2]", "a: &x 1\nb: *x", "[" * 99 + "]" * 99, "- a: {b: c}\n" * 500, "a: [unclosed", "a: '&' # *"]
)
def test_other_yaml_is_left_to_its_reader(written):
    assert guard(written) == written


# -- over HTTP ---------------------------------------------------------------------------------------------------------

DEEP = b"[" * 100_000
BOMB = gzip.compress(b'{"a": "' + b"x" * 50_000_000 + b'"}')
JSON_BODIES = {
    "deep lists": DEEP,
    "deep objects": b'{"a":' * 100_000,
    "a number of a million digits": b'{"at": ' + b"9" * 500_000 + b"}",
    "a number beyond every exponent": b'{"at": 1e999999999}',
    "no number": b'{"at": NaN}',
    "a flood of keys": json.dumps({f"k{n}": n for n in range(30_000)}).encode(),
    "one key 50,000 times": b"{" + b'"decision":"signed",' * 25_000 + b'"decision":"x"}',
    "a flood of empty lists": b'{"trials":[' + b"[]," * 150_000 + b"[]]}",
    "a flood of objects": b'{"strokes":[' + b"{}," * 150_000 + b"{}]}",
    "half a character": b'{"a":"\\ud800"}',
    "bytes that are no text": b'{"a":"' + bytes(range(128, 256)) * 100 + b'"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a list": b"[1,2,3]",
    "a page": b"<html><script>alert(1)</script>",
    "a PDF with JSON in it": b'%PDF-1.7 {"decision": "signed"}',
    "an archive": b"PK\x03\x04" + b"\0" * 2000,
    "longer than is taken": b" " * 2_000_000,
    "nothing": b"",
}


def send(base, scene, path, body, **more):
    headers = {
        "content-type": "application/json",
        "origin": base,
        "sec-fetch-site": "same-origin",
        "idempotency-key": "k" * 20,
        "cookie": f"metricis_session={scene.token('coordinator')}",
    } | more
    return httpx.post(base + path, content=body, headers=headers, timeout=30)


def refused(answer, began, codes=range(400, 500)):
    assert answer.status_code in codes, (answer.status_code, answer.text[:300])
    assert not FAULT.search(answer.text)
    assert 15 < len(answer.text) < 20_000
    assert time.process_time() - began < SECONDS


@pytest.fixture(scope="module")
def participant(scene):
    """A session of a participant: to them the doors are open, so that the body itself is looked at."""
    with unit_of_work(scene.url, scene.actor("coordinator")) as unit:
        person = unit.session.execute(text("select id from app.participant order by code limit 1")).scalar_one()
    with unit_of_work(scene.url, scene.installer) as unit:
        account = access.create_account(unit, kind="participant", name="Phone", participant_id=person)
        access.grant(unit, account_id=account, study=dashboard.STUDY, role="participant")
    with unit_of_work(scene.url, KNOCKING) as unit:
        return access.start_session(unit, account, kind="participant", how="link")


@pytest.mark.parametrize("path", ["/api/consent", "/api/assessments"])
@pytest.mark.parametrize("name", JSON_BODIES)
def test_a_body_of_a_phone_is_refused(base, scene, participant, path, name):
    began = time.process_time()
    answer = send(base, scene, path, JSON_BODIES[name], cookie=f"metricis_session={participant}")
    refused(answer, began, {400, 413, 422})


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"])
def test_a_packed_body_is_not_unpacked(base, scene, participant, coding):
    packed = {"gzip": BOMB, "deflate": zlib.compress(b"x" * 50_000_000)}.get(coding, BOMB)
    began = time.process_time()
    answer = send(
        base, scene, "/api/consent", packed, cookie=f"metricis_session={participant}", **{"content-encoding": coding}
    )
    refused(answer, began, {415})


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "0x10", "5, 6"])
def test_a_length_that_is_none_is_refused(base, scene, participant, length):
    """Written by hand: no client would send it."""
    place = urlsplit(base)
    with socket.create_connection((place.hostname, place.port), timeout=10) as line:
        head = (
            f"POST /api/consent HTTP/1.1\r\nhost: {place.netloc}\r\norigin: {base}\r\nsec-fetch-site: same-origin\r\n"
            f"cookie: metricis_session={participant}\r\ncontent-type: application/json\r\nidempotency-key: {'k' * 20}\r\n"
            f"content-length: {length}\r\nconnection: close\r\n\r\n{{}}"
        )
        line.sendall(head.encode())
        assert line.recv(4000).split(b" ")[1][:1] == b"4"


FORMS = {
    "20,000 fields": (b"&".join(b"a%d=1" % n for n in range(20_000)), "application/x-www-form-urlencoded"),
    "one field 20,000 times": (b"name=x&" * 20_000, "application/x-www-form-urlencoded"),
    "percent signs": (b"name=" + b"%" * 100_000, "application/x-www-form-urlencoded"),
    "5,000 parts": (
        b"".join(b'--x\r\ncontent-disposition: form-data; name="a%d"\r\n\r\n1\r\n' % n for n in range(5000)) + b"--x--",
        "multipart/form-data; boundary=x",
    ),
    "a file with a name that leads out": (
        b'--x\r\ncontent-disposition: form-data; name="f"; filename="../../etc/cron.d/x"\r\n\r\nx\r\n--x--',
        "multipart/form-data; boundary=x",
    ),
    "a part without end": (b"--x\r\ncontent-disposition: form-data; name=" + b"a" * 200_000, "multipart/form-data; boundary=x"),
    "a boundary of 100,000 characters": (b"--x--", "multipart/form-data; boundary=" + "b" * 7000),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("path", ["/sign-in", f"/api/redcap/{dashboard.STUDY}"])
def test_a_form_that_is_none_is_refused(base, path, name):
    body, kind = FORMS[name]
    began = time.process_time()
    answer = httpx.post(
        base + path, content=body, headers={"content-type": kind, "origin": base, "sec-fetch-site": "same-origin"}, timeout=30
    )  # fmt: skip
    refused(answer, began)


def test_an_answer_of_redcap_that_swells_is_cut_off():
    """A server that is hostile itself: a megabyte that unpacks to a thousand."""
    packed = zlib.compressobj(9, wbits=31)
    content = b"".join(packed.compress(b"a" * (1 << 20)) for _ in range(200)) + packed.flush()

    class Hostile(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hostile)
    Thread(target=server.serve_forever, daemon=True).start()
    began = time.process_time()
    with pytest.raises(MetricisError, match="more than"):
        Transport(limits=Limits(most=20_000_000)).post(f"http://127.0.0.1:{server.server_port}/api/", {"a": "b"})
    assert time.process_time() - began < SECONDS
    server.shutdown()
    server.server_close()
