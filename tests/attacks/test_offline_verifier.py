"""The verifier that inspectors get: a second opinion that shares no code with ours, over bundles, heads and proofs."""

import hashlib
import importlib.util
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datamodel.checkpoints import bundle
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.proofs import prove
from datamodel.kernel.unit import sealing
from tests.attacks.test_ledger_attacks import ATTACKS, edit_a_value, slip_in_without_a_position

SCRIPT = Path(__file__).parents[2] / "docs/verifier/verify_bundle.py"
#: these leave the bytes of the sealed events as they were, and a bundle holds nothing else
NOT_IN_A_BUNDLE = {edit_a_value, slip_in_without_a_position}


def load():
    spec = importlib.util.spec_from_file_location("verify_bundle", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OFFLINE = load()


def kept(home):
    """What somebody keeps elsewhere: the log's public keys and its signed heads."""
    folder = home / "heads"
    heads = "".join(
        f"{one.read_text().rstrip()}\n\n" for one in sorted(folder.glob("**/*.txt")) if one.name != "identity.txt"
    )
    return (folder / "identity.txt").read_text(), heads


def written(forger, folder):
    with sealing(forger.url) as session:
        bundle.write(session, Record(forger.home), folder=folder)
    return folder


@pytest.fixture
def whole(attacked, tmp_path):
    return written(attacked, tmp_path / "bundle")


def told(folder, keys="", heads=""):
    """Return what is wrong by the offline verifier; a bundle that cannot be read is wrong too."""
    try:
        return OFFLINE.verify(folder, keys=keys, heads=heads)[1]
    except (OFFLINE.NotABundleError, ValueError, KeyError, TypeError, OSError) as error:
        return [{"kind": "bundle", "detail": str(error)}]


def test_it_imports_nothing_of_ours():
    lines = [line for line in SCRIPT.read_text().splitlines() if line.startswith(("import ", "from "))]
    known = {"argparse", "base64", "hashlib", "json", "sys", "pathlib", "cryptography", "typing", "collections"}
    assert {line.split()[1].split(".")[0] for line in lines} <= known
    assert len(SCRIPT.read_text().splitlines()) <= 400


def test_an_untouched_bundle_verifies_from_the_command_line(attacked, whole, tmp_path):
    keys, heads = kept(attacked.home)
    (tmp_path / "keys.txt").write_text(keys)
    (tmp_path / "heads.txt").write_text(heads)
    done = subprocess.run(
        [sys.executable, SCRIPT, whole, "--keys", tmp_path / "keys.txt", "--heads", tmp_path / "heads.txt", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["problems"]) == (0, True, [])
    assert found["checked"] == attacked.at("beta", 40)


@pytest.mark.parametrize("attack", [one for one in ATTACKS if one not in NOT_IN_A_BUNDLE], ids=lambda one: one.__name__)
def test_it_finds_what_a_database_s_owner_did(attacked, tmp_path, attack):
    keys, heads = kept(attacked.home)
    attack(attacked)
    assert not attacked.verdict().is_ok
    assert told(written(attacked, tmp_path / "bundle"), keys=keys, heads=heads)


def test_it_says_between_which_entries_something_was_altered(attacked, whole):
    lines = (whole / "events.jsonl").read_bytes().split(b"\n")
    at = attacked.at("alpha", 36)
    lines[at - 1] = lines[at - 1].replace(b"as measured", b"as invented")
    (whole / "events.jsonl").write_bytes(b"\n".join(lines))
    keys, heads = kept(attacked.home)
    first = next(one for one in told(whole, keys, heads) if one["kind"] == "root" and one["study"])
    assert attacked.at("alpha", 33) == first["position"]
    assert str(attacked.at("alpha", 40)) in first["detail"]


def test_an_event_after_the_last_head_is_not_taken_for_one_of_the_ledger(attacked, whole):
    events = (whole / "events.jsonl").read_bytes()
    last = events.rstrip(b"\n").rpartition(b"\n")[2]
    (whole / "events.jsonl").write_bytes(events + last + b"\n")
    about = json.loads((whole / "bundle.json").read_text())
    about["files"]["events.jsonl"] = hashlib.sha256(events + last + b"\n").hexdigest()
    (whole / "bundle.json").write_text(json.dumps(about))
    keys, heads = kept(attacked.home)
    found = told(whole, keys=keys, heads=heads)
    assert [(one["kind"], one["position"]) for one in found] == [("unsigned", attacked.at("beta", 40) + 1)]


def mutated(folder, chance):
    """Change a bundle somewhere in its events or heads, as carefully as hashes of files allow."""
    name = chance.choice(["events.jsonl"] * 3 + ["heads.txt", "checkpoints.txt"])
    path = folder / name
    raw = path.read_bytes()
    lines = raw.split(b"\n")
    match chance.choice(["bit", "swap", "drop", "twice", "tail"] if name == "events.jsonl" else ["bit"]):
        case "bit":
            at = chance.randrange(len(raw) - 2)
            flipped = raw[at] ^ (1 << chance.randrange(7))
            raw = raw[:at] + bytes([flipped]) + raw[at + 1 :]
        case "swap":
            one, two = chance.sample(range(len(lines) - 1), 2)
            lines[one], lines[two] = lines[two], lines[one]
            raw = b"\n".join(lines)
        case "drop":
            del lines[chance.randrange(len(lines) - 1)]
            raw = b"\n".join(lines)
        case "twice":
            at = chance.randrange(len(lines) - 1)
            raw = b"\n".join([*lines[:at], lines[at], *lines[at:]])
        case _:
            raw = b"\n".join([*lines[: -chance.randrange(2, 20)], b""])
    path.write_bytes(raw)
    about = json.loads((folder / "bundle.json").read_text())
    about["files"] = {one: hashlib.sha256((folder / one).read_bytes()).hexdigest() for one in about["files"]}
    (folder / "bundle.json").write_text(json.dumps(about))


@pytest.mark.parametrize("rounds", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_mutated_bundle_verifies(attacked, whole, tmp_path, rounds):
    keys, heads = kept(attacked.home)
    missed = []
    for seed in range(rounds):
        copy = tmp_path / "copy"
        shutil.copytree(whole, copy)
        mutated(copy, random.Random(seed))
        changed = any((copy / one).read_bytes() != (whole / one).read_bytes() for one in ("events.jsonl", "heads.txt"))
        changed = changed or (copy / "checkpoints.txt").read_bytes() != (whole / "checkpoints.txt").read_bytes()
        if changed and not told(copy, keys=keys, heads=heads):
            missed.append(seed)
        shutil.rmtree(copy)
    assert missed == []


@pytest.mark.parametrize("whole_tree", [False, True])
def test_a_proof_verifies_alone_and_an_altered_one_does_not(attacked, whole_tree):
    keys, _ = kept(attacked.home)
    with sealing(attacked.url) as session:
        proof = prove(session, Record(attacked.home), entry=attacked.at("beta", 7), whole=whole_tree)
    document = proof.document()
    assert OFFLINE.verify_proof(json.dumps(document), keys) == []
    assert len(json.dumps(document["proof"])) <= 1500
    for changed in (
        {**document, "event": document["event"].replace("as measured", "as invented")},
        {**document, "proof": {**document["proof"], "index": document["proof"]["index"] ^ 1}},
        {**document, "proof": {**document["proof"], "path": document["proof"]["path"][1:]}},
        {**document, "checkpoint": document["checkpoint"].replace("\n40\n", "\n41\n").replace("\n8", "\n9")},
    ):
        assert OFFLINE.verify_proof(json.dumps(changed), keys)
