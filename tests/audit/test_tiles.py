"""Tiles: names of the specification, golden contents at the edge sizes, and the same root as the plain tree."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.audit import merkle, tiles

LEAVES = [merkle.leaf_hash(b"%d" % n) for n in range(70_000)]


@pytest.mark.parametrize(
    ("level", "n", "width", "name"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (1, 999, 256, "tile/1/999"),
        (1, 1000, 17, "tile/1/x001/000.p/17"),
        (2, 0, 1, "tile/2/000.p/1"),
    ],
)
def test_names(level: int, n: int, width: int, name: str) -> None:
    assert tiles.path(level, n, width) == name


def test_the_tiles_of_seventy_thousand_leaves() -> None:
    """The example of the specification: 273 full and one of 112, one full and one of 17, one of 1."""
    assert list(tiles.widths(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.widths(256)) == [(0, 1, 0), (1, 0, 1)]
    assert list(tiles.widths(0)) == []


def digest_of(size: int) -> str:
    """One hash over names and contents of all tiles of a tree, partial ones included."""
    edge, full = tiles.extend(0, (), LEAVES[:size])
    names = {tiles.path(tile.level, tile.n): tile.hashes for tile in full}
    for level, n, width in tiles.widths(size):
        assert width == len(edge[level])
        if width:
            names[tiles.path(level, n, width)] = b"".join(edge[level])
    total = hashlib.sha256()
    for name, hashes in sorted(names.items()):
        total.update(name.encode() + b"\n" + hashes)
    return total.hexdigest()[:16]


GOLDEN = {
    0: "e3b0c44298fc1c14",
    1: "6e8a361f338ad4dd",
    2: "817be943d14c8961",
    3: "baafbbab26c07f4c",
    255: "4a0c0066bca0b6c6",
    256: "e240462d84c65d8f",
    257: "b3bececd9765aca4",
    511: "0bd2bb343a0bfa3b",
    512: "119ea7f32e29c1c8",
    65_535: "ec26ca77b3cf03d8",
    65_536: "7717e84fba2d63e9",
    65_537: "b20cc88fad20485c",
    70_000: "c5a9fce77ba752b9",
}
"""Made once by this code and checked by the properties below; a change of any tile of any size changes them."""


@pytest.mark.parametrize("size", GOLDEN)
def test_golden_tiles(size: int) -> None:
    assert digest_of(size) == GOLDEN[size]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])
def test_tiles_hold_the_tree(size: int) -> None:
    edge, full = tiles.extend(0, (), LEAVES[:size])
    assert tiles.frontier(edge) == merkle.extend(0, (), LEAVES[:size])
    assert sorted((tile.level, tile.n) for tile in full) == [
        (level, n) for level, count, _ in tiles.widths(size) for n in range(count)
    ]
    for tile in full:
        below = 1 << (tiles.HEIGHT * (tile.level + 1))
        covered = LEAVES[tile.n * below : (tile.n + 1) * below]
        assert tiles.root(tile.hashes) == merkle.fold(merkle.extend(0, (), covered))


@given(some.lists(some.integers(0, 700), max_size=6))
def test_tiles_do_not_depend_on_the_batches(batches: list[int]) -> None:
    size = 0
    edge: tiles.Edge = ()
    full: list[tiles.Tile] = []
    for batch in batches:
        edge, more = tiles.extend(size, edge, LEAVES[size : size + batch])
        size, full = size + batch, full + more
    assert (edge or ((),), full) == tiles.extend(0, (), LEAVES[:size])


@given(some.integers(1, 66_000), some.data())
def test_every_node_is_found_in_a_tile(size: int, data: some.DataObject) -> None:
    index = data.draw(some.integers(0, size - 1))
    for span in merkle.inclusion_ranges(index, size):
        for level, n in merkle.nodes(span):
            tile_level, tile_n, first, count = tiles.place((level, n))
            below = 1 << (tiles.HEIGHT * tile_level)
            row = b"".join(
                merkle.fold(merkle.extend(0, (), LEAVES[at * below : (at + 1) * below]))
                for at in range(tile_n * tiles.WIDTH + first, tile_n * tiles.WIDTH + first + count)
            )
            assert first + count <= tiles.WIDTH
            expected = merkle.fold(merkle.extend(0, (), LEAVES[n << level : (n + 1) << level]))
            assert tiles.node_hash(bytes(first * 32) + row, first, count) == expected
