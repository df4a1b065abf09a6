import base64
import hashlib
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from datamodel.checkpoints.note import Head, Identity, read, read_identity, signed, wrong
from datamodel.kernel.errors import BadInputError, FaultError
from datamodel.kernel.settings import Settings
from datamodel.vault.signing import load_signer, signer_of, verifies

SIGNER = signer_of(b"0123456789abcdef0123456789abcdef")
IDENTITY = Identity("metricis-0a", tuple(SIGNER.public_keys().items()))
HEAD = Head("metricis-0a/study", 40, hashlib.sha256(b"root").digest())
NOTE = signed(HEAD, SIGNER)


def test_a_checkpoint_is_what_c2sp_describes():
    text, empty, *signatures = NOTE.rpartition("\n\n")
    assert text == f"metricis-0a/study\n40\n{base64.b64encode(HEAD.root).decode()}"
    assert empty == "\n\n"
    lines = signatures[0].splitlines()
    assert len(lines) == 2
    dash, name, encoded = lines[0].split(" ")
    assert (dash, name) == ("—", "metricis-0a/study")
    raw = base64.b64decode(encoded)
    public = SIGNER.public_keys()["ed25519"]
    assert raw[:4] == hashlib.sha256(b"metricis-0a/study\n\x01" + public).digest()[:4]
    # Checked with the library itself: the signed text includes its last line break, not the empty line.
    Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], f"{text}\n".encode())


def test_a_checkpoint_reads_back_and_is_genuine():
    note = read(NOTE)
    assert note.head == HEAD
    assert wrong(note, IDENTITY) == ""


def test_the_same_secret_gives_the_same_keys_and_another_one_others():
    assert signer_of(b"0123456789abcdef0123456789abcdef").public_keys() == SIGNER.public_keys()
    assert signer_of(os.urandom(32)).public_keys() != SIGNER.public_keys()
    assert repr(SIGNER) == "Signer()"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text.replace("\n40\n", "\n41\n"), "signature does not verify"),
        (lambda text: text.replace("metricis-0a/study\n40", "metricis-0a/other\n40"), "no signature of this log's"),
        (lambda text: text.replace("metricis-0a", "metricis-0b"), "names the log"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "by ml-dsa-65"),
        (lambda text: "".join([*text.splitlines(keepends=True)[:4], text.splitlines(keepends=True)[5]]), "by ed25519"),
    ],
)
def test_a_checkpoint_that_was_touched_is_not_genuine(damage, reason):
    assert reason in wrong(read(damage(NOTE)), IDENTITY)


def test_another_key_s_checkpoint_is_not_genuine():
    assert "no signature of this log's" in wrong(read(signed(HEAD, signer_of(os.urandom(32)))), IDENTITY)


def test_a_witness_s_line_neither_helps_nor_hurts():
    line = f"— witness.example/w1 {base64.b64encode(os.urandom(76)).decode()}\n"
    assert wrong(read(NOTE + line), IDENTITY) == ""


def test_after_a_change_of_keys_both_verify():
    later = signer_of(os.urandom(32))
    both = Identity(IDENTITY.origin, (*IDENTITY.keys, *later.public_keys().items()))
    assert both.knows(later)
    assert not IDENTITY.knows(later)
    assert wrong(read(NOTE), both) == wrong(read(signed(HEAD, later)), both) == ""
    assert "no signature of this log's" in wrong(read(signed(HEAD, later)), IDENTITY)


def test_the_identity_is_written_as_verifier_keys():
    text = "\n".join(IDENTITY.lines())
    assert read_identity(text) == IDENTITY
    name, known, encoded = IDENTITY.lines()[0].split("+", 2)
    raw = base64.b64decode(encoded)
    assert (name, raw[0], len(raw)) == ("metricis-0a", 1, 33)
    assert known == hashlib.sha256(b"metricis-0a\n" + raw).hexdigest()[:8]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "metricis-0a+00000000+AAAA",
        IDENTITY.lines()[0].replace("+", "-"),
        f"{IDENTITY.lines()[0]}\n{Identity('metricis-0b', IDENTITY.keys).lines()[1]}",
        IDENTITY.lines()[0][:-8],
    ],
)
def test_what_is_no_identity_is_refused(text):
    with pytest.raises(BadInputError):
        read_identity(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "a\n1\n",
        NOTE.replace("\n40\n", "\n040\n"),
        NOTE.replace("\n40\n", "\n-1\n"),
        NOTE.replace("\n40\n", "\n4²\n"),
        NOTE.replace("\n\n", "\nmore\n\n"),
        NOTE.replace("— metricis", "- metricis"),
        NOTE.replace("=\n", "\n", 1),
        NOTE.rstrip("\n"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(BadInputError):
        read(text)


def test_signatures_of_a_wrong_length_do_not_verify():
    keys, message = SIGNER.public_keys(), b"text"
    good = SIGNER.sign(message)
    for kind, key in keys.items():
        assert verifies(kind, key=key, message=message, signature=good[kind])
        assert not verifies(kind, key=key, message=b"other", signature=good[kind])
        assert not verifies(kind, key=key, message=message, signature=good[kind][:-1])
        assert not verifies(kind, key=key[:-1], message=message, signature=good[kind])
        assert not verifies(kind, key=key, message=message, signature=b"")


def _settings(folder, **given):
    return Settings(home=folder, **given)


def test_production_signs_with_a_key_that_was_given(tmp_path):
    with pytest.raises(FaultError, match="METRICIS_LEDGER_KEY"):
        load_signer(_settings(tmp_path, environment="production"))
    secret = base64.b64encode(os.urandom(32)).decode()
    assert load_signer(_settings(tmp_path, environment="production", ledger_key=secret))
    assert not (tmp_path / "ledger.key").exists()


def test_elsewhere_the_key_is_made_once_and_closed_to_others(tmp_path):
    first = load_signer(_settings(tmp_path))
    assert load_signer(_settings(tmp_path)).public_keys() == first.public_keys()
    assert (tmp_path / "ledger.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "ledger.key").unlink()
    with pytest.raises(FaultError, match="Put the file back"):
        load_signer(_settings(tmp_path), may_make=False)


@pytest.mark.parametrize("secret", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_malformed_key_is_refused(tmp_path, secret):
    with pytest.raises(FaultError, match="32"):
        load_signer(_settings(tmp_path, ledger_key=secret))


def test_a_key_that_protects_something_else_is_refused(tmp_path):
    secret = base64.b64encode(os.urandom(32)).decode()
    with pytest.raises(FaultError, match="also the root key"):
        load_signer(_settings(tmp_path, ledger_key=secret, root_key=secret))
