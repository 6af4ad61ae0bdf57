"""Leaves: canonical, strict, without anything of a record but ids, codes and digests."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec, facts, topics
from contracts.envelope import Flaw
from contracts.values import Verb
from services.audit import leaf, reading
from services.audit.sequence import Corrupted, Head, check
from tests.audit.support import CLUSTER, MemoryLog, declared, desk, fact, raw, receipt
from tests.support import builders as make
from tests.support import hostile


def leaves(log: MemoryLog) -> list[dict[str, object]]:
    return [leaf.read(one) for one in log.leaves]


def test_an_event_says_what_its_envelope_says() -> None:
    log = MemoryLog()
    first = log.arrival(declared())
    log.append(first, log.arrival(declared(first.referral)))
    one, two = leaves(log)
    assert (one["id"], one["case"]) == (str(first.event), str(first.referral))
    assert (one["type"], one["time"]) == ("co.ruta.referral.received.v1", "2026-11-24T15:00:00.000000Z")
    assert (one["is"], one["cs"], two["is"], two["ip"], two["cs"], two["cp"]) == (1, 1, 2, 0, 2, 0)
    assert not {"ip", "cp", "flaw", "first", "cause"} & one.keys()


def test_a_gap_commits_to_nothing() -> None:
    log = MemoryLog()
    batch = log.append(log.gap(topics.inbound(make.SENDER), 42))
    (one,) = leaves(log)
    assert (one["k"], one["o"], one["to"], one["why"], one["from"]) == ("gap", 0, 41, "lost", make.SENDER)
    assert not {"c", "x", "kid", "n", "kt"} & one.keys()
    assert (batch.sealed, batch.spans[CLUSTER, str(one["ti"]), 0]) == ([], (0, 42))


def test_every_hostile_record_gets_a_leaf_that_repeats_nothing_of_it() -> None:
    log = MemoryLog()
    cases = list(hostile.cases())
    log.append(*(log.arrival(raw(c.sent.value, c.sent.key, tuple(c.sent.headers))) for c in cases))
    log.append(log.arrival(raw(None, None, (("", None), ("\udcff", None)))))
    assert len(log.leaves) == len(cases) + 1
    for stored in log.leaves:
        assert hostile.CANARY.encode() not in stored
        assert len(stored) < 1024


@pytest.mark.parametrize("milliseconds", [-1, 0, 2**62, -(2**62)])
def test_no_time_of_kafka_can_stop_the_log(milliseconds: int) -> None:
    log = MemoryLog()
    log.append(log.arrival(replace(raw(), timestamp=milliseconds)))
    assert leaves(log)[0]["kt"] == milliseconds


def test_the_desk_writes_in_an_institutions_name() -> None:
    log = MemoryLog()
    log.append(log.arrival(desk(make.OTHER)), log.arrival(replace(raw(), topic=topics.inbound(topics.DESK))))
    assert [one["from"] for one in leaves(log)] == [make.OTHER, topics.DESK]


def test_a_forged_source_counts_for_the_owner_of_the_topic() -> None:
    log = MemoryLog()
    log.append(log.arrival(replace(declared(by=make.OTHER), topic=topics.inbound(make.SENDER))))
    (one,) = leaves(log)
    assert (one["from"], one["flaw"]) == (make.SENDER, "source-not-owner")
    assert not {"id", "type", "time"} & one.keys()


SPOILED: list[dict[str, Any]] = [
    {"value": None},
    {"value": b" " * (codec.MAX_VALUE_BYTES + 1)},
    {"key": None},
    {"key": b"\xff" * 36},
    {"key": None, "value": None},
    {"headers": (), "value": None},
    {"headers": (), "value": b" " * (codec.MAX_VALUE_BYTES + 1)},
    {"timestamp": 0, "value": b""},
]


@pytest.mark.parametrize("change", SPOILED, ids=lambda change: "-".join(change))
def test_leaf_and_decision_give_one_reason_and_name_one_referral(change: dict[str, Any]) -> None:
    """Whoever erases a referral erases every record that names it, those too that did not count."""
    log, spoiled = MemoryLog(), replace(declared(), **change)
    item = log.arrival(spoiled)
    log.append(item)
    (one,) = leaves(log)
    decided = codec.decode(spoiled)
    assert isinstance(decided, Flaw)
    named = str(decided.envelope.referral) if decided.envelope else None
    assert (one["flaw"], one.get("case")) == (decided.problem, named)
    assert item.scope == (make.SENDER, named or reading.month(spoiled.timestamp))
    assert not {"id", "type", "time"} & one.keys()


def test_the_same_bytes_again_are_a_duplicate_and_others_a_conflict() -> None:
    log = MemoryLog()
    one = declared()
    first = log.arrival(one)
    log.append(first, log.arrival(one))
    log.append(log.arrival(one), log.arrival(declared(first.referral, id=first.event)))
    kinds = [(fields["k"], fields.get("first")) for fields in leaves(log)]
    assert kinds == [("event", None), ("duplicate", 0), ("duplicate", 0), ("conflict", 0)]


def test_who_lets_more_be_read_gives_leaves_a_new_version() -> None:
    """Records of a verb that is new were flawed before it was, and their leaves must not be called wrong for it."""
    types = " ".join(sorted(Verb))
    assert (leaf.VERSION, hashlib.sha256(types.encode()).hexdigest()[:16]) == (2, "f4e42c16ac7b5faf")


def test_columns_name_the_fact_that_a_leaf_belongs_to() -> None:
    log = MemoryLog()
    cause = log.arrival(declared())
    about = log.arrival(fact(cause))
    assert about.event is not None
    batch = log.append(cause, about, log.arrival(receipt(about.event, about.referral)))
    of_declaration, of_fact, of_receipt = (columns.fact_id for columns in batch.columns)
    assert of_declaration == str(facts.fact_id(CLUSTER, cause.topic_id, 0, 0, 0))
    assert of_fact == of_receipt == about.event
    assert [columns.owner for columns in batch.columns] == [make.SENDER, topics.REFERRALS, topics.NOTIFICATIONS]
    assert [columns.referral_seq for columns in batch.columns] == [1, 2, 3]


def test_sequencing_the_same_records_again_makes_the_same_leaves() -> None:
    """However they fall into batches: only the order counts."""
    one = MemoryLog()
    items = [one.arrival(declared()) for _ in range(20)]
    one.append(*items)
    other = MemoryLog(keys=one.keys)
    other.append(*items[:1])
    other.append(*items[1:])
    assert other.leaves == one.leaves
    assert other.head == one.head


def test_a_flipped_bit_is_never_signed() -> None:
    log = MemoryLog()
    batch = log.append(log.arrival(declared()))
    batch.leaves[0] = bytes([batch.leaves[0][0] ^ 1]) + batch.leaves[0][1:]
    with pytest.raises(Corrupted):
        check(Head(), batch)


def good() -> dict[str, object]:
    log = MemoryLog()
    log.append(log.arrival(declared()))
    return leaves(log)[0]


def encoded(fields: dict[str, object]) -> bytes:
    return leaf.canonical(fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [{"v": 3}, {"k": "rumour"}, {"p": "0"}, {"o": True}, {"o": 1.0}, {"c": 1}, {"extra": "x"}, {"to": 1}, {"why": "x"},
     {"case": 5}, {"case": "5"}, {"kid": "x"}, {"k": "gap"}],
)  # fmt: skip
def test_what_is_no_leaf(change: dict[str, object]) -> None:
    fields = good()
    assert leaf.read(encoded(fields)) == fields
    with pytest.raises(leaf.Malformed):
        leaf.read(encoded(fields | change))


ascii_texts = st.text(st.characters(min_codepoint=0, max_codepoint=126))
any_fields = st.dictionaries(
    st.sampled_from(sorted(good())), st.none() | ascii_texts | st.integers(-(2**63), 2**63 - 1), max_size=30
)


@given(any_fields)
def test_the_bytes_are_the_standard_librarys_with_sorted_keys(fields: dict[str, object]) -> None:
    present = {name: value for name, value in fields.items() if value is not None}
    assert encoded(fields) == json.dumps(present, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize("change", [{"why": "ñ"}, {"type": "ñ"}, {"o": 2**64}])
def test_fields_are_ascii_and_64_bit(change: dict[str, object]) -> None:
    fields = good() | change
    with pytest.raises(leaf.Malformed):
        leaf.read(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize("name", ["c", "x", "kid", "cl", "ti", "o", "v", "from", "is"])
def test_a_leaf_without_a_required_field_is_none(name: str) -> None:
    with pytest.raises(leaf.Malformed):
        leaf.read(encoded({**good(), name: None}))


def test_other_bytes_of_the_same_json_are_no_leaf() -> None:
    fields = good()
    for other in (
        json.dumps(fields).encode(),
        json.dumps(dict(sorted(fields.items(), reverse=True)), separators=(",", ":")).encode(),
        encoded(fields) + b"\n",
        encoded(fields).replace(b'"v":2', b'"v":2,"v":2'),
        b"[]",
        b"\xff",
        b"x" * 9000,
    ):
        with pytest.raises(leaf.Malformed):
            leaf.read(other)


def test_a_header_is_the_leaf_without_the_sealed_digest() -> None:
    fields = good()
    assert leaf.complete(leaf.header(encoded(fields)), bytes.fromhex(str(fields["x"]))) == encoded(fields)


@pytest.mark.parametrize(
    ("size", "published"), [(0, 256), (1, 256), (256, 256), (257, 512), (1024, 1024), (1025, 2048)]
)
def test_sizes_are_published_roughly(size: int, published: int) -> None:
    assert leaf.size_class(size) == published
