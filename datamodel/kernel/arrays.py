"""Columns as PostgreSQL's binary arrays, packed in one go.

psycopg packs an array item by item, each through a dumper of its own; for rows by the hundred thousand that takes longer than
hashing them. The layout is that of PostgreSQL's `array_send`: dimensions, whether there are nulls, the type of an item, length and
lower bound of the dimension, then each item behind its length. Columns here have no nulls.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Final
from uuid import UUID

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_HEAD: Final = struct.Struct("!iiIii")
_EMPTY: Final = struct.Struct("!iiI")
_SIZE: Final = struct.Struct("!i")


class Packed:
    """A column as the bytes of an array; the type says of what."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw


class Texts(Packed):
    """`text[]`."""

    __slots__ = ()


class Numbers(Packed):
    """`int4[]`."""

    __slots__ = ()


class Flags(Packed):
    """`bool[]`."""

    __slots__ = ()


class Hashes(Packed):
    """`bytea[]`."""

    __slots__ = ()


class Ids(Packed):
    """`uuid[]`."""

    __slots__ = ()


#: type -> PostgreSQL's numbers of the item's and of the array's type
_TYPES: Final[dict[type[Packed], tuple[int, int]]] = {
    Texts: (25, 1009),
    Numbers: (23, 1007),
    Flags: (16, 1000),
    Hashes: (17, 1001),
    Ids: (2950, 2951),
}


def texts(values: Sequence[str]) -> Texts:
    """Return a column of text."""
    return _sized(Texts, [one.encode() for one in values])


def hashes(values: Sequence[bytes]) -> Hashes:
    """Return a column of bytes."""
    return _sized(Hashes, values)


def ids(values: Sequence[UUID]) -> Ids:
    """Return a column of identifiers."""
    return _sized(Ids, [one.bytes for one in values])


def numbers(values: Sequence[int]) -> Numbers:
    """Return a column of whole numbers of 32 bits; struct.error for one that is too large."""
    body = struct.pack(f"!{2 * len(values)}i", *chain.from_iterable(zip(repeat(4), values, strict=False)))
    return _whole(Numbers, len(values), [body])


def flags(values: Sequence[bool]) -> Flags:
    """Return a column of truth values."""
    return _sized(Flags, [b"\x01" if one else b"\x00" for one in values])


def _sized[P: Packed](kind: type[P], items: Sequence[bytes]) -> P:
    sizes: Iterable[bytes] = map(_SIZE.pack, map(len, items))
    return _whole(kind, len(items), chain.from_iterable(zip(sizes, items, strict=True)))


def _whole[P: Packed](kind: type[P], count: int, parts: Iterable[bytes]) -> P:
    """Return the array, put together once: a column of documents is megabytes."""
    item = _TYPES[kind][0]
    return kind(b"".join(chain([_HEAD.pack(1, 0, item, count, 1)], parts)) if count else _EMPTY.pack(0, 0, item))


class _Dumper(Dumper):
    """Hands the bytes over as they are."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> Buffer:
        return obj.raw


def _register() -> None:
    """Tell psycopg, for every connection that is opened from now on."""
    for kind, (_, array) in _TYPES.items():
        psycopg.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_Dumper,), {"oid": array}))


_register()
