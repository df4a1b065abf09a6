"""How fast the offline verifier is beside the physical limit: SHA-256 over the same bytes on one core, in the same run.

Run: python benchmarks/verify.py [events] [rounds]. A bundle of one study's events of about 0.9 kB is made, with a signed head
after every 10,000; `docs/verifier/verify_bundle.py` reads and verifies it (every leaf, every tree, every signature). Both sides run in
one process and are measured in processor time; medians, and peak memory of the process. Goal A5: 0.40 of the limit.
"""

import hashlib
import importlib.util
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

#: events between two signed heads
EVERY = 10_000
PADDING = 560
SCRIPT = Path(__file__).resolve().parents[1] / "docs/verifier/verify_bundle.py"


def verifier() -> ModuleType:
    """Load the script as inspectors get it."""
    spec = importlib.util.spec_from_file_location("verify_bundle", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make(folder: Path, events: int) -> None:
    """Write the bundle as `metricis ledger bundle` writes it, without a database."""
    from datamodel.audit.canonical import canonical_bytes, leaf_hash, plain
    from datamodel.audit.merkle import Range
    from datamodel.checkpoints import bundle
    from datamodel.checkpoints.note import Head, Identity, signed
    from datamodel.kernel.ids import new_id
    from datamodel.vault.signing import signer_of

    signer, study, at = signer_of(os.urandom(32)), new_id(), datetime.now(UTC)
    identity = Identity("metricis-0123456789ab", tuple(signer.public_keys().items()))
    tree, heads = Range(), []
    with (folder / bundle.EVENTS).open("wb") as file:
        for number in range(1, events + 1):
            event = {
                "id": new_id(), "at": at, "study_id": study, "actor_id": study, "actor_kind": "machine", "actor_name": "bench",
                "role": "service", "action": "records.revise", "subject": f"participant:{number}", "reason": "",
                "request_id": study, "change": {"rows": number, "padding": "x" * PADDING},
            }  # fmt: skip
            body = canonical_bytes(plain(event))
            file.write(body + b"\n")
            tree.append(leaf_hash(body))
            if number % EVERY == 0 or number == events:
                heads.append(signed(Head(identity.name_for(study), number, tree.root()), signer))
    (folder / bundle.KEYS).write_text("".join(f"{line}\n" for line in identity.lines()))
    for name in (bundle.HEADS, bundle.CHECKPOINTS):
        (folder / name).write_text("".join(f"{one}\n" for one in heads))
    about = {
        "format": bundle.FORMAT, "origin": identity.name_for(study), "study": "bench", "entries": events, "checkpoints": len(heads),
        "files": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (bundle.HEADS, bundle.KEYS)},
    }  # fmt: skip
    (folder / bundle.ABOUT).write_text(json.dumps(about))


def limit(folder: Path) -> float:
    """Return seconds of processor time for one SHA-256 over the events' bytes, block by block as they are read."""
    began = time.process_time()
    with (folder / "events.jsonl").open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return time.process_time() - began


def main(events: int, rounds: int) -> int:
    """Measure, print, and return 1 when the goal is missed."""
    with tempfile.TemporaryDirectory(prefix="metricis-bench-") as name:
        folder = Path(name)
        make(folder, events)
        one = verifier()
        shares, rates = [], []
        for _ in range(rounds):
            least = limit(folder)
            began = time.process_time()
            checked, problems = one.verify(folder)
            took = time.process_time() - began
            if checked != events or problems:
                raise SystemExit(f"The bundle does not verify: {checked} checked, {problems[:2]}")
            shares.append(least / took)
            rates.append(events / took)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = (folder / "events.jsonl").stat().st_size / events
    share = statistics.median(shares)
    print(f"{events:,} events of {size:,.0f} bytes, {rounds} rounds, medians")
    print(
        f"A5: {statistics.median(rates):,.0f} events/s a core, {share:.2f} of SHA-256 alone (goal 0.40); {peak:,.0f} MiB"
    )
    return 0 if share >= 0.4 else 1


if __name__ == "__main__":
    sys.exit(main(*(int(one) for one in (*sys.argv[1:], "1000000", "5")[:2])))
