"""Reading the files of a specification: YAML with the line of everything, and every fault told with its place."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from exports.sdtm.spec_types import Domain, Qualifier, Source, Variable, Working
from validators.library.yaml import RefusedYamlError, guard

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAKEN_FOR_OTHERS = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}


class _Loader(_Base):  # type: ignore[misc]
    """Reads what is written: `No`, `on` and `2014-01-02` are texts; only `true` and `false` are truth values."""

    yaml_implicit_resolvers = {  # noqa: RUF012 # the name and shape are yaml's
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _TAKEN_FOR_OTHERS]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


#: A domain's lists whose items are read one by one, so that a fault in one does not hide those of the others.
_LISTS: Mapping[str, type[BaseModel]] = {
    "sources": Source,
    "working": Working,
    "variables": Variable,
    "supplemental": Qualifier,
}


@dataclass(slots=True)
class Document:
    """One YAML file: what it says, and where."""

    name: str
    content: dict[str, Any]
    node: Any = None
    faults: list[str] = field(default_factory=list)

    def fault(self, path: Sequence[str | int], text: str) -> None:
        """Note a fault at the part of the file that `path` leads to."""
        line = self.line(path)
        self.faults.append(f"{self.name}{f' line {line}' if line else ''}: {text}")

    def line(self, path: Sequence[str | int]) -> int | None:
        """Give the line on which the deepest part of `path` that is there begins."""
        node = self.node
        for step in path:
            deeper = _child(node, step)
            if deeper is None:
                break
            node = deeper
        return None if node is None else node.start_mark.line + 1


def _child(node: Any, step: str | int) -> Any:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None


def read_document(path: Path) -> Document:
    """Read a YAML file that must be a mapping; what is wrong with it is among its faults."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Document(path.name, {}, faults=[f"{path.name}: the file is missing"])
    except UnicodeDecodeError as error:
        return Document(path.name, {}, faults=[f"{path.name}: is not UTF-8 text (byte {error.start})"])
    try:
        loader = _Loader(guard(text))
    except (RefusedYamlError, yaml.YAMLError) as error:
        return Document(path.name, {}, faults=[f"{path.name}: {' '.join(str(error).split())}"])
    try:
        node = loader.get_single_node()
        content = loader.construct_document(node) if node is not None else None
    except (yaml.YAMLError, ValueError) as error:
        return Document(path.name, {}, faults=[f"{path.name}: is not YAML ({str(error).replace(chr(10), ' ')})"])
    finally:
        loader.dispose()
    document = Document(path.name, content if isinstance(content, dict) else {}, node)
    if not isinstance(content, dict):
        document.faults.append(f"{path.name}: must be a mapping of names to values")
    document.faults += [
        f"{path.name} line {line}: {key!r} stands here for the second time" for key, line in _twice(node)
    ]
    return document


def _twice(node: Any) -> Iterator[tuple[str, int]]:
    """Give every key that a mapping has more than once; YAML itself would keep the last and say nothing."""
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _twice(one)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(str(key.value))
            yield from _twice(value)


def read_domain(document: Document) -> tuple[Domain | None, frozenset[str]]:
    """Read a domain, and the names of its values that have a fault (which are left out of it).

    The domain is None when it cannot be put together at all.
    """
    if document.faults and not document.content:
        return None, frozenset()
    content, faulty = dict(document.content), set[str]()
    for key, model in _LISTS.items():
        items = content.get(key)
        if not isinstance(items, list):
            continue
        kept = []
        for place, item in enumerate(items):
            try:
                kept.append(model.model_validate(item))
            except ValidationError as error:
                name = item.get("name") if isinstance(item, dict) else None
                faulty.add(str(name) if name else key)
                _note(document, error, (key, place), said=f"{name}: " if name else "")
        content[key] = kept
    try:
        return Domain.model_validate(content), frozenset(faulty)
    except ValidationError as error:
        _note(document, error)
        return None, frozenset(faulty)


def note(document: Document, error: ValidationError, *, below: str | None = None) -> None:
    """Note every fault that a model found in a file; `below` is "" where the file has no level for the first name told."""
    _note(document, error, skip=1 if below == "" else 0)


def _note(
    document: Document, error: ValidationError, path: tuple[str | int, ...] = (), said: str = "", skip: int = 0
) -> None:
    for one in error.errors():
        where = ".".join(str(part) for part in one["loc"][skip:])
        text = one["msg"].removeprefix("Value error, ")
        given = f" (it is {one['input']!r})" if isinstance(one["input"], str | int | float) else ""
        document.fault((*path, *one["loc"][skip:]), f"{said}{f'{where}: ' if where else ''}{text}{given}")


def digest(paths: Iterable[Path]) -> str:
    """Return one SHA-256 for files: their names and contents, in the order of the names."""
    whole = hashlib.sha256()
    for path in sorted(paths, key=lambda one: one.name):
        content = path.read_bytes()
        whole.update(f"{path.name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()
