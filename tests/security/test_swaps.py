"""A sealed value opens in its own place and nowhere else (S1)."""

import os
import random

import pytest

from datamodel.kernel.ids import new_id
from datamodel.vault.keys import Key, SecretError
from datamodel.vault.seal import Place, SingleKey, disclose, enclose

#: In the campaign the number of the goal; every day a tenth of it.
NUMBER = 10_000 if os.environ.get("METRICIS_CAMPAIGN") else 1_000


def test_no_swapped_value_is_accepted():
    chance = random.Random(20261122)
    keys = [Key(os.urandom(32), f"k{number}0") for number in range(4)]
    installations, studies = ["one", "two"], [None, *(new_id() for _ in range(6))]
    tables = [
        ("redcap_connection", "token"),
        ("envelope", "body"),
        ("envelope", "outcome"),
        ("consent_signature", "mark"),
    ]

    def place():
        table, column = chance.choice(tables)
        return Place(table, column, chance.choice(rows), chance.choice(studies))

    rows = [new_id() for _ in range(20)]
    accepted, opened = 0, 0
    for _ in range(NUMBER):
        key, installation, here = chance.choice(keys), chance.choice(installations), place()
        sealed = enclose(SingleKey(key, installation), here, b"0123456789ABCDEF0123456789ABCDEF")
        opened += disclose(SingleKey(key, installation), here, sealed) == b"0123456789ABCDEF0123456789ABCDEF"
        there, elsewhere = place(), chance.choice(installations)
        if (there, elsewhere) == (here, installation):
            elsewhere = "three"
        try:
            disclose(SingleKey(key, elsewhere), there, sealed)
            accepted += 1
        except SecretError:
            pass
    assert opened == NUMBER
    assert accepted == 0


def test_one_difference_alone_is_enough():
    key, row, study = Key(os.urandom(32), "k00"), new_id(), new_id()
    right = Place("redcap_connection", "token", row, study)
    sealed = enclose(SingleKey(key, "here"), right, b"secret")
    wrong = [
        ("here", Place("envelope", "token", row, study)),
        ("here", Place("redcap_connection", "body", row, study)),
        ("here", Place("redcap_connection", "token", new_id(), study)),
        ("here", Place("redcap_connection", "token", row, new_id())),
        ("here", Place("redcap_connection", "token", row)),
        ("there", right),
    ]
    for installation, place in wrong:
        with pytest.raises(SecretError) as refusal:
            disclose(SingleKey(key, installation), place, sealed)
        assert refusal.value.kind == "tampered"
    assert disclose(SingleKey(key, "here"), right, sealed) == b"secret"
