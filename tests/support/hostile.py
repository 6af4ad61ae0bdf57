"""Records that are no proper declarations, each with the answer that its sender must get.

Every one carries a canary where a careless system would repeat what it was sent.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from contracts import codec
from contracts.codec import Declaration
from contracts.values import Problem, Refusal, Verb
from tests.support import builders as make

CANARY = "CANARIO-Yuleisy-Rondón-V27654321"

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Sent:
    """What goes over the wire."""

    key: bytes | None
    headers: Headers
    value: bytes | None


@dataclass(frozen=True)
class Case:
    """A record and its answer: the outcome, and the reason code in the fact."""

    name: str
    sent: Sent
    outcome: str
    reason: Problem | Refusal | None = None


def sent(made: Declaration) -> Sent:
    """A declaration as its records's parts."""
    key, headers, value = codec.encode(made)
    return Sent(key, list(headers), value)


def request(by: str = make.SENDER, **changes: Any) -> Declaration:
    """A fresh, proper request."""
    return make.declaration(
        Verb.REQUESTED, uuid4(), uuid4(), by=by, details=make.requested(**changes), time=datetime.now(UTC)
    )


def cases() -> Iterator[Case]:
    """The whole corpus for one institution's topic (``make.SENDER``), with fresh ids at every call."""
    yield from _values()
    yield from _headers()
    yield from _identity()
    yield from _rules()


def _values() -> Iterator[Case]:
    def value(name: str, content: bytes | None, reason: Problem) -> Case:
        return Case(name, replace(sent(request()), value=content), "quarantined", reason)

    def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
        body = json.loads(sent(request()).value or b"")
        change(body)
        return json.dumps(body).encode()

    canary = json.dumps({"details": CANARY}).encode()
    yield value("tombstone", None, Problem.EMPTY)
    yield value("empty value", b"", Problem.EMPTY)
    yield value("not JSON", f"<xml>{CANARY}</xml>".encode(), Problem.JSON_INVALID)
    yield value("not UTF-8", b'{"details": "\xff\xfe"}', Problem.JSON_INVALID)
    yield value("truncated", canary[:-3], Problem.JSON_INVALID)
    yield value("wrong type", canary, Problem.FIELD_INVALID)
    yield value("a list", f'["{CANARY}"]'.encode(), Problem.FIELD_INVALID)
    yield value("U+0000", changed(lambda b: b["details"].update(recipient="a\0" + CANARY)),
                Problem.JSON_FORBIDDEN_CHARACTER)  # fmt: skip
    yield value("lone surrogate", b'{"details": "\\ud800"}', Problem.JSON_INVALID)
    yield value("huge integer", b'{"details": ' + b"9" * 5000 + b"}", Problem.JSON_INVALID)
    yield value("deep nesting", b"[" * 30_000 + b"]" * 30_000, Problem.JSON_INVALID)
    yield value("65,537 bytes", b" " * 65_537, Problem.TOO_LARGE)
    yield value("1 MiB", CANARY.encode() * 30_000, Problem.TOO_LARGE)
    yield value("unknown code", changed(lambda b: b["details"].update(service=CANARY)), Problem.FIELD_INVALID)
    yield value("unknown field", changed(lambda b: b["details"].update({CANARY: 1})), Problem.FIELD_INVALID)
    yield value("missing field", changed(lambda b: b["details"].pop("urgency")), Problem.FIELD_INVALID)
    yield value("number for a text", changed(lambda b: b["details"].update(recipient=7)), Problem.FIELD_INVALID)
    yield value("no sealed part", changed(lambda b: b.pop("sealed")), Problem.FIELD_INVALID)
    yield value("sealed for another", sent(request()).value, Problem.SEALED_NOT_BOUND)


def _headers() -> Iterator[Case]:
    def header(name: str, change: Callable[[Headers], Headers], reason: Problem | None = None) -> Case:
        proper = sent(request())
        return Case(
            name, replace(proper, headers=change(proper.headers)), "quarantined" if reason else "applied", reason
        )

    def put(header_name: str, content: bytes | None) -> Callable[[Headers], Headers]:
        return lambda headers: [(n, content if n == header_name else v) for n, v in headers]

    def ahead() -> bytes:
        return (datetime.now(UTC) + timedelta(hours=1)).isoformat().encode()

    canary = CANARY.encode()
    yield header("no headers", lambda _: [], Problem.HEADER_MISSING)
    yield header("missing id", lambda h: [x for x in h if x[0] != "ce_id"], Problem.HEADER_MISSING)
    yield header("empty id", put("ce_id", b""), Problem.HEADER_MISSING)
    yield header("null subject", put("ce_subject", None), Problem.HEADER_UNREADABLE)
    yield header("not UTF-8", put("ce_source", b"\xff\xfe"), Problem.HEADER_UNREADABLE)
    yield header("very long", put("ce_authid", canary * 100), Problem.HEADER_UNREADABLE)
    yield header("repeated", lambda h: [*h, ("ce_id", str(uuid4()).encode())], Problem.HEADER_REPEATED)
    yield header("id no UUID", put("ce_id", canary), Problem.HEADER_INVALID)
    yield header("a name as authid", put("ce_authid", "Yuleisy Rondón".encode()), Problem.HEADER_INVALID)
    yield header("time without offset", put("ce_time", b"2026-11-24T10:00:00"), Problem.HEADER_INVALID)
    yield header("unknown type", put("ce_type", b"co.ruta.referral.exploded.v1"), Problem.TYPE_UNKNOWN)
    yield header("foreign type", put("ce_type", canary), Problem.TYPE_UNKNOWN)
    yield header("unknown version", put("ce_type", b"co.ruta.referral.requested.v2"), Problem.TYPE_VERSION_UNKNOWN)
    yield header("specversion", put("ce_specversion", b"0.3"), Problem.SPECVERSION_UNSUPPORTED)
    yield header("content type", put("content-type", b"text/xml"), Problem.CONTENT_TYPE_UNSUPPORTED)
    yield header("future time", put("ce_time", ahead()), Problem.TIME_OUT_OF_BOUNDS)
    yield header("ancient time", put("ce_time", b"1999-12-31T23:59:59Z"), Problem.TIME_OUT_OF_BOUNDS)
    # What nobody reads has no effect, however broken: the framework below us would lose the record or obey it.
    yield header("null in a foreign header", lambda h: [*h, ("x-trace", None)])
    yield header("not UTF-8 in a foreign header", lambda h: [*h, ("x-trace", b"\xff")])
    yield header("reply_to", lambda h: [*h, ("reply_to", b"ruta.facts.v1")])


def _identity() -> Iterator[Case]:
    proper = sent(request())
    yield Case("no key", replace(proper, key=None), "quarantined", Problem.KEY_INVALID)
    yield Case("key not UTF-8", replace(sent(request()), key=b"\xff" * 36), "quarantined", Problem.KEY_NOT_SUBJECT)
    yield Case("another key", replace(sent(request()), key=str(uuid4()).encode()), "quarantined",
               Problem.KEY_NOT_SUBJECT)  # fmt: skip
    yield Case("another's source", sent(request(by=make.RECIPIENT, recipient=make.OTHER)), "quarantined",
               Problem.SOURCE_NOT_OWNER)  # fmt: skip
    made = request()
    yield Case("first", sent(made), "applied")
    yield Case("the same again", sent(made), "duplicate")
    yield Case("same id, other bytes", sent(replace(made, details=make.requested())), "conflict")


def _rules() -> Iterator[Case]:
    def verb(which: Verb, **changes: Any) -> Declaration:
        return make.declaration(which, uuid4(), uuid4(), by=make.SENDER, time=datetime.now(UTC), **changes)

    yield Case("unknown referral", sent(verb(Verb.WITHDRAWN)), "refused", Refusal.UNKNOWN_REFERRAL)
    yield Case("unknown recipient", sent(request(recipient="nobody-knows")), "refused", Refusal.UNKNOWN_RECIPIENT)
    yield Case("to itself", sent(request(recipient=make.SENDER)), "refused", Refusal.RECIPIENT_IS_SENDER)
    yield Case("UN body without authorisation", sent(request(recipient=make.NGO)), "refused",
               Refusal.AUTHORISATION_REQUIRED)  # fmt: skip
    opened = request()
    head = opened.envelope
    yield Case("opened", sent(opened), "applied")
    again = replace(opened, envelope=replace(head, id=uuid4()))
    yield Case("opened twice", sent(again), "refused", Refusal.REFERRAL_EXISTS)
    same = make.declaration(Verb.REQUESTED, uuid4(), uuid4(), by=make.SENDER, details=opened.details, time=head.time)
    yield Case("asked twice", sent(same), "refused", Refusal.DUPLICATE_REQUEST)
    yield Case("follows nothing", sent(request(follows=uuid4())), "refused", Refusal.FORMER_UNKNOWN)
    for case_name, which, need, reason in (
        ("wrong state", Verb.CLOSED, head.need, Refusal.WRONG_STATE),
        ("not the recipient", Verb.ACCEPTED, head.need, Refusal.NOT_THE_RECIPIENT),
        ("another need", Verb.WITHDRAWN, uuid4(), Refusal.NEED_MISMATCH),
    ):
        declared = make.declaration(which, head.referral, need, by=make.SENDER, time=datetime.now(UTC))
        yield Case(case_name, sent(declared), "refused", reason)
