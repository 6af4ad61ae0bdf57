"""RFC 6962 section 2.1: hashes of leaves and nodes, the tree's root, and the two proofs. SHA-256, 32-byte hashes.

Ranges are half open, ``(start, end)`` of leaf indexes. A proof is made in two steps, so that whoever holds the
hashes (memory, tiles in a database) can look them up: first the ranges, in the order of the proof, then their roots.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32

Range = tuple[int, int]
Node = tuple[int, int]
"""Level and index of a perfect subtree: it covers the leaves ``index << level`` to ``(index + 1) << level``."""
Frontier = tuple[bytes, ...]
"""The roots of the perfect subtrees that make up a tree, largest first: one for each bit set in its size."""


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right); the prefixes keep a leaf from being passed off as a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def extend(size: int, frontier: Frontier, hashes: Iterable[bytes]) -> Frontier:
    """The frontier of a tree of ``size`` leaves after these leaf hashes were appended."""
    stack = list(frontier)
    for leaf in hashes:
        merged, rest = leaf, size
        while rest & 1:
            merged = node_hash(stack.pop(), merged)
            rest >>= 1
        stack.append(merged)
        size += 1
    return tuple(stack)


def fold(subtrees: Sequence[bytes]) -> bytes:
    """The root above perfect subtrees of falling size, left to right. ``EMPTY_ROOT`` for none."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node_hash(left, root)
    return root


def split(leaves: int) -> int:
    """The largest power of two below ``leaves`` (at least 2): where RFC 6962 divides a tree."""
    return 1 << ((leaves - 1).bit_length() - 1)


def nodes(span: Range) -> list[Node]:
    """The perfect subtrees that make up a range, left to right; ``fold`` of their hashes is the range's root."""
    start, end = span
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Whose roots make the audit path of a leaf, leaf to root (section 2.1.1). Raises ValueError outside the tree."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    start, end = 0, size
    found = []
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Whose roots show that ``new`` leaves begin with the ``old`` ones (section 2.1.2). Raises ValueError."""
    if not 0 < old <= new:
        raise ValueError("a consistency proof needs 0 < old <= new")
    start, end, whole = 0, new, True
    found = []
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows the leaf hash at ``index`` of a tree of ``size`` leaves (RFC 9162 section 2.1.3.2)."""
    if not _are_hashes(leaf, root, *proof):
        return False
    try:
        steps = climb(leaf, index, size, proof)
    except ValueError:
        return False
    return (steps[-1].result if steps else leaf) == root


class Step(NamedTuple):
    """One step from a leaf towards the root: the sibling, the side on which it stands, and the hash of both."""

    sibling: bytes
    on_the_left: bool
    result: bytes


def climb(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> list[Step]:
    """The steps from a leaf hash along its audit path; the last result is the root that the path leads to.

    Raises ValueError where index, size and path cannot belong together.
    """
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise ValueError("the path has another length")
    found, steps = leaf, []
    for level, sibling in enumerate(proof):
        on_the_left = bool(level >= inner or index >> level & 1)
        found = node_hash(sibling, found) if on_the_left else node_hash(found, sibling)
        steps.append(Step(sibling, on_the_left, found))
    return steps


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the tree of ``new`` leaves extends that of ``old`` (RFC 9162 section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if not proof or not _are_hashes(old_root, new_root, *proof):
        return False
    hashes = list(proof) if old & (old - 1) else [old_root, *proof]
    left, last = old - 1, new - 1
    while left & 1:
        left, last = left >> 1, last >> 1
    of_old = of_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if left & 1 or left == last:
            of_old, of_new = node_hash(sibling, of_old), node_hash(sibling, of_new)
            while left and not left & 1:
                left, last = left >> 1, last >> 1
        else:
            of_new = node_hash(of_new, sibling)
        left, last = left >> 1, last >> 1
    return of_old == old_root and of_new == new_root and last == 0


def _are_hashes(*values: bytes) -> bool:
    # An empty "leaf hash" would otherwise be in the tree with an empty root.
    return all(len(value) == HASH_BYTES for value in values)
