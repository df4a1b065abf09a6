"""Where a configured REDCap address may lead: 40 ways to reach what stands inside, each refused before a connection."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from datamodel.connections.address import target
from datamodel.kernel.errors import BadInputError, TransientFault
from datamodel.kernel.settings import Settings, settings
from pipelines.clients.transport import Transport

#: spelled in the address itself
SPELLED = [
    "https://127.0.0.1/api/",
    "https://127.1/api/",
    "https://2130706433/api/",
    "https://0x7f000001/api/",
    "https://0x7f.0.0.1/api/",
    "https://0177.0.0.1/api/",
    "https://127.0.0.1./api/",
    "https://[::1]/api/",
    "https://[::]/api/",
    "https://0/api/",
    "https://0.0.0.0/api/",
    "https://10.0.0.8/api/",
    "https://172.16.3.4/api/",
    "https://192.168.1.1/api/",
    "https://169.254.169.254/api/",
    "https://100.64.0.1/api/",
    "https://[::ffff:127.0.0.1]/api/",
    "https://[::ffff:a9fe:a9fe]/api/",
    "https://[64:ff9b::127.0.0.1]/api/",
    "https://[64:ff9b::a9fe:a9fe]/api/",
    "https://[2002:7f00:1::]/api/",
    "https://[fd00::1]/api/",
    "https://[fe80::1]/api/",
    "https://[fe80::1%25eth0]/api/",
    "https://[::127.0.0.1]/api/",
    "https://①②⑦.⓪.⓪.①/api/",
    "https://redcap.example.org@127.0.0.1/api/",
    "https://user:password@redcap.example.org/api/",
    "https://redcap.example.org\\@127.0.0.1/api/",
    "https://redcap.example.org%2f@127.0.0.1/api/",
    "https://redcap.example.org#@127.0.0.1/api/",
    "https://redcap.example.org .127.0.0.1/api/",
    "http://redcap.example.org/api/",
    "gopher://redcap.example.org/api/",
    "file:///etc/passwd",
    "https://redcap.example.org.evil.example/api/",
    "https://localhost/api/",
    "https:///api/",
    "https://redcap.example.org:99999/api/",
    "https://redcap.example.org/api/?to=127.0.0.1",
]
#: what the name of an allowed host may turn out to be
RESOLVED = [
    ["127.0.0.1"],
    ["93.184.215.14", "127.0.0.1"],
    ["169.254.169.254"],
    ["10.1.2.3"],
    ["::1"],
    ["::ffff:10.0.0.1"],
    ["64:ff9b::a00:1"],
    ["2002:a00:1::1"],
    ["0.0.0.0"],  # noqa: S104 - an address to refuse, not one to listen on
    ["224.0.0.1"],
    ["fe80::1"],
    ["2001:db8::1"],
]


@pytest.fixture
def production(monkeypatch):
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    monkeypatch.setenv(
        "METRICIS_REDCAP_HOSTS", "redcap.example.org, inside.example.org=10.2.0.0/16, 127.0.0.1, localhost"
    )
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def no_connection(monkeypatch):
    made = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, to: made.append(to))
    yield made
    assert made == []


@pytest.mark.parametrize("url", SPELLED)
def test_no_spelling_of_an_inside_address_is_asked(production, no_connection, url):
    transport = Transport(resolve=lambda *_: ["127.0.0.1"])
    with pytest.raises(BadInputError):
        transport.post(url, {"token": "T" * 32})
    assert transport.calls == 0


@pytest.mark.parametrize("answer", RESOLVED)
def test_a_name_that_leads_inside_is_not_asked(production, no_connection, answer):
    with pytest.raises(BadInputError, match="leads to an address inside"):
        Transport(resolve=lambda *_: answer).post("https://redcap.example.org/api/", {})


def test_a_name_that_changes_its_mind_is_asked_for_once(production, monkeypatch):
    answers, connected = iter([["93.184.215.14"], ["127.0.0.1"]]), []

    def connect(address, *_args, **_more):
        connected.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    transport = Transport(resolve=lambda *_: next(answers))
    with pytest.raises(TransientFault):
        transport.post("https://redcap.example.org/api/", {})
    assert {address[0] for address in connected} == {"93.184.215.14"}
    with pytest.raises(BadInputError):
        transport.post("https://redcap.example.org/api/", {})


def test_an_inside_network_is_asked_only_where_an_administrator_allows_it(production):
    goal = target("https://inside.example.org/api/", settings())
    from ipaddress import ip_address

    assert goal.admits(ip_address("10.2.3.4"))
    assert not goal.admits(ip_address("10.3.0.1"))
    assert not goal.admits(ip_address("127.0.0.1"))
    assert not goal.admits(ip_address("169.254.169.254"))
    assert not target("https://redcap.example.org/api/", settings()).admits(ip_address("10.2.3.4"))


def test_outside_production_the_simulator_on_this_machine_is_asked_and_the_rest_of_the_inside_is_not():
    from ipaddress import ip_address

    goal = target("http://127.0.0.1:8601/api/", Settings(environment="development"))
    assert goal.admits(ip_address("127.0.0.1"))
    assert not goal.admits(ip_address("169.254.169.254"))
    assert not goal.admits(ip_address("10.0.0.1"))


class _Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.hosts.append(self.headers["Host"])
        if self.path == "/away/api/":
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/api/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), _Server) as found:
        found.hosts = []
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_the_server_is_reached_at_the_checked_address_and_hears_its_name(server):
    transport = Transport(resolve=lambda *_: ["127.0.0.1"])
    answer = transport.post(f"http://redcap.test:{server.server_port}/api/", {"format": "json"})
    assert answer.json() == []
    assert server.hosts == [f"redcap.test:{server.server_port}"]


def test_no_redirect_and_no_proxy_is_followed(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(BadInputError, match="another one"):
        Transport().post(f"http://127.0.0.1:{server.server_port}/away/api/", {"format": "json"})
    assert len(server.hosts) == 1


def test_the_certificate_must_be_for_the_name_and_not_for_the_address(server, monkeypatch):
    asked = []
    wrap = ssl.SSLContext.wrap_socket

    def seen(self, sock, *args, **more):
        asked.append(more.get("server_hostname"))
        return wrap(self, sock, *args, **more)

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", seen)
    with pytest.raises(TransientFault):
        Transport(resolve=lambda *_: ["127.0.0.1"]).post(f"https://redcap.test:{server.server_port}/api/", {})
    assert set(asked) == {"redcap.test"}
