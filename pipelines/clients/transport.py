"""HTTP to a REDCap server that looks at every answer before anybody uses it.

PyCap itself never looks at the status and takes an error page for data; so this stands in for its session: same
`post`, but with time-outs, one deadline for the whole answer, and a check of status, content type and first bytes.
"""

import json
import os
import re
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from datamodel.connections.address import literal, target
from datamodel.kernel.errors import BadInputError, FaultError, TransientFault
from datamodel.kernel.settings import settings

_CHUNK: Final = 1 << 20
_SHOWN: Final = 200
_BANNED: Final = re.compile(rb"\b(ip address|your ip)\b.*\bbanned\b|\bbanned\b.*\bip\b", re.IGNORECASE | re.DOTALL)
_MEMORY: Final = b"ran out of server memory"
_TRANSIENT: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class UnusableAnswerError(TransientFault):
    """The server answered, but not with what was asked for; less at a time, or later, may do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds, how much to take, in bytes as they are unpacked, and how often to ask.

    `deadline` bounds one whole answer, however slowly it drips, and `most` how large it may be; `per_minute` stays below the rate at which REDCap bans
    an address for good (600 a minute by default).
    """

    connect: float = 10.0
    silence: float = 60.0
    deadline: float = 300.0
    per_minute: int = 300
    most: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole and checked; has what PyCap reads of a response."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The body as text; REDCap writes UTF-8, also where it does not say so."""
        return self.content.decode("utf-8-sig")

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.content)


class PinnedAdapter(HTTPAdapter):
    """Connects to the IP address that was checked, while certificate, SNI and Host keep the name.

    Nobody resolves the name a second time, so a name whose answer changes in between leads nowhere else.
    """

    def __init__(self) -> None:
        self.pinned: dict[tuple[str, int], str] = {}
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str, cert: Any = None
    ) -> Any:
        """Put the checked IP address in the place of the name."""
        found: Any = super().build_connection_pool_key_attributes(request, verify, cert)
        host, pool = found
        name = host["host"]
        port = host["port"] or (443 if host["scheme"] == "https" else 80)
        host["host"] = self.pinned[(name.strip("[]").rstrip(".").lower(), port)]
        if host["scheme"] == "https":
            pool["assert_hostname"] = pool["server_hostname"] = name.rstrip(".")
        return host, pool


def _session() -> requests.Session:
    """Return a session that goes straight to the server: no proxy, no `.netrc`, no redirect."""
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
    adapter = PinnedAdapter()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def resolved(name: str, port: int) -> list[str]:
    """Return every IP address that a name has now."""
    return [str(one[4][0]) for one in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


@dataclass(slots=True)
class Transport:
    """One HTTP session to one REDCap server; used by one thread at a time."""

    limits: Limits = field(default_factory=Limits)
    session: requests.Session = field(default_factory=_session)
    calls: int = 0
    #: how a name becomes addresses; a test may put its own here
    resolve: Callable[[str, int], list[str]] = resolved
    _asked: deque[float] = field(default_factory=deque)

    def post(self, url: str, data: dict[str, Any], **_: Any) -> Answer:
        """Send one question and return its checked answer.

        Raises
        ------
        TransientFault
            When the server cannot be reached, falls silent, is too slow, or answers with something else
            (`UnusableAnswerError`).
        BadInputError
            When it refuses the token or the question, or is not a REDCap API.
        FaultError
            When it has banned this machine.
        """
        self._pin(url)
        self._pace()
        self.calls += 1
        host = urlsplit(url).netloc
        try:
            with self.session.post(
                url,
                data=data,
                headers={"Host": host},
                stream=True,
                allow_redirects=False,
                timeout=(self.limits.connect, self.limits.silence),
            ) as response:
                body = self._read(response, host)
                answer = Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body)
        except requests.exceptions.InvalidURL as error:
            raise BadInputError(f"The REDCap address ({host}) is not a valid one; nothing was asked.") from error
        except (requests.RequestException, HTTPError) as error:
            raise TransientFault(_unreachable(error, host, self.limits)) from None
        check(answer, host=host, wants=str(data.get("format", "")), secret=str(data.get("token", "")))
        return answer

    def _pin(self, url: str) -> None:
        """Resolve the name once, check every address it has, and connect to the first of them only.

        Raises
        ------
        BadInputError
            When the address, or one that its name has, is not one that may be asked.
        TransientFault
            When the name is not known now.
        """
        goal = target(url, settings())
        try:
            found = [goal.host] if literal(goal.host) else self.resolve(goal.host, goal.port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise TransientFault(
                f"REDCap at {goal.host} could not be reached: no address is known for this name now. Check the network and the "
                "name, then sync again."
            )
        if not all((ip := literal(one)) and goal.admits(ip) for one in found):
            raise BadInputError(
                f"The name {goal.host} leads to an address inside, where no REDCap may be asked; nothing was asked. If the REDCap "
                "stands inside, an administrator allows its network: METRICIS_REDCAP_HOSTS=name=10.2.0.0/16."
            )
        adapter = self.session.get_adapter(url)
        if isinstance(adapter, PinnedAdapter):
            adapter.pinned[(goal.host, goal.port)] = found[0]

    def _read(self, response: requests.Response, host: str) -> bytes:
        """Read the whole body, within the deadline (a server may send a byte now and then for ever) and the size."""
        chunks: list[bytes] = []
        began, size = time.monotonic(), 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self.limits.most:
                raise UnusableAnswerError(
                    f"REDCap at {host} sent more than {self.limits.most:,} bytes in one answer, so it was dropped. Smaller batches "
                    "were tried; if it stays so, tell the REDCap administrator."
                )
            if time.monotonic() - began > self.limits.deadline:
                raise TransientFault(
                    f"REDCap at {host} sent {sum(map(len, chunks)):,} bytes in {self.limits.deadline:g} s and had not "
                    "finished, so the answer was dropped. Sync again when the server or the network is less busy."
                )
        return b"".join(chunks)

    def _pace(self) -> None:
        """Wait when this minute's share of questions has been asked."""
        now = time.monotonic()
        while self._asked and now - self._asked[0] > 60:  # noqa: PLR2004 - a minute
            self._asked.popleft()
        if len(self._asked) >= self.limits.per_minute:
            time.sleep(60 - (now - self._asked[0]))
        self._asked.append(time.monotonic())


def check(answer: Answer, *, host: str, wants: str, secret: str = "") -> None:
    """Raise the error that `answer` deserves; return when it is what was asked for (`csv`, `json`, or empty)."""
    head = answer.content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if _BANNED.search(answer.content[:20_000]) and head.startswith(b"<"):
        raise FaultError(
            f"REDCap at {host} has banned this machine's address (too many requests in a minute), and answers every "
            "request with a page that says so. Ask the REDCap administrator to lift the ban, then sync again."
        )
    if _MEMORY in answer.content[-4096:] or _MEMORY in head:
        raise UnusableAnswerError(
            f"REDCap at {host} ran out of memory on a question, so it was asked for too much at once. "
            "Smaller batches were tried; ask the REDCap administrator for more memory, then sync again."
        )
    if answer.status != HTTPStatus.OK:
        raise _refused(answer, host=host, secret=secret)
    if head.startswith(b"<") or "html" in answer.headers.get("content-type", ""):
        raise UnusableAnswerError(
            f"REDCap at {host} answered 200 with a web page instead of data (maintenance, a sign-in page, or a proxy). "
            "Nothing of it was used. Open the address in a browser to see the page; sync again when it is gone."
        )
    if wants == "csv" and head[:6].lower() == b"error:":
        raise BadInputError(f"REDCap at {host} refused the question: {_said(answer, secret)}. Nothing was changed.")
    if wants == "json":
        _check_json(answer, host=host, secret=secret)


def _check_json(answer: Answer, *, host: str, secret: str) -> None:
    try:
        found = answer.json()
    except ValueError as error:
        raise UnusableAnswerError(
            f"REDCap at {host} sent JSON that breaks off after {len(answer.content):,} bytes. Nothing of it was used; "
            "sync again, and if it stays so tell the REDCap administrator."
        ) from error
    if isinstance(found, dict) and "error" in found:
        raise BadInputError(f"REDCap at {host} refused the question: {_said(answer, secret)}. Nothing was changed.")


def _refused(answer: Answer, *, host: str, secret: str) -> Exception:
    """Return the error for a status that is not 200."""
    status = answer.status
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return BadInputError(
            f"REDCap at {host} refused the token or its rights (HTTP {status}: {_said(answer, secret)}). Nothing was "
            "changed. Check in REDCap that the token is current and its user may export all data, then connect again."
        )
    if status == HTTPStatus.NOT_FOUND:
        return BadInputError(
            f"There is no REDCap API at this address on {host} (HTTP 404). Nothing was changed. Check the address of the "
            "connection; it ends in /api/."
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return BadInputError(
            f"{host} sends the API address on to another one (HTTP {status}), which would lose the question. Nothing was "
            "changed. Connect with the address that it leads to."
        )
    if status in _TRANSIENT or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED):
        return UnusableAnswerError(
            f"REDCap at {host} answered HTTP {status}, a fault on its side, again and again. Nothing of it was used. "
            "Sync again later; if it stays so tell the REDCap administrator."
        )
    return BadInputError(
        f"REDCap at {host} refused the question (HTTP {status}: {_said(answer, secret)}). Nothing was changed."
    )


def _said(answer: Answer, secret: str) -> str:
    """Return the server's own words: the message, shortened, on one line, never with the token in it."""
    text = answer.content[:2000].decode("utf-8", "replace").lstrip("\ufeff").strip()
    if text.startswith("<") and "<error>" not in text:
        return "a web page"
    try:
        found = json.loads(text)
        text = str(found["error"]) if isinstance(found, dict) and "error" in found else text
    except ValueError:
        text = re.sub(r"<[^>]+>", " ", text)
    text = re.sub(r"^ERROR:\s*", "", " ".join(text.split()), flags=re.IGNORECASE)
    return (text.replace(secret, "(token)") if secret else text)[:_SHOWN].rstrip(".")


def _unreachable(error: Exception, host: str, limits: Limits) -> str:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"REDCap at {host} did not take the connection within {limits.connect:g} s. Check the network, then sync again."
    if isinstance(error, requests.exceptions.SSLError):
        return f"The certificate of REDCap at {host} was not accepted. Check the address and the certificate, then sync again."
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error).lower():
        return f"REDCap at {host} was silent for {limits.silence:g} s. Check that the server runs, then sync again."
    return (
        f"REDCap at {host} could not be reached or broke off its answer ({type(error).__name__}). "
        "Check that the server runs and the network is up, then sync again."
    )
