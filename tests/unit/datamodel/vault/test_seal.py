import base64
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import Settings
from datamodel.vault.keys import Key, SecretError, load_key
from datamodel.vault.seal import (
    Foreign,
    Place,
    Sealed,
    SealedText,
    SingleKey,
    disclose,
    enclose,
    lookup_hash,
    parse,
    seal,
    unseal,
)

KEY = Key(os.urandom(32), "k1")
RING = SingleKey(KEY, "here")
PLACE = Place("t", "c", new_id(), study=new_id())


def refused(kind):
    return pytest.raises(SecretError, check=lambda error: error.kind == kind)


@given(st.binary(min_size=1))
def test_what_is_sealed_opens_in_its_place_and_hides_the_plain(plain):
    sealed = enclose(RING, PLACE, plain)
    assert sealed.text.startswith("enc:v3:k1:")
    assert disclose(RING, PLACE, sealed) == plain


@pytest.mark.parametrize(
    "place",
    [
        Place("u", "c", PLACE.row, PLACE.study),
        Place("t", "d", PLACE.row, PLACE.study),
        Place("t", "c", new_id(), PLACE.study),
        Place("t", "c", PLACE.row, new_id()),
        Place("t", "c", PLACE.row),
    ],
    ids=["table", "column", "row", "study", "no study"],
)
def test_a_value_moved_elsewhere_does_not_open(place):
    with refused("tampered"):
        disclose(RING, place, enclose(RING, PLACE, b"secret"))


def test_a_value_of_another_installation_does_not_open():
    with refused("tampered"):
        disclose(SingleKey(KEY, "there"), PLACE, enclose(RING, PLACE, b"secret"))


def test_no_two_places_are_bound_alike():
    # parts that run into each other must not read the same
    one, other = Place("ab", "c", PLACE.row, PLACE.study), Place("a", "bc", PLACE.row, PLACE.study)
    with refused("tampered"):
        disclose(RING, other, enclose(RING, one, b"secret"))


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(at, by):
    sealed = enclose(RING, PLACE, b"a secret of some length")
    head, _, body = sealed.text.rpartition(":")
    raw = bytearray(base64.b64decode(body))
    raw[at % len(raw)] ^= by
    with refused("tampered"):
        disclose(RING, PLACE, Sealed(f"{head}:{base64.b64encode(raw).decode()}"))


@pytest.mark.parametrize(
    "text", ["plain", "", "enc:v3:", "enc:v3:k1:", "enc:v3:k1:***", "enc:v4:k1:AAAA", "enc:v2:gAAA"]
)
def test_plain_text_cannot_be_a_sealed_value(text):
    with refused("plaintext"):
        Sealed(text)
    assert isinstance(parse(text), Foreign)


@pytest.mark.parametrize("value", ["enc:v3:k1:QUJD", b"secret", "secret", 7, Foreign("enc:v2:x")])
def test_a_sealed_column_takes_the_type_and_nothing_else(value):
    with refused("plaintext"):
        SealedText().process_bind_param(value, dialect=None)


def test_sealing_again_changes_nothing_and_sealing_what_belongs_elsewhere_is_refused():
    once = enclose(RING, PLACE, b"secret")
    assert enclose(RING, PLACE, once) == once
    assert enclose(RING, PLACE, once.text.encode()) == once
    with refused("tampered"):
        enclose(RING, Place("t", "c", new_id(), PLACE.study), once)


def test_an_empty_secret_is_never_sealed():
    with refused("empty"):
        enclose(RING, PLACE, b"")


def test_nothing_that_is_shown_tells_a_key_or_a_value():
    sealed = enclose(RING, PLACE, b"CANARY")
    shown = f"{KEY!r} {RING!r} {sealed!r} {Foreign('CANARY')!r} {[sealed]} {KEY} {sealed}"
    assert "CANARY" not in shown
    assert KEY.material.hex() not in shown
    assert repr(KEY.material) not in shown
    assert sealed.text not in shown


def test_another_key_and_plain_text_are_refused():
    sealed = seal(KEY, PLACE, b"secret")
    assert unseal(KEY, PLACE, sealed) == b"secret"
    with refused("wrong"):
        unseal(Key(os.urandom(32), "k2"), PLACE, sealed)
    with refused("tampered"):
        unseal(Key(os.urandom(32), "k1"), PLACE, sealed)
    with refused("plaintext"):
        unseal(KEY, PLACE, "plain text")
    with refused("downgraded"):
        unseal(KEY, PLACE, "enc:v1:gAAAA")


def test_lookup_ignores_case_and_outer_blanks_and_depends_on_purpose():
    assert lookup_hash(KEY, "mail", " A@b.example ") == lookup_hash(KEY, "mail", "a@B.example")
    assert lookup_hash(KEY, "mail", "a") != lookup_hash(KEY, "phone", "a")


def test_the_key_file_is_made_once_and_private(tmp_path):
    settings = Settings(home=tmp_path)
    assert load_key(settings).id == load_key(settings).id
    assert (tmp_path / "root.key").stat().st_mode & 0o077 == 0
    assert "material" not in repr(load_key(settings))


def test_many_who_start_at_once_get_the_same_key_and_none_reads_half_of_it(tmp_path, monkeypatch):
    write, barrier = os.fdopen, Barrier(8)

    def slowly(*given, **more):
        barrier.wait(5)
        return write(*given, **more)

    monkeypatch.setattr("datamodel.vault.keys.os.fdopen", slowly)
    with ThreadPoolExecutor(8) as pool:
        found = {one.id for one in pool.map(lambda _: load_key(Settings(home=tmp_path)), range(8))}
    assert len(found) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["root.key"]
