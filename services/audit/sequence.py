"""One batch, put together: from arrivals in their order to everything that one transaction stores. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts import codec
from services.audit import leaf, merkle, seal, tiles
from services.audit.leaf import Columns, Kind
from services.audit.reading import Arrival, Gap, owner
from services.audit.tiles import Edge, Tile

Scope = tuple[str, str]
Use = tuple[str, str]
"""Owner and event id."""
Stream = tuple[str, str, int]
"""Cluster, topic id, partition."""


class Corrupted(RuntimeError):
    """Two ways to the root of a batch disagree: memory is not to be trusted. Nothing of it may be stored."""


class Tail(NamedTuple):
    """The last leaf of a chain: its number within the chain, and the index it stands at."""

    seq: int
    at: int


class FirstUse(NamedTuple):
    """The index of the leaf that used an event id first, and what it said (``seal.sameness``)."""

    at: int
    same: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends. Frontier and edge say the same in two ways, and are compared for every batch."""

    size: int = 0
    frontier: merkle.Frontier = ()
    edge: Edge = ()

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return merkle.fold(self.frontier)


@dataclass(frozen=True, slots=True)
class Known:
    """What the log already holds of the things that a batch names."""

    owners: Mapping[str, Tail]
    referrals: Mapping[str, Tail]
    uses: Mapping[Use, FirstUse]
    keys: Mapping[Scope, seal.Key]


@dataclass
class Batch:
    """What one transaction stores, and the head after it."""

    first_index: int
    leaves: list[bytes] = field(default_factory=list)
    columns: list[Columns] = field(default_factory=list)
    sealed: list[tuple[int, bytes]] = field(default_factory=list)
    uses: dict[Use, FirstUse] = field(default_factory=dict)
    spans: dict[Stream, tuple[int, int]] = field(default_factory=dict)
    owners: dict[str, Tail] = field(default_factory=dict)
    referrals: dict[str, Tail] = field(default_factory=dict)
    tiles: list[Tile] = field(default_factory=list)
    head: Head = field(default_factory=Head)


def assemble(head: Head, items: Sequence[Arrival | Gap], known: Known) -> Batch:
    """The batch of these items, in this order. Raises Corrupted, KeyError for a scope without a key."""
    batch = Batch(head.size)
    for item in items:
        index = head.size + len(batch.leaves)
        fields = _gap(item) if isinstance(item, Gap) else _record(item)
        _chain(batch, known, fields, index, item.referral if isinstance(item, Arrival) else None)
        if isinstance(item, Gap):
            made = leaf.canonical(fields)
        else:
            key, framed = known.keys[item.scope], codec.framed(item.record)
            _use(batch, known, fields, index, item, seal.sameness(key, framed.digest))
            made = _bind(batch, fields, index, item, key, framed.frame)
        columns = leaf.columns(fields)
        stream = columns.cluster, columns.topic_id, columns.partition
        first = batch.spans.get(stream, (columns.record_offset, 0))[0]
        batch.spans[stream] = first, columns.last_offset + 1
        batch.leaves.append(made)
        batch.columns.append(columns)
    hashes = [merkle.leaf_hash(one) for one in batch.leaves]
    edge, batch.tiles = tiles.extend(head.size, head.edge, hashes)
    batch.head = Head(head.size + len(hashes), merkle.extend(head.size, head.frontier, hashes), edge)
    return batch


def check(before: Head, batch: Batch) -> None:
    """Hash the bytes that are about to be stored again, another way. Raises Corrupted; then nothing is signed."""
    frontier = merkle.extend(before.size, before.frontier, [merkle.leaf_hash(one) for one in batch.leaves])
    if not merkle.fold(frontier) == merkle.fold(tiles.frontier(batch.head.edge)) == batch.head.root:
        raise Corrupted("the root of the stored bytes is another one")


def _gap(item: Gap) -> dict[str, str | int | None]:
    return {
        "cl": item.cluster, "from": owner(item.topic), "k": Kind.GAP.value, "kept": item.kept, "log": item.checkpoint,
        "o": item.first, "p": item.partition, "ti": item.topic_id, "to": item.last, "topic": item.topic,
        "v": leaf.VERSION, "why": item.why,
    }  # fmt: skip


def _record(item: Arrival) -> dict[str, str | int | None]:
    record = item.record
    return {
        "case": item.referral,
        "cause": item.cause,
        "cl": item.cluster,
        "flaw": item.flaw,
        "from": item.owner,
        "id": item.event,
        "k": Kind.EVENT.value,
        "kt": record.timestamp,
        "o": record.offset,
        "p": record.partition,
        "ti": item.topic_id,
        "time": item.time,
        "topic": record.topic,
        "type": item.type,
        "v": leaf.VERSION,
    }


def _chain(batch: Batch, known: Known, fields: dict[str, str | int | None], index: int, referral: str | None) -> None:
    whose = str(fields["from"])
    last = batch.owners.get(whose) or known.owners.get(whose)
    batch.owners[whose] = tail = Tail(last.seq + 1 if last else 1, index)
    fields["is"], fields["ip"] = tail.seq, last.at if last else None
    if referral is not None:
        last = batch.referrals.get(referral) or known.referrals.get(referral)
        batch.referrals[referral] = tail = Tail(last.seq + 1 if last else 1, index)
        fields["cs"], fields["cp"] = tail.seq, last.at if last else None


def _use(
    batch: Batch, known: Known, fields: dict[str, str | int | None], index: int, item: Arrival, same: bytes
) -> None:
    if item.event is None:
        return
    use = item.owner, item.event
    first = batch.uses.get(use) or known.uses.get(use)
    if first is None:
        batch.uses[use] = FirstUse(index, same)
    else:
        fields["k"] = (Kind.DUPLICATE if first.same == same else Kind.CONFLICT).value
        fields["first"] = first.at


def _bind(
    batch: Batch, fields: dict[str, str | int | None], index: int, item: Arrival, key: seal.Key, frame: bytes
) -> bytes:
    place = seal.coordinates(item.cluster, item.topic_id, item.record.partition, item.record.offset)
    salt, nonce = seal.salt_and_nonce(key, place)
    fields["c"] = seal.commitment(salt, frame).hex()
    fields["kid"] = key.id
    fields["n"] = leaf.size_class(len(frame))
    header = leaf.canonical(fields)
    sealed = seal.seal(key, salt, nonce, frame, header)
    batch.sealed.append((index, sealed))
    return leaf.complete(header, hashlib.sha256(sealed).digest())
