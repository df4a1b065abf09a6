"""The passkey ceremonies (W3C Web Authentication, level 3), without storage: what is asked, and whether the answer holds.

User verification is required, the origin and the relying party are those of the installation's address, and nothing in a
frame of another site is taken.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from datamodel.kernel.errors import Refused, RefusedError
from datamodel.kernel.settings import settings

_LONGEST: Final = 20_000
NOT_ACCEPTED: Final = Refused(
    "passkey-refused",
    "This passkey was not accepted, so you are not signed in with it.",
    "Try again; if it stays like this, use your password, or ask your administrator for a link.",
)


@dataclass(frozen=True, slots=True)
class Made:
    """A new passkey."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What a browser says it has: which passkey, for which challenge. Nothing of it is checked yet."""

    credential_id: bytes
    challenge: bytes
    user_handle: bytes | None
    response: dict[str, Any]


def is_possible() -> bool:
    """Return whether browsers make passkeys for this installation's address: a name, by https, or localhost."""
    base = urlsplit(settings().base_url)
    host = base.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return base.scheme == "https" or host == "localhost"
    return False


def registration(account_id: UUID, *, name: str, printed: str, challenge: bytes, known: Sequence[bytes]) -> str:
    """Return the options (JSON) with which a browser makes a passkey; `known` ones are not made again."""
    options = webauthn.generate_registration_options(
        rp_id=_rp_id(),
        rp_name="Metricis",
        user_id=account_id.bytes,
        user_name=name,
        user_display_name=printed,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    return webauthn.options_to_json(options)


def question(*, challenge: bytes, known: Sequence[bytes] = ()) -> str:
    """Return the options (JSON) with which a browser shows a passkey: any of this site's, or one of the `known`."""
    options = webauthn.generate_authentication_options(
        rp_id=_rp_id(),
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def read(text: str) -> Shown:
    """Return what a browser sent.

    Raises
    ------
    RefusedError
        When it is not the answer of a passkey.
    """
    try:
        sent: Any = json.loads(text) if len(text) <= _LONGEST else None
        data = parse_client_data_json(base64url_to_bytes(sent["response"]["clientDataJSON"]))
        handle = sent["response"].get("userHandle")
        shown = Shown(
            credential_id=base64url_to_bytes(sent["id"]),
            challenge=data.challenge,
            user_handle=base64url_to_bytes(handle) if handle else None,
            response=sent,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RefusedError(NOT_ACCEPTED) from error
    if data.cross_origin:
        raise RefusedError(NOT_ACCEPTED)
    return shown


def made(shown: Shown, *, challenge: bytes) -> Made:
    """Check the making of a passkey.

    Raises
    ------
    RefusedError
        When anything about it is not as it was asked.
    """
    try:
        found = webauthn.verify_registration_response(
            credential=shown.response,
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedError(NOT_ACCEPTED) from error
    return Made(found.credential_id, found.credential_public_key, found.sign_count)


def counted(shown: Shown, *, challenge: bytes, public_key: bytes, sign_count: int) -> int:
    """Check the showing of a passkey and return its new counter.

    Raises
    ------
    RefusedError
        When anything is not as it was asked, the signature is another's, or the counter went back (a copy is about).
    """
    try:
        found = webauthn.verify_authentication_response(
            credential=shown.response,
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedError(NOT_ACCEPTED) from error
    return found.new_sign_count


def _rp_id() -> str:
    return urlsplit(settings().base_url).hostname or ""


def _origin() -> str:
    base = urlsplit(settings().base_url)
    return f"{base.scheme}://{base.netloc}"
