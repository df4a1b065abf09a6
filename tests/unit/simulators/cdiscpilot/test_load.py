"""The loader against a stand-in server that keeps rows and can misbehave; the simulator itself is met in test_round_trip."""

import csv
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from simulators.cdiscpilot import LoadError, load_into, load_trial, records
from simulators.cdiscpilot.rows import KEYS

TOKEN = "A" * 32
SUPER = "B" * 64


class StandIn(BaseHTTPRequestHandler):
    """Answers the three calls that the loader makes."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = {
            key: values[0] for key, values in parse_qs(self.rfile.read(length).decode(), keep_blank_values=True).items()
        }
        server = self.server
        server.calls.append(form)
        status, body = server.misbehave(form) or self.answer(form)
        payload = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def answer(self, form):
        rows = self.server.rows
        if form["content"] == "project":
            return 200, TOKEN
        if form.get("action") == "import":
            sent = list(csv.DictReader(io.StringIO(form["data"])))
            for row in sent:
                rows.setdefault(tuple(row[key] for key in KEYS), {}).update(row)
            return 200, json.dumps({"count": len({row["record_id"] for row in sent})})
        statuses = [value for name, value in form.items() if name.startswith("fields[") and value != "record_id"]
        if not rows:
            return 200, "\n"
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*KEYS, *statuses])
        writer.writerows([*key, *(row.get(name, "0") for name in statuses)] for key, row in rows.items())
        return 200, text.getvalue()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    httpd.calls, httpd.rows, httpd.misbehave = [], {}, lambda _form: None
    httpd.url = f"http://127.0.0.1:{httpd.server_port}/api/"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def expected_rows(subjects):
    return {batch.form: batch.frame.height for batch in records(subjects)}


def imports(server):
    return [call for call in server.calls if call.get("action") == "import"]


def test_a_trial_is_created_and_every_row_arrives(server):
    seen = []
    token = load_trial(api_url=server.url, super_token=SUPER, subjects=4, progress=lambda *step: seen.append(step))
    assert token == TOKEN
    assert server.calls[0]["token"] == SUPER
    assert server.calls[0]["odm"].startswith("<?xml")
    assert all(call["token"] == TOKEN for call in server.calls[1:])
    # Forms of one event share a row of the flat layout, so the keys of all forms together are what was stored.
    assert set(server.rows) == {row for batch in records(4) for row in batch.frame.select(KEYS).iter_rows()}
    assert {form: total for form, done, total in seen if done == total} == expected_rows(4)


def test_loading_again_sends_nothing(server):
    first = load_into(api_url=server.url, token=TOKEN, subjects=4)
    assert first == expected_rows(4)
    before = len(imports(server))
    assert set(load_into(api_url=server.url, token=TOKEN, subjects=4).values()) == {0}
    assert len(imports(server)) == before


def test_a_load_that_was_cut_short_goes_on_where_it_stopped(server):
    broken = iter([None, None, None, (500, "<html>Internal Server Error</html>")])
    server.misbehave = lambda form: next(broken, None) if form.get("action") == "import" else None
    with pytest.raises(LoadError, match=r"status 500.*load again"):
        load_into(api_url=server.url, token=TOKEN, subjects=4)
    stored = sum(call["data"].count("\n") - 1 for call in imports(server)[:3])
    sent = load_into(api_url=server.url, token=TOKEN, subjects=4)
    assert sum(sent.values()) == sum(expected_rows(4).values()) - stored
    assert set(load_into(api_url=server.url, token=TOKEN, subjects=4).values()) == {0}


def test_a_larger_slice_adds_only_the_new_participants(server):
    load_into(api_url=server.url, token=TOKEN, subjects=2)
    sent = load_into(api_url=server.url, token=TOKEN, subjects=4)
    assert sent == {form: rows - expected_rows(2)[form] for form, rows in expected_rows(4).items()}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<html>banned</html>", "where a count of records is expected"),
        ('{"count": 1}', "touched 1 records where 4 were sent"),
    ],
)
def test_an_import_that_is_not_confirmed_is_an_error(server, body, words):
    server.misbehave = lambda form: (200, body) if form.get("action") == "import" else None
    with pytest.raises(LoadError, match=words):
        load_into(api_url=server.url, token=TOKEN, subjects=4)


def test_html_in_place_of_a_token_or_an_export_is_an_error(server):
    server.misbehave = lambda _form: (200, "<html>Your IP address is banned</html>")
    with pytest.raises(LoadError, match="token of 32 is expected"):
        load_trial(api_url=server.url, super_token=SUPER, subjects=4)
    with pytest.raises(LoadError, match="had no column record_id,"):
        load_into(api_url=server.url, token=TOKEN, subjects=4)


def test_no_error_shows_a_token(server):
    server.misbehave = lambda _form: (403, '{"error":"You do not have permissions to use the API"}')
    for call in (
        lambda: load_trial(api_url=server.url, super_token=SUPER, subjects=4),
        lambda: load_into(api_url=server.url, token=TOKEN, subjects=4),
        lambda: load_into(api_url="http://127.0.0.1:9/api/", token=TOKEN, subjects=4),
    ):
        with pytest.raises(LoadError) as caught:
            call()
        assert TOKEN not in str(caught.value)
        assert SUPER not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
