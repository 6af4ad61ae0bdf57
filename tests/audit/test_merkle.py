"""The tree against a naive reading of RFC 6962, its known hashes, and foreign proof vectors where they are given."""

import hashlib
import json
import os
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.audit import merkle

LEAVES = [merkle.leaf_hash(b"%d" % n) for n in range(600)]
SIZES = some.integers(1, 600)


def naive_root(hashes: list[bytes]) -> bytes:
    """MTH of section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return merkle.node_hash(naive_root(hashes[:k]), naive_root(hashes[k:]))


def proof(ranges: list[merkle.Range]) -> list[bytes]:
    return [naive_root(LEAVES[start:end]) for start, end in ranges]


def test_known_hashes() -> None:
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert (
        merkle.node_hash(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )


@given(SIZES, some.integers(0, 600))
def test_a_frontier_grown_in_two_steps_has_the_root(size: int, middle: int) -> None:
    middle = min(middle, size)
    frontier = merkle.extend(0, (), LEAVES[:middle])
    frontier = merkle.extend(middle, frontier, LEAVES[middle:size])
    assert len(frontier) == size.bit_count()
    assert merkle.fold(frontier) == naive_root(LEAVES[:size])


def test_the_empty_tree() -> None:
    assert merkle.fold(merkle.extend(0, (), [])) == naive_root([])


@given(SIZES, some.data())
def test_nodes_fold_to_the_root_of_every_range_of_a_proof(size: int, data: some.DataObject) -> None:
    index = data.draw(some.integers(0, size - 1))
    for start, end in [*merkle.inclusion_ranges(index, size), *merkle.consistency_ranges(index + 1, size)]:
        subtrees = [naive_root(LEAVES[n << level : (n + 1) << level]) for level, n in merkle.nodes((start, end))]
        assert merkle.fold(subtrees) == naive_root(LEAVES[start:end])


@given(SIZES, some.data())
def test_inclusion(size: int, data: some.DataObject) -> None:
    index = data.draw(some.integers(0, size - 1))
    path, root = proof(merkle.inclusion_ranges(index, size)), naive_root(LEAVES[:size])
    assert merkle.included(LEAVES[index], index, size, path, root)
    assert not merkle.included(LEAVES[index], index, size, path, merkle.node_hash(root, root))
    assert not merkle.included(merkle.leaf_hash(b"other"), index, size, path, root)
    assert not merkle.included(LEAVES[index], index, size, [*path, root], root)
    assert not merkle.included(LEAVES[index], size, size, path, root)
    for at in range(len(path)):
        assert not merkle.included(LEAVES[index], index, size, path[:at] + path[at + 1 :], root)
        assert not merkle.included(LEAVES[index], index, size, [*path[:at], root, *path[at + 1 :]], root)


@settings(deadline=None)
@given(SIZES, some.data())
def test_consistency(new: int, data: some.DataObject) -> None:
    old = data.draw(some.integers(1, new))
    path = proof(merkle.consistency_ranges(old, new))
    old_root, new_root = naive_root(LEAVES[:old]), naive_root(LEAVES[:new])
    forged = merkle.node_hash(old_root, new_root)
    assert merkle.consistent(old, new, old_root, new_root, path)
    assert not merkle.consistent(old, new, forged, new_root, path)
    assert not merkle.consistent(old, new, old_root, forged, path)
    assert not merkle.consistent(old, new, old_root, new_root, [*path, forged])
    assert not merkle.consistent(new + 1, new, old_root, new_root, path)
    for at in range(len(path)):
        assert not merkle.consistent(old, new, old_root, new_root, path[:at] + path[at + 1 :])
        assert not merkle.consistent(old, new, old_root, new_root, [*path[:at], forged, *path[at + 1 :]])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_path_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in the tree"):
        merkle.inclusion_ranges(index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_no_consistency_with_nothing_or_with_the_past(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="0 < old <= new"):
        merkle.consistency_ranges(old, new)


VECTORS = os.environ.get("RUTA_MERKLE_VECTORS")
"""A JSON file of proof vectors of the Go library transparency-dev/merkle, by their path there."""


@pytest.mark.skipif(VECTORS is None, reason="RUTA_MERKLE_VECTORS names no file of foreign proof vectors")
def test_foreign_vectors() -> None:
    assert VECTORS is not None
    checked = 0
    for name, case in json.loads(Path(VECTORS).read_text()).items():
        path = [b64decode(one) for one in case["proof"] or []]
        if name.startswith("inclusion/"):
            leaf, root = b64decode(case["leafHash"] or ""), b64decode(case["root"] or "")
            verdict = merkle.included(leaf, case["leafIdx"], case["treeSize"], path, root)
        elif name.startswith("consistency/"):
            roots = b64decode(case["root1"] or ""), b64decode(case["root2"] or "")
            verdict = merkle.consistent(case["size1"], case["size2"], *roots, path)
        else:
            continue
        assert verdict is not case["wantErr"], name
        checked += 1
    assert checked >= 196
