"""A passkey made of software: it signs whatever it is told to, also what an honest one never would."""

import base64
import hashlib
import json
import os
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def words(raw: bytes) -> str:
    """Return bytes as WebAuthn writes them in JSON."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    """Return what `words` wrote."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """One passkey (ES256, W3C Web Authentication level 3, attestation `none`)."""

    def __init__(self, origin: str, rp_id: str) -> None:
        self.origin, self.rp_id = origin, rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.count, self.handle = os.urandom(32), 0, b""

    def make(self, options: str, **lie: Any) -> str:
        """Answer `navigator.credentials.create`."""
        asked = json.loads(options)
        self.handle = raw(asked["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(lie, extra=ATTESTED) + attested
        sent = {
            "clientDataJSON": words(self._client("webauthn.create", asked["challenge"], lie)),
            "attestationObject": words(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._answer(sent, lie)

    def show(self, options: str, **lie: Any) -> str:
        """Answer `navigator.credentials.get`; `lie` replaces origin, rp_id, challenge, kind, flags, count, handle, key or id."""
        asked = json.loads(options)
        self.count += 1
        data = self._data(lie)
        client = self._client("webauthn.get", asked["challenge"], lie)
        signature = lie.get("key", self.key).sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        sent = {
            "clientDataJSON": words(client),
            "authenticatorData": words(data),
            "signature": words(signature),
            "userHandle": words(lie.get("handle", self.handle)),
        }
        return self._answer(sent, lie)

    def _client(self, kind: str, challenge: str, lie: dict[str, Any]) -> bytes:
        said = {
            "type": lie.get("kind", kind),
            "challenge": lie.get("challenge", challenge),
            "origin": lie.get("origin", self.origin),
            "crossOrigin": lie.get("cross", False),
        }
        return json.dumps(said).encode()

    def _data(self, lie: dict[str, Any], *, extra: int = 0) -> bytes:
        place = hashlib.sha256(lie.get("rp_id", self.rp_id).encode()).digest()
        return (
            place
            + bytes([lie.get("flags", PRESENT | VERIFIED) | extra])
            + struct.pack(">I", lie.get("count", self.count))
        )

    def _answer(self, response: dict[str, str], lie: dict[str, Any]) -> str:
        own = words(lie.get("id", self.id))
        return json.dumps(
            {"id": own, "rawId": own, "type": "public-key", "response": response, "clientExtensionResults": {}}
        )
