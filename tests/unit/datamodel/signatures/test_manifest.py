"""What a signature covers: it verifies over its own record only, whatever is swapped."""

import os
import random
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from datamodel.kernel.errors import Refused
from datamodel.kernel.ids import new_id
from datamodel.signatures.manifest import MEANINGS, Item, Signed, as_shown, digest, instant_in_words, meant
from datamodel.signatures.reads import Manifestation, verify_signature
from datamodel.vault.signing import signer_of

SIGNER = signer_of(b"a key of these tests, 32 bytes!!")
AT = datetime(2026, 3, 5, 8, 10, 7, 123456, tzinfo=UTC)
#: (part of the signature or its item) that the manifest must cover
COVERED = (
    "id",
    "study_id",
    "meaning",
    "account_id",
    "printed_name",
    "role",
    "signed_at",
    "zone",
    "salt",
    "item.record_id",
    "item.version",
    "item.content_hash",
    "item.kind",
    "item.participant",
    "item.event_name",
    "item.form_name",
    "item.event_repeat",
    "item.form_repeat",
)


def signed(number: int = 0) -> Signed:
    """Return a signature over a record of its own."""
    bare = Signed(
        id=new_id(),
        act_id=new_id(),
        study_id=new_id(),
        item=Item(
            record_id=new_id(),
            version=1 + number % 5,
            content_hash=os.urandom(32),
            participant=f"701-{1000 + number}",
            event_name=f"visit_{number % 4}",
            form_name=("vs", "dm", "ae")[number % 3],
            form_repeat=number % 2,
        ),
        meaning=sorted(MEANINGS)[number % len(MEANINGS)],
        account_id=new_id(),
        printed_name=f"Ida Paul {number}",
        role="investigator",
        session_id=new_id(),
        signed_at=AT + timedelta(seconds=number),
        zone="Europe/Paris",
        salt=os.urandom(16),
        manifest_sha256=b"",
        public_key=SIGNER.public_keys()["ed25519"],
        value=b"",
    )
    return replace(bare, manifest_sha256=digest(bare.message), value=SIGNER.ed25519.sign(bare.message))


def other(value):
    """Return something of the same kind that is not `value`."""
    match value:
        case bool() | int():
            return value + 1
        case UUID():
            return new_id()
        case datetime():
            return value + timedelta(microseconds=1)
        case bytes():
            return bytes([value[0] ^ 1, *value[1:]])
    return value + "x"


def test_a_signature_verifies_over_its_own_record():
    one = signed()
    assert verify_signature(one)
    assert verify_signature(one, item=one.item)


@pytest.mark.parametrize("part", COVERED)
def test_each_part_is_covered(part):
    one = signed(3)
    if part.startswith("item."):
        name = part.removeprefix("item.")
        changed = replace(one, item=replace(one.item, **{name: other(getattr(one.item, name))}))
    else:
        changed = replace(one, **{part: other(getattr(one, part))})
    assert not verify_signature(changed)
    assert not verify_signature(replace(changed, manifest_sha256=digest(changed.message))), "nor with a new hash"


def test_every_part_of_a_record_is_covered_but_the_participant_s_row():
    names = {f"item.{one.name}" for one in fields(Item)} - {"item.participant_id"}
    assert names <= set(COVERED)


def test_of_1000_transplanted_signatures_none_verifies():
    generator = random.Random(1170)
    made = [signed(n) for n in range(120)]
    verified = 0
    for _ in range(1000):
        giver, taker = generator.sample(made, 2)
        verified += verify_signature(
            replace(
                taker,
                value=giver.value,
                manifest_sha256=generator.choice([giver.manifest_sha256, taker.manifest_sha256]),
            )
        )
        verified += verify_signature(giver, item=taker.item)
        verified += verify_signature(replace(giver, item=taker.item))
    assert verified == 0
    assert all(verify_signature(one) for one in made)


def test_a_signature_under_a_key_of_somebody_s_own_does_not_verify_under_the_study_s():
    one = signed()
    forged = replace(one, value=signer_of(b"another key of these tests, 32 b").ed25519.sign(one.message))
    assert not verify_signature(forged)


def test_of_1000_records_changed_after_they_were_shown_none_is_accepted():
    generator = random.Random(18)
    accepted = 0
    for _ in range(1000):
        item = signed(generator.randrange(50)).item
        version, content = item.version, item.content_hash
        match generator.randrange(3):
            case 0:
                version += 1
            case 1:
                content = other(content)
            case 2:
                version, content = version + 1, os.urandom(32)
        accepted += bool(as_shown([item], {item.record_id: (version, content)}))
    assert accepted == 0


def test_a_record_that_is_gone_is_not_what_was_shown():
    refused = as_shown([signed().item], {})
    assert isinstance(refused, Refused)
    assert "changed after it was shown" in refused.sentence


def test_what_was_shown_and_stayed_may_be_signed():
    items = [signed(n).item for n in range(5)]
    assert as_shown(items, {one.record_id: (one.version, one.content_hash) for one in items})


def test_a_meaning_is_one_of_the_list():
    assert all(meant(one) for one in MEANINGS)
    refused = meant("I agree")
    assert isinstance(refused, Refused)
    assert "author, review, approval, responsibility" in refused.reason


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Paris", "05-Mar-2026 09:10:07 (Europe/Paris, UTC+01:00)"),
        ("America/New_York", "05-Mar-2026 03:10:07 (America/New_York, UTC-05:00)"),
        ("Asia/Kolkata", "05-Mar-2026 13:40:07 (Asia/Kolkata, UTC+05:30)"),
        ("UTC", "05-Mar-2026 08:10:07 (UTC, UTC+00:00)"),
    ],
)
def test_an_instant_says_its_zone(zone, words):
    assert instant_in_words(AT, zone) == words


def shown(**given) -> Manifestation:
    values = {
        "id": new_id(),
        "record_id": new_id(),
        "version": 2,
        "printed_name": "Ida Paul",
        "role": "investigator",
        "signed_at": AT,
        "zone": "Europe/Paris",
        "meaning": "responsibility",
        "is_void": False,
        "void_reason": "",
        "voided_at": None,
        "voided_by": "",
        "fingerprint": "0123456789abcdef",
    }
    return Manifestation(**(values | given))


def test_the_manifestation_has_name_instant_with_zone_and_meaning_in_one_line():
    assert shown().text == (
        "Electronically signed by Ida Paul (investigator) on 05-Mar-2026 09:10:07 (Europe/Paris, UTC+01:00). "
        "Meaning: responsibility. I am responsible for this record; it is accurate and complete. "
        "Version 2; signature 0123456789abcdef."
    )


def test_a_void_signature_says_since_when_and_why_before_anything_else():
    said = shown(is_void=True, void_reason="Value changed: Pulse", voided_at=AT + timedelta(days=1)).text
    assert said.startswith("VOID since 06-Mar-2026 09:10:07 (Europe/Paris, UTC+01:00): Value changed: Pulse (was: ")
    assert "Ida Paul" in said
