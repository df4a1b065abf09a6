"""The tree against the RFC's own recursive definition, and proofs that must not pass."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.audit import merkle

VECTORS = json.loads((Path(__file__).parent / "merkle_vectors.json").read_text())


def naive_root(entries):
    """RFC 9162 §2.1.1, as it is written."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(m, entries):
    """RFC 9162 §2.1.3.1, as it is written."""
    n = len(entries)
    if n == 1:
        return []
    k = 1
    while k * 2 < n:
        k *= 2
    if m < k:
        return [*naive_path(m, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive_root(entries[:k])]


def naive_subproof(m, entries, is_whole):
    """RFC 9162 §2.1.4.1, as it is written."""
    n = len(entries)
    if m == n:
        return [] if is_whole else [naive_root(entries)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return [*naive_subproof(m, entries[:k], is_whole), naive_root(entries[k:])]
    return [*naive_subproof(m - k, entries[k:], is_whole=False), naive_root(entries[:k])]


def hashes(entries):
    return [merkle.leaf_hash(one) for one in entries]


entries_of = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_growing_range_has_the_root_of_the_definition_at_every_size(entries):
    growing = merkle.Range()
    for size, one in enumerate(entries):
        assert growing.root() == naive_root(entries[:size])
        growing.append(merkle.leaf_hash(one))
        assert len(growing.roots) == growing.size.bit_count()
    assert growing.root() == naive_root(entries) == merkle.root(hashes(entries))
    assert merkle.Range(growing.size, growing.roots).root() == growing.root()


@given(st.data(), entries_of)
def test_inclusion_proofs_are_those_of_the_definition_and_verify(data, entries):
    index = data.draw(st.integers(0, len(entries) - 1))
    leaves = hashes(entries)
    path = merkle.inclusion_proof(leaves, index)
    assert path == naive_path(index, entries)
    claim = {"index": index, "size": len(entries), "leaf": leaves[index], "root": naive_root(entries)}
    assert merkle.proves_inclusion(**claim, path=path)


@given(st.data(), entries_of)
def test_consistency_proofs_are_those_of_the_definition_and_verify(data, entries):
    size = data.draw(st.integers(1, len(entries)))
    path = merkle.consistency_proof(hashes(entries), size)
    assert path == naive_subproof(size, entries, is_whole=True)
    assert merkle.proves_consistency(
        old_size=size,
        old_root=naive_root(entries[:size]),
        new_size=len(entries),
        new_root=naive_root(entries),
        path=path,
    )


def flipped(one, bit):
    changed = bytearray(one)
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    return bytes(changed)


def worse_paths(path, data):
    """Draw one kind of damage to a list of hashes."""
    worse = [[*path, data.draw(st.binary(min_size=32, max_size=32))]]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        flip = [*path[:at], flipped(path[at], data.draw(st.integers(0, 255))), *path[at + 1 :]]
        worse += [flip, path[1:], path[:-1], [], [path[0][:-1], *path[1:]]]
    if path[::-1] != path:
        worse.append(path[::-1])
    return data.draw(st.sampled_from(worse))


@settings(max_examples=200)
@given(st.data(), st.lists(st.binary(max_size=8), min_size=1, max_size=40, unique=True))
def test_a_damaged_inclusion_proof_never_passes(data, entries):
    index = data.draw(st.integers(0, len(entries) - 1))
    leaves, size = hashes(entries), len(entries)
    path, top = merkle.inclusion_proof(leaves, index), naive_root(entries)
    assert not merkle.proves_inclusion(
        index=index, size=size, leaf=leaves[index], path=worse_paths(path, data), root=top
    )
    assert not merkle.proves_inclusion(index=index, size=size, leaf=flipped(leaves[index], 3), path=path, root=top)
    assert not merkle.proves_inclusion(index=index, size=size, leaf=leaves[index], path=path, root=flipped(top, 7))
    other = data.draw(st.integers(-2, size + 2).filter(lambda one: one != index))
    assert not merkle.proves_inclusion(index=other, size=size, leaf=leaves[index], path=path, root=top)


@settings(max_examples=200)
@given(st.data(), st.lists(st.binary(max_size=8), min_size=2, max_size=40, unique=True))
def test_a_damaged_consistency_proof_never_passes(data, entries):
    old = data.draw(st.integers(1, len(entries) - 1))
    claim = {
        "old_size": old,
        "old_root": naive_root(entries[:old]),
        "new_size": len(entries),
        "new_root": naive_root(entries),
    }
    path = merkle.consistency_proof(hashes(entries), old)
    assert merkle.proves_consistency(**claim, path=path)
    assert not merkle.proves_consistency(**claim, path=worse_paths(path, data))
    for side in ("old_root", "new_root"):
        assert not merkle.proves_consistency(**claim | {side: flipped(claim[side], 11)}, path=path)
    assert not merkle.proves_consistency(**claim | {"new_size": old - 1}, path=path)


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda one: one["what"])
def test_inclusion_vectors(vector):
    answer = merkle.proves_inclusion(
        index=vector["index"],
        size=vector["size"],
        leaf=bytes.fromhex(vector["leaf"]),
        path=[bytes.fromhex(one) for one in vector["path"]],
        root=bytes.fromhex(vector["root"]),
    )
    assert answer is vector["holds"]


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda one: one["what"])
def test_consistency_vectors(vector):
    answer = merkle.proves_consistency(
        old_size=vector["old_size"],
        old_root=bytes.fromhex(vector["old_root"]),
        new_size=vector["new_size"],
        new_root=bytes.fromhex(vector["new_root"]),
        path=[bytes.fromhex(one) for one in vector["path"]],
    )
    assert answer is vector["holds"]


def test_what_is_not_in_the_tree_has_no_proof():
    leaves = hashes([b"a", b"b"])
    with pytest.raises(IndexError, match="2 leaves"):
        merkle.inclusion_proof(leaves, 2)
    with pytest.raises(IndexError, match="never had 3"):
        merkle.consistency_proof(leaves, 3)
    with pytest.raises(ValueError, match="1 whole subtrees"):
        merkle.Range(2, leaves)
