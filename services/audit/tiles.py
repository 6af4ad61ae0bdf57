"""C2SP tlog-tiles: the tree cut into tiles of 256 hashes (height 8), their names and their contents.

Level 0 holds leaf hashes; a hash of level L + 1 is the root of a full tile of level L. A full tile never changes.
A partial one does, so it is never stored: it follows from at most 255 hashes below it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.audit import merkle
from services.audit.merkle import HASH_BYTES, Node

HEIGHT = 8
WIDTH = 256


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile: ``hashes`` are 32-byte hashes in a row, ``n`` counts the tiles of its level from 0."""

    level: int
    n: int
    hashes: bytes


Edge = tuple[tuple[bytes, ...], ...]
"""The hashes of the partial tile of every level, level 0 first; a level's are 0 to 255 in number."""


def path(level: int, n: int, width: int = WIDTH) -> str:
    """A tile's name below the log's prefix: groups of three digits, ``tile/0/x001/x234/067`` or ``….p/112``."""
    return f"tile/{level}/{_number(n)}" + ("" if width == WIDTH else f".p/{width}")


def _number(n: int) -> str:
    groups = [f"{n % 1000:03d}"]
    while n := n // 1000:
        groups.append(f"x{n % 1000:03d}")
    return "/".join(reversed(groups))


def widths(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number of full tiles and width of the partial one (0: none) of every level of a tree of ``size``."""
    level = 0
    while size >> (HEIGHT * level):
        hashes = size >> (HEIGHT * level)
        yield level, hashes // WIDTH, hashes % WIDTH
        level += 1


def extend(size: int, edge: Edge, hashes: Iterable[bytes]) -> tuple[Edge, list[Tile]]:
    """Append leaf hashes to a tree of ``size`` leaves; returns the new edge and the tiles that became full."""
    levels = [list(level) for level in edge] or [[]]
    counts = [size >> (HEIGHT * level) for level in range(len(levels))]
    full: list[Tile] = []
    for leaf in hashes:
        levels[0].append(leaf)
        counts[0] += 1
        level = 0
        while len(levels[level]) == WIDTH:
            tile = Tile(level, counts[level] // WIDTH - 1, b"".join(levels[level]))
            full.append(tile)
            levels[level] = []
            level += 1
            if level == len(levels):
                levels.append([])
                counts.append(0)
            levels[level].append(root(tile.hashes))
            counts[level] += 1
    return tuple(map(tuple, levels)), full


def root(hashes: bytes) -> bytes:
    """The root above the hashes of a full tile."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [merkle.node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def frontier(edge: Edge) -> merkle.Frontier:
    """The frontier of the tree whose edge this is, from the tiles alone."""
    subtrees: list[bytes] = []
    for level in reversed(edge):
        subtrees += merkle.extend(0, (), level)
    return tuple(subtrees)


def place(node: Node) -> tuple[int, int, int, int]:
    """Where a perfect subtree's hash comes from: tile level, tile number, first hash and how many to fold."""
    level, index = node
    below = level % HEIGHT
    first = index << below
    return level // HEIGHT, first // WIDTH, first % WIDTH, 1 << below


def node_hash(hashes: bytes, first: int, count: int) -> bytes:
    """The root above ``count`` hashes (a power of two) of a tile, from number ``first``."""
    return root(hashes[first * HASH_BYTES : (first + count) * HASH_BYTES])
