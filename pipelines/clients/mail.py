"""Handing mail to an SMTP server, with every way it can fail named. No address is in any message of ours."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime
from typing import Final
from uuid import UUID

from datamodel.kernel.errors import FaultError, TransientFault
from datamodel.kernel.settings import Settings

_SECONDS: Final = 20.0
_PERMANENT: Final = 500
_NO_HOST: Final = "No mail server is set (METRICIS_SMTP_HOST), so no mail goes out; what waits is kept."
_PLAIN: Final = (
    "The mail server is set to be spoken to without TLS (METRICIS_SMTP_TLS=none), which production refuses; no mail went out. "
    "Set it to starttls or tls."
)


class UndeliverableError(FaultError):
    """The server refuses this mail for good; trying again does not help."""


class Mailer:
    """One connection to the mail server of the settings; see `mailer`."""

    def __init__(self, server: smtplib.SMTP, sender: str) -> None:
        self._server, self._sender = server, sender

    def send(self, mail_id: UUID, *, to: str, subject: str, text: str) -> None:
        """Hand over one mail.

        Raises
        ------
        UndeliverableError
            When the server refuses it for good (5xx), or the address is none.
        TransientFault
            When it may be accepted later (4xx, a lost connection).
        """
        try:
            message = _message(mail_id, sender=self._sender, to=to, subject=subject, text=text)
        except ValueError:
            raise UndeliverableError("The address is no mail address.") from None
        try:
            self._server.send_message(message, from_addr=self._sender, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as error:
            raise _judged(max(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise _judged(error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise UndeliverableError("The mail server does not take addresses of this kind.") from None
        except (smtplib.SMTPException, OSError) as error:
            raise TransientFault(f"The mail server broke off ({type(error).__name__}).") from None


def _judged(code: int) -> FaultError:
    if code >= _PERMANENT:
        return UndeliverableError(f"The mail server refused it for good (answer {code}).")
    return TransientFault(f"The mail server wants it later (answer {code}).")


def _message(mail_id: UUID, *, sender: str, to: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Metricis", addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    message["Subject"] = subject
    message["Date"] = format_datetime(localtime())
    # the same for every try, so that a mail server can recognise a repeat
    message["Message-ID"] = f"<{mail_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    # 7-bit text without wrapping marks keeps long links whole in every mail program
    message.set_content(text, cte="quoted-printable" if not text.isascii() else "7bit")
    return message


@contextmanager
def mailer(given: Settings) -> Iterator[Mailer]:
    """Open a connection to the mail server and close it at the end.

    Raises
    ------
    FaultError
        When none is set, production would speak to it without TLS, or it refuses us.
    TransientFault
        When it does not answer.
    """
    if not given.smtp_host:
        raise FaultError(_NO_HOST)
    if given.smtp_tls == "none" and given.is_production:
        raise FaultError(_PLAIN)
    try:
        server = _connected(given)
    except smtplib.SMTPAuthenticationError:
        raise FaultError(
            "The mail server refused METRICIS_SMTP_USER and METRICIS_SMTP_PASSWORD; no mail went out."
        ) from None
    except ssl.SSLError as error:
        raise FaultError(
            f"The mail server's certificate or TLS is not good ({error.reason}); no mail went out."
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise FaultError("The mail server offers no STARTTLS or no sign-in; no mail went out.") from None
    except (smtplib.SMTPException, OSError) as error:
        raise TransientFault(f"The mail server does not answer ({type(error).__name__}).") from None
    try:
        yield Mailer(server, given.mail_from)
    finally:
        server.close()


def _connected(given: Settings) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=str(given.smtp_ca_file) if given.smtp_ca_file else None)
    if given.smtp_tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(given.smtp_host, given.smtp_port, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(given.smtp_host, given.smtp_port, timeout=_SECONDS)
    try:
        if given.smtp_tls == "starttls":
            server.starttls(context=context)
        if given.smtp_user:
            server.login(given.smtp_user, given.smtp_password.get_secret_value())
    except BaseException:
        server.close()
        raise
    return server
