import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodel.kernel.errors import FaultError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import Settings
from datamodel.vault.keys import Key, load_key
from datamodel.vault.seal import Place, lookup_hash, seal, unseal

KEY = Key(os.urandom(32), "k1")
PLACE = Place("t", "c", new_id())


@given(st.binary())
def test_what_is_sealed_opens_in_its_place_and_hides_the_plain(plain):
    sealed = seal(KEY, PLACE, plain)
    assert sealed.startswith("enc:v3:k1:")
    assert unseal(KEY, PLACE, sealed) == plain


@pytest.mark.parametrize("place", [Place("t", "c", new_id()), Place("t", "d", PLACE.row), Place("u", "c", PLACE.row)])
def test_a_value_moved_elsewhere_does_not_open(place):
    with pytest.raises(FaultError, match="altered or moved"):
        unseal(KEY, place, seal(KEY, PLACE, b"secret"))


def test_another_key_and_plain_text_are_refused():
    with pytest.raises(FaultError, match="not sealed with the present key"):
        unseal(Key(os.urandom(32), "k2"), PLACE, seal(KEY, PLACE, b"secret"))
    with pytest.raises(FaultError, match="not sealed"):
        unseal(KEY, PLACE, "plain text")


def test_lookup_ignores_case_and_outer_blanks_and_depends_on_purpose():
    assert lookup_hash(KEY, "mail", " A@b.example ") == lookup_hash(KEY, "mail", "a@B.example")
    assert lookup_hash(KEY, "mail", "a") != lookup_hash(KEY, "phone", "a")


def test_the_key_file_is_made_once_and_private(tmp_path):
    settings = Settings(home=tmp_path)
    assert load_key(settings).id == load_key(settings).id
    assert (tmp_path / "root.key").stat().st_mode & 0o077 == 0
    assert "material" not in repr(load_key(settings))


def test_production_needs_a_key_of_its_own(tmp_path):
    with pytest.raises(FaultError, match="METRICIS_ROOT_KEY"):
        load_key(Settings(home=tmp_path, environment="production"))
    with pytest.raises(FaultError, match="must be 32 bytes"):
        load_key(Settings(home=tmp_path, root_key="%%%"))
