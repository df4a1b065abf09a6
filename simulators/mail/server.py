"""The SMTP side: aiosmtpd in a thread."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

MOST = 500


@dataclass(frozen=True, slots=True)
class Message:
    """One mail as it came."""

    number: int
    at: datetime
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    message_id: str
    was_encrypted: bool


@dataclass(slots=True)
class Box:
    """Every message so far, newest last; at most 500."""

    messages: list[Message] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, envelope: Envelope, *, was_encrypted: bool) -> None:
        """Keep what arrived."""
        content = envelope.content or b""
        parsed = message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=default)
        body = parsed.get_body(preferencelist=("plain",))
        with self._lock:
            number = self.messages[-1].number + 1 if self.messages else 1
            self.messages.append(
                Message(
                    number=number,
                    at=datetime.now(tz=UTC),
                    sender=envelope.mail_from or "",
                    to=tuple(envelope.rcpt_tos),
                    subject=str(parsed["subject"] or ""),
                    text=body.get_content() if body is not None else "",
                    message_id=str(parsed["message-id"] or ""),
                    was_encrypted=was_encrypted,
                )
            )
            del self.messages[:-MOST]

    def to(self, address: str) -> list[Message]:
        """Return what came for an address, newest last."""
        return [one for one in list(self.messages) if address.casefold() in (to.casefold() for to in one.to)]


class Handler:
    """What aiosmtpd asks."""

    def __init__(self, box: Box) -> None:
        self.box = box

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any address but those that are there to be refused."""
        del server, session, options
        if address.startswith("refused@"):
            return "550 5.1.1 No such mailbox"
        if address.startswith("later@"):
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - named by aiosmtpd
        """Keep a message."""
        del server
        self.box.add(envelope, was_encrypted=session.ssl is not None)
        return "250 Kept"


@contextmanager
def running_sink(
    *, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> Iterator[tuple[int, Box]]:
    """Run the server in a thread; give its port and its box. `tls` makes STARTTLS needed, `login` a name and password."""
    box = Box()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        del server, session, envelope, mechanism
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False)

    options: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if tls else {}
    if login:
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls is not None}
    controller = _Controller(Handler(box), hostname=host, port=port, **options)
    controller.start()
    try:
        yield controller.bound_port, box
    finally:
        controller.stop()


class _Controller(Controller):
    """Knows which port it got when it asked for any."""

    @property
    def bound_port(self) -> int:
        """The port it listens on."""
        assert self.server is not None  # noqa: S101 - it was started
        found: int = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        return found

    def _trigger_server(self) -> None:
        # aiosmtpd connects once to see that it runs, to the port that it was given
        self.port = self.bound_port
        super()._trigger_server()  # type: ignore[no-untyped-call]
