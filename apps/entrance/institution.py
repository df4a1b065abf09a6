"""Signing in with an institution: out to its page and back (OpenID Connect: discovery, code with PKCE, state, nonce)."""

from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from fastapi import APIRouter, Request
from fastapi.responses import Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from apps.entrance.doors import Comer, Form, Guest, Inside, database_url, fresh, go, hold
from apps.entrance.pages import render, spoken
from apps.entrance.way_in import entered, own_page
from datamodel.access.actor import KNOCKING
from datamodel.credentials import institutions
from datamodel.credentials.institutions import NOT_ACCEPTED, Trip
from datamodel.kernel.errors import FaultError, NotFoundError, RefusedError, TransientFault
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work

ROUTES = APIRouter()
_SECONDS: Final = 10
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
#: Signatures with the institution's public key; `none` and shared secrets are not among them.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_NONE: Final = "There is no institution's sign-in here. Sign in another way."
_AWAY: Final = (
    "Your institution's sign-in does not answer as it should, so nobody was signed in with it. Try again in a minute, or sign in "
    "another way."
)


def _issuer() -> str:
    """Return the issuer; NotFoundError when none is set up, FaultError when its address is not safe."""
    issuer = settings().oidc_issuer.rstrip("/")
    if not issuer or not settings().oidc_client_id:
        raise NotFoundError(_NONE)
    parts = urlsplit(issuer)
    if parts.scheme != "https" and (settings().is_production or parts.hostname not in _LOOPBACK):
        raise FaultError("METRICIS_OIDC_ISSUER must begin with https://, so the institution's sign-in is not offered.")
    return issuer


def _back() -> str:
    return f"{settings().base_url.rstrip('/')}/sign-in/institution/back"


def _client() -> httpx.Client:
    return httpx.Client(timeout=_SECONDS, follow_redirects=False)


def _discovered(client: httpx.Client) -> dict[str, Any]:
    """Return the institution's own description, which must name the issuer that we were told."""
    issuer = _issuer()
    found: dict[str, Any] = _json(client, f"{issuer}/.well-known/openid-configuration")
    if str(found.get("issuer", "")).rstrip("/") != issuer:
        raise TransientFault(_AWAY)
    return found


def _json(client: httpx.Client, address: str) -> Any:
    try:
        return client.get(address).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise TransientFault(_AWAY) from error


def _way_out(trip: Trip) -> str:
    with _client() as client:
        start = _discovered(client)["authorization_endpoint"]
    asked = {
        "response_type": "code",
        "client_id": settings().oidc_client_id,
        "redirect_uri": _back(),
        "scope": "openid",
        "state": trip.state,
        "nonce": trip.nonce,
        "code_challenge": create_s256_code_challenge(trip.verifier),
        "code_challenge_method": "S256",
    }
    return str(add_params_to_uri(start, asked))


def _claims(code: str, trip: Trip) -> dict[str, Any]:
    """Exchange the code and return the verified claims of the identity token.

    Raises
    ------
    RefusedError
        When the institution does not give a token, or anything about it is not as it must be.
    TransientFault
        When it does not answer.
    """
    with _client() as client:
        found = _discovered(client)
        identity = _identity_token(client, found["token_endpoint"], code, trip)
        keys = _json(client, found["jwks_uri"])
    try:
        token = jwt.decode(identity, KeySet.import_key_set(keys), algorithms=list(_ALGORITHMS))
        jwt.JWTClaimsRegistry(
            leeway=60,
            iss={"essential": True, "value": found["issuer"]},
            aud={"essential": True, "value": settings().oidc_client_id},
            nonce={"essential": True, "value": trip.nonce},
            sub={"essential": True},
            exp={"essential": True},
        ).validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise RefusedError(NOT_ACCEPTED) from error
    if token.claims.get("azp", settings().oidc_client_id) != settings().oidc_client_id:
        raise RefusedError(NOT_ACCEPTED)
    return dict(token.claims)


def _identity_token(client: httpx.Client, address: str, code: str, trip: Trip) -> str:
    own, secret = settings().oidc_client_id, settings().oidc_client_secret.get_secret_value()
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _back(),
        "client_id": own,
        "code_verifier": trip.verifier,
    }
    try:
        answer = client.post(
            address, data=fields, auth=(quote(own, safe=""), quote(secret, safe="")) if secret else None
        )
        token = answer.json().get("id_token") if answer.is_success else None
    except httpx.HTTPError as error:
        raise TransientFault(_AWAY) from error
    except (ValueError, AttributeError) as error:
        raise RefusedError(NOT_ACCEPTED) from error
    if not isinstance(token, str):
        raise RefusedError(NOT_ACCEPTED)
    return token


@ROUTES.get("/sign-in/institution")
def set_out(request: Request, guest: Comer) -> Response:
    """Send a browser to the institution."""
    _issuer()
    with unit_of_work(database_url(), KNOCKING, reason="signs in with an institution") as unit:
        then = own_page(request.query_params.get("next", ""))
        trip = institutions.begin_trip(unit, holder=guest.holder, then=then)
    return hold(go(_way_out(trip)), guest)


@ROUTES.post("/account/institution")
def set_out_to_link(request: Request, guest: Inside, form: Form) -> Response:
    """Offer the way to the institution whose subject is to be linked to one's own account."""
    del form
    _issuer()
    try:
        fresh(guest)
    except RefusedError:
        return go("/confirm?next=/account")
    with unit_of_work(database_url(), guest.actor, reason="links an institution") as unit:
        trip = institutions.begin_trip(unit, holder=guest.holder, account_id=guest.actor.id)
    t, name = spoken(request), settings().oidc_name or settings().oidc_issuer
    return render(
        request,
        guest,
        "said.html",
        title=t("institution.go_title", name=name),
        words=t("institution.go_text"),
        action="",
        button="",
        href=_way_out(trip),
        link=t("institution.go"),
        is_away=True,
    )


@ROUTES.get("/sign-in/institution/back")
def come_back(request: Request, guest: Comer) -> Response:
    """Take a browser that comes back from the institution."""
    asked = request.query_params
    with unit_of_work(database_url(), KNOCKING, reason="came back from an institution") as unit:
        trip = institutions.end_trip(unit, state=asked.get("state", ""), holder=guest.holder)
    if asked.get("iss", _issuer()).rstrip("/") != _issuer() or not asked.get("code"):
        raise RefusedError(NOT_ACCEPTED)
    claims = _claims(asked["code"], trip)
    if trip.account_id is not None:
        return _link(guest, trip, claims)
    with unit_of_work(database_url(), KNOCKING, reason="signed in with an institution") as unit:
        entry = institutions.sign_in(
            unit,
            issuer=_issuer(),
            subject=str(claims["sub"]),
            is_strong="mfa" in (claims.get("amr") or []),
            device=guest.device,
        )
    return entered(guest, entry, then=trip.then)


def _link(guest: Guest, trip: Trip, claims: dict[str, Any]) -> Response:
    if guest.actor is None or guest.actor.id != trip.account_id:
        raise RefusedError(NOT_ACCEPTED)
    with unit_of_work(database_url(), guest.actor, reason="linked an institution") as unit:
        institutions.link(unit, issuer=_issuer(), subject=str(claims["sub"]))
    return go("/account?done=linked")


@ROUTES.post("/account/institution/{identity_id}/remove")
def remove(guest: Inside, form: Form, identity_id: UUID) -> Response:
    """Take the link off one's own account."""
    del form
    try:
        fresh(guest)
    except RefusedError:
        return go("/confirm?next=/account")
    with unit_of_work(database_url(), guest.actor, reason="unlinked an institution") as unit:
        institutions.unlink(unit, identity_id)
    return go("/account?done=removed")
