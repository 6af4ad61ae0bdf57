"""What was found once is not found again, and nothing that a sender can write costs much more than its bytes."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec, sealing
from contracts.codec import Record
from contracts.envelope import Flaw
from contracts.sealing import Sealed
from tests.fuzz import corpus
from tests.fuzz.corpus import Found, read_by_everybody
from tests.support import builders as make

TIMES = 4
"""How much more memory a record may take than proper declarations of as many bytes. What this once caught took 11
and 36 times as much."""

SCHEMAS = Path(codec.__file__).parent / "schemas"


@pytest.mark.parametrize("found", list(corpus.records()), ids=lambda found: found.name)
def test_every_record_of_the_corpus_has_its_outcome(found: Found) -> None:
    assert read_by_everybody(found.record) == found.outcome


@pytest.mark.parametrize(("name", "part"), list(corpus.sealed_parts()))
def test_no_sealed_part_of_the_corpus_opens_or_raises_anything_else(name: str, part: Sealed) -> None:
    assert corpus.opened(part) is None


def test_a_proper_record_is_read_and_its_sealed_part_opens() -> None:
    assert read_by_everybody(corpus.proper()) == "read"
    said = codec.decode(corpus.proper(b"content"))
    assert not isinstance(said, Flaw)
    assert said.sealed is not None
    assert corpus.opened(said.sealed) == b"content"


@pytest.fixture(scope="module")
def proper_cost() -> float:
    """Bytes of memory per byte of proper declarations, the dearer of a short and of the longest one."""
    longest = b"x" * sealing.MAX_CONTENT_BYTES
    return max(cost(one) / size(one) for one in (corpus.proper(), corpus.proper(longest)))


@pytest.mark.parametrize("found", list(corpus.records()), ids=lambda found: found.name)
def test_no_record_costs_a_batch_much_more_than_its_bytes(found: Found, proper_cost: float) -> None:
    allowed = TIMES * proper_cost * max(size(found.record), size(corpus.proper()))
    assert cost(found.record) < allowed


def test_what_a_declaration_can_carry_is_far_below_the_bound_of_its_parts() -> None:
    for file in SCHEMAS.glob("referral.*.json"):
        schema = json.loads(file.read_text("utf-8"))
        assert parts(schema, schema.get("$defs", {})) <= codec.MAX_PARTS / 2, file.name


def cost(record: Record) -> int:
    """The most memory in bytes while it is read: what took too long made too many objects, and these can be counted."""
    read_by_everybody(record)  # what is made once
    tracemalloc.start()
    try:
        read_by_everybody(record)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def size(record: Record) -> int:
    """Bytes of its value and headers, as the client counts them."""
    return len(record.value or b"") + sum(len(name) + len(value or b"") for name, value in record.headers)


def parts(schema: dict[str, object], definitions: dict[str, dict[str, object]]) -> int:
    """The most fields and list entries that a JSON Schema allows."""
    match schema:
        case {"$ref": str(name)}:
            return parts(definitions[name.rpartition("/")[2]], definitions)
        case {"anyOf": list(either)}:
            return max(parts(one, definitions) for one in either)
        case {"type": "array", "maxItems": int(most), "items": dict(items)}:
            return most * (1 + parts(items, definitions))
        case {"type": "object", "properties": dict(fields)}:
            return sum(1 + parts(one, definitions) for one in fields.values())
    assert schema.get("type") not in ("array", "object")
    return 0


pieces = st.sampled_from([b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"1e9", b"null", b'"details"'])


@given(value=st.lists(pieces | st.binary(max_size=6), max_size=60).map(b"".join), times=st.sampled_from([1, 1, 1, 500]))
def test_pieces_of_json_in_any_order_have_an_outcome(value: bytes, times: int) -> None:
    assert read_by_everybody(replace(corpus.proper(), value=value * times))


@given(data=st.data())
def test_a_proper_record_with_some_bytes_changed_has_an_outcome(data: st.DataObject) -> None:
    record = corpus.proper()
    value = bytearray(record.value or b"")
    for place, byte in data.draw(st.lists(st.tuples(st.integers(0, len(value) - 1), st.integers(0, 255)), max_size=8)):
        value[place] = byte
    assert read_by_everybody(replace(record, value=bytes(value)))


@given(data=st.data())
def test_a_sealed_part_with_some_letters_changed_opens_as_it_was_or_not_at_all(data: st.DataObject) -> None:
    part = make.sealed(corpus.REFERRAL, b"content")
    name = data.draw(st.sampled_from(["protected", "iv", "ciphertext", "tag", "aad"]))
    text = list(getattr(part, name))
    letters = st.sampled_from("ABab09_-")
    for place, letter in data.draw(st.lists(st.tuples(st.integers(0, len(text) - 1), letters), max_size=3)):
        text[place] = letter
    assert corpus.opened(part.model_copy(update={name: "".join(text)})) in (b"content", None)
