"""Sets of rules on the shelf: a folder or a zip of `rule.yml` files in the open CORE format."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from datamodel.kernel.errors import BadInputError
from validators.conformance.rule import Rule, RuleError, read_rule
from validators.shelf.shelf import Kept, Shelf, hashed, now

LICENCE: Final = "As told in the LICENSE that came with the rules; CDISC's open rules are under the MIT licence."
#: A rule's file is some kilobytes; what is larger is none.
LARGEST: Final = 1_000_000
MOST: Final = 20_000
#: All files together, unpacked; CDISC's rules are some ten megabytes.
LARGEST_SET: Final = 100_000_000


def load_rules(shelf: Shelf, path: Path, *, version: str = "") -> tuple[Kept, bool, tuple[str, ...]]:
    """Read all rules of a folder or zip and keep them; say whether they are new, and which files are no rules.

    Without `version` they are called by their hash.

    Raises
    ------
    BadInputError
        There is no rule, the zip is damaged, or two rules have one id.
    """
    rules: dict[str, bytes] = {}
    faults: list[str] = []
    for name, content in _files(path):
        try:
            rule = read_rule(content.decode("utf-8"), place=name)
        except (RuleError, UnicodeDecodeError) as error:
            faults.append(f"{name}: {error}")
            continue
        if not _is_plain(rule.id):
            faults.append(f"{name}: the id {rule.id[:40]!r} is not made of letters, digits, dots, - and _.")
        elif rules.setdefault(f"{rule.id}/rule.yml", content) != content:
            raise BadInputError(f"{path.name} has two rules with the id {rule.id}. Nothing was loaded.")
    if not rules:
        raise BadInputError(
            f"{path.name} has no rule. Allowed is a folder or a zip with a rule.yml for each rule, as in CDISC's open "
            f"rules. Nothing was loaded. {faults[0] if faults else ''}".strip()
        )
    sha256 = hashed(rules)
    entry = Kept("rules", version or sha256[:12], sha256, path.name, now(), LICENCE, len(rules), standard="open")
    return entry, shelf.keep(entry, rules), tuple(faults)


def read_ruleset(shelf: Shelf, version: str) -> list[Rule]:
    """Return the rules of a version that is kept; NotFoundError when it is not."""
    kept = shelf.get("rules", version)
    return [read_rule(content.decode("utf-8"), place=name) for name, content in sorted(shelf.files(kept).items())]


def _is_plain(identifier: str) -> bool:
    return bool(identifier) and identifier[0].isalnum() and all(one.isalnum() or one in "._-" for one in identifier)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the YAML files; nothing is unpacked, so that no name leads out of a folder."""
    total = 0
    for name, content in _members(path):
        total += len(content)
        if total > LARGEST_SET:
            raise BadInputError(f"{path.name} holds more than {LARGEST_SET:,} bytes of rules. Nothing was loaded.")
        yield name, content


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.suffix in {".yml", ".yaml"} and one.is_file())
        for one in found[:MOST]:
            if one.stat().st_size <= LARGEST:
                yield one.relative_to(path).as_posix(), one.read_bytes()
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if PurePosixPath(one.filename).suffix in {".yml", ".yaml"}]
            for member in members[:MOST]:
                if member.file_size <= LARGEST:
                    with archive.open(member) as file:  # what it says of its size is not believed
                        yield member.filename, file.read(LARGEST)
    except FileNotFoundError as error:
        raise BadInputError(f"There is no {path}. Nothing was loaded.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise BadInputError(
            f"{path.name} is neither a folder nor a zip that can be read: {error}. Nothing was loaded."
        ) from error
