"""Reading declarations is total, answers by name and never repeats what it was sent; writing is its inverse."""

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from contracts import envelope as ce
from contracts.codec import Declaration, Record
from contracts.declarations import BODIES, TYPE_PREFIX
from contracts.envelope import Flaw, Header
from contracts.examples import declaration, example_facts
from contracts.facts import Fact
from contracts.values import Problem, Verb
from tests.support import hostile
from tests.support.hostile import CANARY, Case, Sent

TOPIC = "ruta.in.personeria-giron.v1"
PROPER = declaration(Verb.REQUESTED)
KEY, HEADERS, VALUE = codec.encode(PROPER)
AT = int(PROPER.envelope.time.timestamp() * 1000)

# Whoever may say what is decided elsewhere; decoding judges the rest.
UNREADABLE = [
    case for case in hostile.cases() if case.outcome == "quarantined" and case.reason is not Problem.SOURCE_NOT_OWNER
]


def record(
    key: bytes | None = KEY, headers: tuple[Header, ...] = tuple(HEADERS), value: bytes | None = VALUE, at: int = AT
) -> Record:
    return Record(TOPIC, 0, 0, at, key, headers, value)


def arrived(sent: Sent) -> Record:
    return Record(TOPIC, 0, 0, int(datetime.now(UTC).timestamp() * 1000), sent.key, tuple(sent.headers), sent.value)


def with_header(name: str, value: bytes | None) -> Record:
    return record(headers=tuple((n, value if n == name else v) for n, v in HEADERS))


@pytest.mark.parametrize("case", UNREADABLE, ids=lambda case: case.name)
def test_a_hostile_record_is_a_flaw_with_its_name(case: Case) -> None:
    flaw = codec.decode(arrived(case.sent))
    assert isinstance(flaw, Flaw)
    assert flaw.problem is case.reason
    assert CANARY not in flaw.detail


@pytest.mark.parametrize(
    "case", [case for case in hostile.cases() if case.outcome != "quarantined"], ids=lambda case: case.name
)
def test_what_only_a_rule_can_refuse_is_readable(case: Case) -> None:
    assert isinstance(codec.decode(arrived(case.sent)), Declaration)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ce_id", b"\x00" * 36, Problem.HEADER_INVALID),
        ("ce_id", str(PROPER.envelope.id).upper().encode(), Problem.HEADER_INVALID),
        ("ce_source", b"https://personeria-giron/x", Problem.SOURCE_INVALID),
        ("ce_source", b"//personeria-giron", Problem.SOURCE_INVALID),
        ("ce_source", b"//Personeria/x", Problem.SOURCE_INVALID),
        ("ce_source", b"//personeria-giron/x\n", Problem.SOURCE_INVALID),
        ("ce_type", b"co.ruta.referral.requested.v01", Problem.TYPE_VERSION_UNKNOWN),
        ("ce_type", b"co.ruta.referral.requested.v1\n", Problem.TYPE_UNKNOWN),
        ("ce_partitionkey", str(uuid4()).encode(), Problem.KEY_NOT_SUBJECT),
        ("ce_time", b"2026-11-23T14:00:60Z", Problem.HEADER_INVALID),
        ("ce_time", b"0000-01-01T00:00:00Z", Problem.HEADER_INVALID),
        ("ce_time", b"0001-01-01T00:00:00+23:59", Problem.HEADER_INVALID),
        ("ce_time", "٢٠٢٦-11-23T14:00:00Z".encode(), Problem.HEADER_INVALID),
        ("ce_authtype", b"robot", Problem.HEADER_INVALID),
        ("content-type", b"application/cloudevents+json", Problem.CONTENT_TYPE_UNSUPPORTED),
        ("ce_correlationid", None, Problem.HEADER_UNREADABLE),
        ("ce_authid", b"a" * 513, Problem.HEADER_UNREADABLE),
    ],
)
def test_every_header_is_judged_and_named(name: str, value: bytes | None, problem: Problem) -> None:
    assert codec.decode(with_header(name, value)) == Flaw(problem, name)


@pytest.mark.parametrize("name", ce.REQUIRED)
def test_no_required_header_may_be_missing_empty_null_repeated_or_not_utf8(name: str) -> None:
    without = tuple(h for h in HEADERS if h[0] != name)
    assert codec.decode(record(headers=without)) == Flaw(Problem.HEADER_MISSING, name)
    assert codec.decode(with_header(name, b"")) == Flaw(Problem.HEADER_MISSING, name)
    assert codec.decode(with_header(name, None)) == Flaw(Problem.HEADER_UNREADABLE, name)
    assert codec.decode(with_header(name, b"\xff")) == Flaw(Problem.HEADER_UNREADABLE, name)
    assert codec.decode(record(headers=(*HEADERS, (name, b"x")))) == Flaw(Problem.HEADER_REPEATED, name)


@pytest.mark.parametrize("name", ce.REQUIRED)
@pytest.mark.parametrize("value", [b"", None, b"\xff", b"x" * 600])
def test_whoever_sent_a_readable_id_finds_the_answer_by_it(name: str, value: bytes | None) -> None:
    found = codec.decode(with_header(name, value))
    assert isinstance(found, Flaw)
    known = found.envelope.id if found.envelope else found.event
    assert known == (None if name == "ce_id" else UUID(dict(HEADERS)["ce_id"].decode()))


def test_an_id_that_is_there_twice_is_nobodys() -> None:
    found = codec.decode(record(headers=(*HEADERS, ("ce_id", dict(HEADERS)["ce_id"]))))
    assert isinstance(found, Flaw)
    assert found.event is None


def test_the_content_type_may_have_parameters_and_any_case() -> None:
    assert isinstance(codec.decode(with_header("content-type", b"Application/JSON; charset=utf-8")), Declaration)


def test_times_are_bounded_against_the_receipt_to_the_second() -> None:
    def seconds_apart(seconds: float) -> Declaration | Flaw:
        return codec.decode(record(at=AT - int(seconds * 1000)))

    ahead, behind = codec.MAX_AHEAD.total_seconds(), codec.MAX_BEHIND.total_seconds()
    assert isinstance(seconds_apart(ahead), Declaration)
    assert seconds_apart(ahead + 1) == Flaw(Problem.TIME_OUT_OF_BOUNDS, "ce_time")
    assert isinstance(seconds_apart(-behind), Declaration)
    assert seconds_apart(-behind - 1) == Flaw(Problem.TIME_OUT_OF_BOUNDS, "ce_time")


def test_the_size_limit_is_exact() -> None:
    padded = VALUE + b" " * (codec.MAX_VALUE_BYTES - len(VALUE))
    assert isinstance(codec.decode(record(value=padded)), Declaration)
    flaw = codec.decode(record(value=padded + b" "))
    assert isinstance(flaw, Flaw)
    assert flaw.problem is Problem.TOO_LARGE


PLACES: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda body: body,
    lambda body: body["details"],
    lambda body: body["details"]["territories"],
    lambda body: body["details"]["legal_basis"],
    lambda body: body["sealed"],
    lambda body: body["sealed"]["recipients"][0]["header"]["epk"],
]


@pytest.mark.parametrize("place", PLACES)
def test_the_name_of_an_unknown_field_is_never_repeated(place: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    body = json.loads(VALUE)
    place(body)[CANARY] = CANARY
    flaw = codec.decode(record(value=json.dumps(body).encode()))
    assert isinstance(flaw, Flaw)
    assert flaw.problem is Problem.FIELD_INVALID
    assert "(unknown field)" in flaw.detail
    assert CANARY not in flaw.detail


raw = st.none() | st.binary(max_size=80)
header_names = st.sampled_from(sorted(ce.READ)) | st.text(max_size=12)
junk_headers = st.lists(st.tuples(header_names, raw), max_size=14).map(tuple)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
)


def check(answer: Declaration | Flaw) -> None:
    assert isinstance(answer, Declaration | Flaw)
    if isinstance(answer, Flaw):
        assert answer.detail.isascii()
        assert len(answer.detail) <= 200


@given(key=raw, headers=junk_headers, value=raw)
def test_decoding_never_raises_whatever_arrives(
    key: bytes | None, headers: tuple[Header, ...], value: bytes | None
) -> None:
    check(codec.decode(record(key, headers, value)))


@given(value=raw, verb=st.sampled_from(Verb))
def test_decoding_never_raises_with_any_bytes_behind_proper_headers(value: bytes | None, verb: Verb) -> None:
    headers = tuple((n, f"{TYPE_PREFIX}{verb}.v1".encode() if n == "ce_type" else v) for n, v in HEADERS)
    check(codec.decode(record(headers=headers, value=value)))


@given(name=st.sampled_from(ce.REQUIRED), value=st.text(max_size=40).map(lambda text: text.encode(errors="replace")))
def test_decoding_never_raises_with_any_text_in_one_header(name: str, value: bytes) -> None:
    check(codec.decode(with_header(name, value)))


@given(data=st.data(), junk=json_values)
def test_decoding_never_raises_with_any_json_in_the_place_of_any_part(data: st.DataObject, junk: Any) -> None:
    body = json.loads(VALUE)
    holder: Any = body
    while True:
        name = data.draw(st.sampled_from(sorted(holder)) if isinstance(holder, dict) else st.just(0))
        deeper = holder[name] if isinstance(holder[name], dict | list) and holder[name] else None
        if deeper is None or data.draw(st.booleans()):
            break
        holder = deeper
    holder[name] = junk
    check(codec.decode(record(value=json.dumps(body).encode())))


TRACEPARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize("verb", BODIES, ids=str)
def test_what_is_encoded_decodes_to_itself(verb: Verb) -> None:
    made = declaration(verb)
    made = replace(made, envelope=replace(made.envelope, causation=uuid4(), traceparent=TRACEPARENT))
    key, headers, value = codec.encode(made)
    at = int(made.envelope.time.timestamp() * 1000)
    assert codec.decode(record(key, tuple(headers), value, at)) == made
    assert key == str(made.envelope.referral).encode()


def test_times_of_any_offset_come_back_as_the_same_instant_in_utc() -> None:
    local = b"2026-11-23T09:00:00.123456789-05:00"
    read = codec.decode(with_header("ce_time", local))
    assert isinstance(read, Declaration)
    assert read.envelope.time == datetime(2026, 11, 23, 14, 0, 0, 123456, tzinfo=UTC)
    assert read.envelope.time.utcoffset() == timedelta(0)


@pytest.mark.parametrize("verb", [verb for verb in Verb if verb not in BODIES], ids=str)
def test_a_known_verb_without_a_model_is_readable_but_cannot_be_encoded(verb: Verb) -> None:
    headers = tuple((n, f"{TYPE_PREFIX}{verb}.v1".encode() if n == "ce_type" else v) for n, v in HEADERS)
    read = codec.decode(record(headers=headers))
    assert isinstance(read, Declaration)
    assert read.details is None
    with pytest.raises(ValueError, match="not supported"):
        codec.encode(read)


Parts = tuple[bytes | None, tuple[Header, ...], bytes | None]
# Names as a consumer hands them over: undecodable bytes are lone surrogates U+DC80 to U+DCFF.
wire_names = st.binary(max_size=6).map(lambda name: name.decode("utf-8", "surrogateescape"))
parts = st.tuples(raw, st.lists(st.tuples(wire_names, raw), max_size=5).map(tuple), raw)


def unframe(framed: bytes) -> Parts:
    found: list[bytes | None] = []
    while framed:
        (length,) = struct.unpack(">I", framed[:4])
        size = 0 if length == 0xFFFFFFFF else length
        found.append(None if length == 0xFFFFFFFF else framed[4 : 4 + size])
        framed = framed[4 + size :]
    key, count, *rest = found
    value = rest.pop()
    assert count is not None
    assert len(rest) == 2 * int.from_bytes(count)
    names = [name.decode("utf-8", "surrogateescape") for name in rest[::2] if name is not None]
    return key, tuple(zip(names, rest[1::2], strict=True)), value


@given(parts)
def test_a_frame_gives_back_its_parts_so_no_two_records_share_one(one: Parts) -> None:
    assert unframe(codec.frame(*one)) == one


@given(parts)
def test_frame_and_digest_are_made_in_one_go(one: Parts) -> None:
    key, headers, value = one
    headers = (*headers, ("ce_id", b"b"), ("ce_b", b""), ("ce_b", None), ("ce_id", b"a"))
    made = codec.framed(Record("t", 0, 0, 0, key, headers, value))
    attributes = sorted(
        ((n, v) for n, v in headers if n.startswith("ce_")), key=lambda h: (h[0], h[1] or b"", h[1] is None)
    )
    assert made.frame == codec.frame(key, headers, value)
    assert made.digest == sha256(codec.frame(key, tuple(attributes), value)).digest()


def test_the_digest_covers_key_ce_headers_and_value_and_nothing_else() -> None:
    first = codec.digest(record())
    assert codec.digest(record(headers=(*HEADERS, ("traceparent", b"x"), ("x", None)))) == first
    assert codec.digest(record(at=AT + 1)) == first
    changed = [record(key=None), record(value=VALUE + b" "), record(value=None), record(headers=())]
    changed += [with_header(name, b"other") for name, _ in HEADERS if name.startswith("ce_")]
    digests = {codec.digest(one) for one in changed}
    assert len(digests) == len(changed)
    assert first not in digests


def read_by_cloudevents(key: bytes, headers: list[tuple[str, bytes]], value: bytes) -> tuple[dict[str, Any], Any]:
    event = from_binary(KafkaMessage(dict(headers), key, value), JSONFormat())
    return dict(event.get_attributes()), event.get_data()


@pytest.mark.parametrize("verb", BODIES, ids=str)
def test_the_cloudevents_library_reads_declarations(verb: Verb) -> None:
    made = declaration(verb)
    key, headers, value = codec.encode(made)
    attributes, data = read_by_cloudevents(key, headers, value)
    expected = {name.removeprefix("ce_"): text.decode() for name, text in headers if name.startswith("ce_")}
    assert {name: attributes[name] for name in expected if name != "time"} == {
        name: text for name, text in expected.items() if name != "time"
    }
    assert attributes["time"] == made.envelope.time
    assert attributes["datacontenttype"] == "application/json"
    assert data == json.loads(value)


@pytest.mark.parametrize("fact", list(example_facts()), ids=lambda fact: fact.data.kind)
def test_the_cloudevents_library_reads_facts(fact: Fact) -> None:
    attributes, data = read_by_cloudevents(fact.key, fact.headers(), fact.value())
    assert (attributes["id"], attributes["time"]) == (str(fact.id), fact.time)
    assert attributes["type"] == f"co.ruta.fact.{fact.data.kind}.v1"
    assert data == json.loads(fact.value())


@pytest.mark.parametrize(
    "hostile",
    [
        [b"x"], [b""], [None], [b"\xff" * 55], [b"0" * 100_000], [TRACEPARENT.encode()] * 2,
        [b"00-" + b"0" * 32 + b"-" + b"b" * 16 + b"-01"], [b"00-" + b"a" * 32 + b"-" + b"0" * 16 + b"-01"],
        [TRACEPARENT.upper().encode()], [b"01" + TRACEPARENT[2:].encode()], [TRACEPARENT.encode() + b"\n"],
    ],
)  # fmt: skip
def test_a_trace_that_cannot_be_followed_changes_nothing(hostile: list[bytes | None]) -> None:
    plain = codec.decode(record())
    assert codec.decode(record(headers=(*HEADERS, *(("traceparent", value) for value in hostile)))) == plain
    traced = codec.decode(record(headers=(*HEADERS, ("traceparent", TRACEPARENT.encode()))))
    assert isinstance(traced, Declaration)
    assert isinstance(plain, Declaration)
    assert traced.envelope.traceparent == TRACEPARENT
    assert plain.envelope.traceparent is None
