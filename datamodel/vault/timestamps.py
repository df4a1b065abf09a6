"""Time stamps of RFC 3161: ask for one, and check what an authority answered. No network here."""

import hashlib
from datetime import datetime

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from datamodel.kernel.errors import BadInputError


def request(message: bytes) -> bytes:
    """Return the request for a time stamp over `message` (SHA-512, with a nonce, asking for the certificate)."""
    return TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA512).build().as_bytes()


def stamped_at(answer: bytes, *, message: bytes, roots: bytes) -> datetime:
    """Return when an authority saw `message`, by its answer; `roots` are the certificates that are trusted, as PEM.

    Raises
    ------
    BadInputError
        When the answer is not a granted time stamp over this message by an authority under these certificates.
    """
    try:
        found = decode_timestamp_response(answer)
    except ValueError as error:
        raise BadInputError("The answer is not a time stamp of RFC 3161.") from error
    try:
        certificates = x509.load_pem_x509_certificates(roots)
    except ValueError as error:
        raise BadInputError("The file of trusted certificates holds none that can be read (PEM).") from error
    try:
        VerifierBuilder(roots=certificates).build().verify(found, hashlib.sha512(message).digest())
    except (VerificationError, ValueError) as error:
        raise BadInputError(f"The time stamp does not verify: {error}.") from error
    at: datetime = found.tst_info.gen_time
    return at
