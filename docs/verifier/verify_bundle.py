"""Verify a bundle of the ledger of Metricis without Metricis: python verify_bundle.py FOLDER [--keys FILE] [--heads FILE] [--json]

Needs Python 3.11 and the package `cryptography` (48 or newer, for ML-DSA-65); nothing else, and no network. It was written from
the description in `docs/manual/ledger.md`, RFC 9162 and the C2SP formats signed-note and tlog-checkpoint, and shares no code
with the program that wrote the bundle.

What it does: hashes every event as an RFC 9162 leaf, grows the installation's tree and one tree for each study, and compares
the root with every signed head at its size; checks both signatures of every head against the log's public keys. Keys and heads
that you kept elsewhere (`--keys`, `--heads`) are what makes the answer worth something: a bundle alone only agrees with itself.

    python verify_bundle.py FOLDER --keys kept/keys.txt --heads kept/heads.txt --json
    python verify_bundle.py --prove PROOF.json --keys kept/keys.txt

Exit code 0: nothing is wrong. 1: something is. 2: this is not a bundle.
"""

import argparse
import base64
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

FORMAT, EVENTS = "metricis-ledger-bundle/1", "events.jsonl"
PROOF_FORMAT = "metricis-inclusion-proof/1"
#: bytes read in one go, and what a line says before its study: no text can hold it, as a quote in a text is escaped
BLOCK, STUDY = 1 << 20, b',"study_id":'
#: bytes that stand for an algorithm in a key -> its name, class, length of a public key
ALGORITHMS = {
    b"\x01": ("ed25519", Ed25519PublicKey, 32),
    b"\xffmetricis ml-dsa-65": ("ml-dsa-65", MLDSA65PublicKey, 1952),
}


class SignedHead(NamedTuple):
    """A signed head: the name of its tree, size, root, the text that is signed, and (name, key id, signature)."""

    origin: str
    size: int
    root: bytes
    message: bytes
    signatures: list[tuple[str, bytes, bytes]]


class NotABundleError(Exception):
    """The files cannot be read as what they should be."""


# -- RFC 9162, section 2.1 -------------------------------------------------------------------------------------------


def leaf_of(event: bytes) -> bytes:
    """Return the hash of a leaf (2.1.1)."""
    return sha256(b"\x00" + event).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree over leaves that are there: every root that it had on the way is found from its complete subtrees."""

    def __init__(self) -> None:
        #: complete subtrees: `levels[k][i]` is over the leaves from i·2^k to (i + 1)·2^k
        self.levels: list[list[bytes]] = [[]]
        #: line of the bundle of each leaf, from 1
        self.positions: list[int] = []

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self.levels[0])

    def grow(self, leaves: list[bytes], positions: Iterable[int]) -> None:
        """Add leaves and every subtree that they complete."""
        self.levels[0] += leaves
        self.positions += positions
        for height, below in enumerate(self.levels, start=1):
            if height == len(self.levels) and len(below) > 1:
                self.levels.append([])
            if height < len(self.levels):
                at = 2 * len(self.levels[height])
                pairs = zip(below[at::2], below[at + 1 :: 2], strict=False)
                self.levels[height] += [sha256(b"\x01" + left + right).digest() for left, right in pairs]

    def root(self, size: int) -> bytes:
        """Return the root over the first `size` leaves (2.1.1; of no leaf the hash of nothing)."""
        peaks, after = [], 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                peaks.append(self.levels[height][after >> height])
                after += 1 << height
        top = peaks.pop() if peaks else sha256().digest()
        while peaks:
            top = node_of(peaks.pop(), top)
        return top


def root_from_proof(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to (2.1.3.2), or None when the proof has the wrong length."""
    if index >= size:
        return None
    place, last, found = index, size - 1, leaf
    for other in path:
        if last == 0:
            return None
        if place % 2 or place == last:
            found = node_of(other, found)
            while place % 2 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_of(found, other)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


# -- keys and signed heads -------------------------------------------------------------------------------------------


def keys_of(text: str) -> tuple[str, dict[bytes, bytes]]:
    """Return (name of the log, key as it stands -> its algorithm) from C2SP verifier keys, one a line."""
    name, keys = "", dict[bytes, bytes]()
    for line in filter(None, text.splitlines()):
        try:
            origin, told, encoded = line.split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
        except ValueError:
            raise NotABundleError("a line of the keys is not a verifier key") from None
        head = next((one for one in ALGORITHMS if raw.startswith(one)), None)
        if head is None or len(raw) - len(head) != ALGORITHMS[head][2]:
            raise NotABundleError("a line of the keys is of no known algorithm or length")
        identity = sha256(origin.encode() + b"\n" + raw).digest()[:4]
        if identity.hex() != told or name not in ("", origin):
            raise NotABundleError("a line of the keys does not fit its own id, or names another log")
        name = origin
        keys[raw] = head
    if not name:
        raise NotABundleError("there is no key")
    return name, keys


def strictly(text: str) -> bytes:
    """Return what base64 says; ValueError when it is not the one way to write it (its last digit may hide bits)."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError(text)
    return raw


def heads_of(text: str) -> Iterator[SignedHead]:
    """Yield every signed head in a file; none is verified yet."""
    parts = [part for part in text.split("\n\n") if part.strip("\n")]
    if len(parts) % 2:
        raise NotABundleError("a signed head has no signatures")
    for body, tail in zip(parts[::2], parts[1::2], strict=True):
        lines = body.strip("\n").split("\n")
        try:
            origin, size, root = lines
            found = strictly(root)
            signatures = []
            for line in filter(None, tail.split("\n")):
                dash, name, encoded = line.split(" ")
                raw = strictly(encoded)
                if dash != "—" or len(raw) <= 4:
                    raise ValueError
                signatures.append((name, raw[:4], raw[4:]))
        except ValueError:
            raise NotABundleError("a signed head cannot be read") from None
        if not size.isascii() or not size.isdigit() or str(int(size)) != size or len(found) != 32:
            raise NotABundleError("a signed head has no proper size or root")
        yield SignedHead(origin, int(size), found, f"{origin}\n{size}\n{root}\n".encode(), signatures)


def signature_problem(head: SignedHead, keys: dict[bytes, bytes]) -> str:
    """Return why a head is not signed as it must be: one good signature of each algorithm; else an empty text."""
    good = set()
    for raw, algorithm in keys.items():
        name, kind, length = ALGORITHMS[algorithm]
        identity = sha256(head.origin.encode() + b"\n" + raw).digest()[:4]
        for signer, told, signature in head.signatures:
            if signer != head.origin or told != identity:
                continue
            try:
                kind.from_public_bytes(raw[-length:]).verify(signature, head.message)
            except InvalidSignature:
                return f"its {name} signature does not verify"
            good.add(name)
    missing = [name for name, _, _ in ALGORITHMS.values() if name not in good]
    return f"it has no signature by {' and '.join(missing)} of this log's keys" if missing else ""


# -- the bundle ------------------------------------------------------------------------------------------------------


class Verification:
    """One look at one bundle: the log's keys, the heads to hold it against, and what is wrong."""

    def __init__(self, folder: Path, keys: str) -> None:
        self.folder = folder
        self.about = json.loads(read(folder / "bundle.json"))
        if self.about.get("format") != FORMAT:
            raise NotABundleError(f"its format is {self.about.get('format')!r}, not {FORMAT!r}")
        self.problems: list[dict[str, Any]] = []
        self.log, self.keys = keys_of(keys or read(folder / "keys.txt"))
        if keys and keys_of(read(folder / "keys.txt"))[1].keys() - self.keys.keys():
            self.problem("", 0, "identity", "The bundle brings keys that are not among those kept elsewhere.")
        self.is_whole = self.about["origin"] == self.log
        self.wanted: dict[tuple[str, int], list[tuple[bytes, str]]] = {}
        self.trees: dict[str, Tree] = {}
        self.last_good: dict[str, int] = {}
        self.broken: set[str] = set()

    def problem(self, study: str, position: int, kind: str, detail: str) -> None:
        """Note something that is wrong."""
        self.problems.append({"study": study, "position": position, "kind": kind, "detail": detail})

    def check_files(self) -> None:
        """Compare every file with the hash that `bundle.json` gives; the events are held against the signed heads instead."""
        for name, told in self.about["files"].items():
            if name != EVENTS and sha256((self.folder / name).read_bytes()).hexdigest() != told:
                self.problem("", 0, "file", f"{name} is not the file that bundle.json names.")

    def take_heads(self, text: str, where: str) -> None:
        """Check who signed the heads of a file, and keep those of this log."""
        for head in heads_of(text):
            if head.origin != self.log and not head.origin.startswith(f"{self.log}/"):
                self.problem("", 0, "identity", f"A head in {where} names the log “{head.origin}”, not “{self.log}”.")
            elif why := signature_problem(head, self.keys):
                detail = f"A head in {where} of size {head.size}: {why}."
                self.problem(study_of(head.origin), head.size, "signature", detail)
            else:
                self.wanted.setdefault((head.origin, head.size), []).append((head.root, where))

    def take_events(self) -> int:
        """Hash every event into its trees, then compare them with the heads; return how many there are."""
        count, rest = 0, b""
        with (self.folder / EVENTS).open("rb") as file:
            while block := file.read(BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                self.take(lines, count + 1)
                count += len(lines)
        if rest:
            self.problem(self.about["study"], count + 1, "events", "The last event does not end with a line break.")
        for name, size in sorted(self.wanted):
            if name in self.trees and size <= self.trees[name].size:
                self.compare(name, self.trees[name], size)
        return count

    def take(self, lines: list[bytes], first: int) -> None:
        """Hash some lines into their trees; the first is line number `first`."""
        leaves = [sha256(b"\x00" + line).digest() for line in lines]
        if self.is_whole:
            self.trees.setdefault(self.log, Tree()).grow(leaves, range(first, first + len(lines)))
        by_study = defaultdict[bytes, list[int]](list)
        for at, line in enumerate(lines):
            told = line.rfind(STUDY) + len(STUDY)
            by_study[line[told : told + 38]].append(at)
        for told, places in by_study.items():
            study = self.study(told, [first + at for at in places])
            if study:
                its = self.trees.setdefault(f"{self.log}/{study}", Tree())
                its.grow([leaves[at] for at in places], [first + at for at in places])

    def study(self, told: bytes, positions: list[int]) -> str:
        """Return the study that lines name, or an empty text."""
        study = told[1:37].decode("ascii", "replace") if told[:1] == told[37:] == b'"' else ""
        for position in positions:
            if not study and not told.startswith(b"null"):
                self.problem("", position, "event", "This line is not an event.")
            elif not self.is_whole and self.about["origin"] != f"{self.log}/{study}":
                self.problem(self.about["study"], position, "study", "This event belongs to another study.")
        return study

    def compare(self, name: str, tree: Tree, size: int) -> None:
        """Compare a tree with the heads of one size; tell the first that differs."""
        found = tree.root(size)
        wrong = [where for root, where in self.wanted[name, size] if root != found]
        if wrong and name not in self.broken:
            self.broken.add(name)
            first = tree.positions[self.last_good.get(name, 0)]
            span = f"between {first} and {tree.positions[size - 1]}"
            detail = f"{wrong[0]} holds another root over {size} events: something {span} was altered."
            self.problem(study_of(name), first, "root", detail)
        elif not wrong:
            self.last_good[name] = size

    def check_ends(self) -> None:
        """Look for heads over more events than there are, and for events without any head."""
        for (origin, size), found in sorted(self.wanted.items()):
            tree = self.trees.get(origin, Tree())
            # A head kept elsewhere may be of a tree that a bundle of one study does not have.
            if tree.size < size and (self.is_whole or origin == self.about["origin"]):
                detail = f"{found[0][1]} holds a head over {size} events; there are {tree.size}."
                self.problem(study_of(origin), tree.positions[-1] + 1 if tree.positions else 1, "truncated", detail)
        for origin, tree in self.trees.items():
            newest = max((size for name, size in self.wanted if name == origin), default=0)
            # What no head of its study is over yet must be under one of the bundle's own tree.
            if newest == 0 or (origin == self.about["origin"] and tree.size > newest):
                detail = f"No signed head is over the events after number {newest} of this tree."
                self.problem(study_of(origin), tree.positions[newest], "unsigned", detail)


def verify(folder: Path, *, keys: str = "", heads: str = "") -> tuple[int, list[dict[str, Any]]]:
    """Return (events checked, problems) of the bundle in `folder`; `keys` and `heads` are texts kept elsewhere."""
    one = Verification(folder, keys)
    one.check_files()
    one.take_heads(heads, "the heads kept elsewhere")
    for name in ("checkpoints.txt", "heads.txt"):
        one.take_heads(read(folder / name), name)
    checked = one.take_events()
    one.check_ends()
    return checked, one.problems


def verify_proof(text: str, keys: str) -> list[dict[str, Any]]:
    """Return the problems of one inclusion proof."""
    found = json.loads(text)
    if found.get("format") != PROOF_FORMAT:
        raise NotABundleError(f"its format is {found.get('format')!r}, not {PROOF_FORMAT!r}")
    proof, event = found["proof"], found["event"].encode()
    log, known = keys_of(keys or "\n".join(found["keys"]))
    (head,) = heads_of(found["checkpoint"])
    leaf = leaf_of(event)
    path = [base64.b64decode(one, validate=True) for one in proof["path"]]
    told = []
    if head.origin != log and not head.origin.startswith(f"{log}/"):
        told.append(("identity", f"The head names the log “{head.origin}”, not “{log}”."))
    if why := signature_problem(head, known):
        told.append(("signature", f"The head: {why}."))
    if head.origin != proof["origin"] or head.size != proof["size"]:
        told.append(("proof", "The proof is for another tree or size than the head."))
    if (
        base64.b64encode(leaf).decode() != proof["leaf"]
        or root_from_proof(leaf, proof["index"], head.size, path) != head.root
    ):
        told.append(("proof", "The event is not in the tree under this head."))
    study = study_of(head.origin)
    return [{"study": study, "position": proof["position"], "kind": kind, "detail": one} for kind, one in told]


def study_of(origin: str) -> str:
    """Return the study that a tree's name ends with, or an empty text."""
    tail = origin.rpartition("/")[2]
    return tail if len(tail) == 36 and tail.count("-") == 4 else ""


def read(path: Path) -> str:
    """Return a file's text."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotABundleError(f"{path.name} cannot be read") from error


def main(arguments: list[str] | None = None) -> int:
    """Verify what the command line names and say the outcome."""
    parser = argparse.ArgumentParser(description="Verify a bundle of the ledger, or one inclusion proof.")
    parser.add_argument("folder", type=Path, nargs="?", help="folder of the bundle")
    parser.add_argument("--prove", type=Path, help="one proof, as “metricis ledger prove” prints it")
    parser.add_argument("--keys", type=Path, help="public keys of the log that you kept elsewhere")
    parser.add_argument("--heads", type=Path, help="signed heads that you kept elsewhere")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    asked = parser.parse_args(arguments)
    if not (asked.folder or asked.prove):
        parser.error("name the folder of a bundle, or a proof")
    try:
        keys = read(asked.keys) if asked.keys else ""
        if asked.prove:
            checked, problems = 1, verify_proof(read(asked.prove), keys)
        else:
            checked, problems = verify(asked.folder, keys=keys, heads=read(asked.heads) if asked.heads else "")
    except (NotABundleError, OSError, ValueError, KeyError, TypeError) as error:
        said = {
            "ok": False,
            "checked": 0,
            "problems": [{"study": "", "position": 0, "kind": "bundle", "detail": str(error)}],
        }
        print(json.dumps(said) if asked.json else f"This cannot be verified: {error}.")
        return 2
    if asked.json:
        print(json.dumps({"ok": not problems, "checked": checked, "problems": problems}))
    else:
        for one in problems:
            print(f"Position {one['position']} {one['study']}: {one['detail']}")
        print(f"{checked} checked: {f'{len(problems)} problems' if problems else 'nothing is wrong'}.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
