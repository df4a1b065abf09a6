"""The Merkle tree of RFC 9162: hashes, a range that grows, proofs and their verification. Pure.

A tree over n leaves splits at the largest power of two below n (§2.1.1). Leaves are prefixed with 0x00 and nodes with 0x01,
so that neither can be passed off as the other. Verification answers False to whatever is not a proof: it never raises on
a proof's content.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Self

HASH_BYTES: Final = 32
#: The root of a tree without leaves (§2.1.1).
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf that holds `entry`."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node above two hashes."""
    return hashlib.sha256(_NODE + left + right).digest()


class Range:
    """A tree that only grows, kept as the roots of its whole subtrees, largest first: log2(size) hashes of state."""

    __slots__ = ("roots", "size")

    def __init__(self, size: int = 0, roots: Iterable[bytes] = ()) -> None:
        self.size = size
        self.roots = list(roots)
        if len(self.roots) != size.bit_count():
            raise ValueError(
                f"A tree of {size} leaves has {size.bit_count()} whole subtrees; received {len(self.roots)} hashes."
            )

    def append(self, leaf: bytes) -> None:
        """Add the hash of one leaf at the end."""
        at, size = leaf, self.size
        while size & 1:
            at = node_hash(self.roots.pop(), at)
            size >>= 1
        self.roots.append(at)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> Self:
        """Add the hashes of many leaves, and return the range itself."""
        for leaf in leaves:
            self.append(leaf)
        return self

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self.roots:
            return EMPTY_ROOT
        at = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            at = node_hash(left, at)
        return at


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over the hashes of leaves, in order."""
    return Range().extend(leaves).root()


def _split(size: int) -> int:
    """Return the largest power of two below `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from leaf `index` (from 0) to the root over `leaves` (§2.1.3.1).

    Raises
    ------
    IndexError
        When there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"The tree has {len(leaves)} leaves; there is no leaf with the index {index}.")
    path: list[bytes] = []
    first, after = 0, len(leaves)
    while after - first > 1:
        middle = first + _split(after - first)
        if index < middle:
            path.append(root(leaves[middle:after]))
            after = middle
        else:
            path.append(root(leaves[first:middle]))
            first = middle
    return path[::-1]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Return the hashes that show the tree of the first `size` leaves to be the beginning of the whole (§2.1.4.1).

    The proof is empty when `size` is 0 (the RFC defines none) and when it is the whole.

    Raises
    ------
    IndexError
        When the tree is smaller than `size`.
    """
    if not 0 <= size <= len(leaves):
        raise IndexError(f"The tree has {len(leaves)} leaves; it never had {size}.")
    path: list[bytes] = []
    first, after, is_whole = 0, len(leaves), True
    while size not in {first, after}:
        middle = first + _split(after - first)
        if size <= middle:
            path.append(root(leaves[middle:after]))
            after = middle
        else:
            path.append(root(leaves[first:middle]))
            first, is_whole = middle, False
    if not is_whole and size == after:
        path.append(root(leaves[first:after]))
    return path[::-1] if size else []


def proves_inclusion(*, index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """Answer whether `path` shows that leaf `index` (from 0) of the tree of `size` leaves under `root` is `leaf`."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def proves_consistency(
    *, old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Answer whether `path` shows the old tree to be the beginning of the new one.

    The empty tree is the beginning of every tree: it needs no proof, and its root is known.
    """
    if not 0 <= old_size <= new_size or not _are_hashes(old_root, new_root, *path):
        return False
    if old_size == new_size:
        return not path and old_root == new_root and (old_size > 0 or old_root == EMPTY_ROOT)
    if old_size == 0:
        return not path and old_root == EMPTY_ROOT
    return _climbs(old_size, old_root, new_size, new_root, path)


def _climbs(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Verify a proof between two trees of different, positive sizes (§2.1.4.2)."""
    steps = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not path or not steps:
        return False
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(one) == HASH_BYTES for one in hashes)
