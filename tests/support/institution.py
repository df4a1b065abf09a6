"""A small OpenID provider, for tests: discovery, code with PKCE, signed identity tokens; it lies when it is told to."""

import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "metricis-client", "a secret: of the/client"


class Institution:
    """`subject` is who is signed in there; `lie` replaces claims of the identity token, or its header, key or code."""

    def __init__(self) -> None:
        self.issuer = ""
        self.subject, self.lie = "subject-4711", dict[str, Any]()
        self.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        self.codes: dict[str, dict[str, str]] = {}
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self.description)
        self.app.get("/keys")(lambda: KeySet([self.key]).as_dict(private=False))
        self.app.get("/authorize")(self.authorize)
        self.app.post("/token")(self.token)

    def description(self) -> dict[str, Any]:
        """Answer discovery."""
        return {
            "issuer": self.lie.get("issuer", self.issuer),
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def authorize(self, request: Request) -> RedirectResponse:
        """Sign the subject in at once, and send it back with a code."""
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"]} | self.lie.get("back", {})
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}")

    async def token(self, request: Request) -> JSONResponse:
        """Exchange a code for an identity token."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        name, _, secret = base64.b64decode(request.headers["authorization"].split()[1]).decode().partition(":")
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        is_own = (name, secret) == (CLIENT, "a%20secret%3A%20of%20the%2Fclient")
        if asked is None or not is_own or challenge.rstrip(b"=").decode() != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 60,
        } | self.lie.get("claims", {})
        header = {"alg": "RS256", "kid": "one"} | self.lie.get("header", {})
        made = jwt.encode(header, claims, self.lie.get("key", self.key), algorithms=["RS256", "HS256", "none"])
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": made})
