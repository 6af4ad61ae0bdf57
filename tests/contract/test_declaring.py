"""Making declarations, in code and from files: right ones become what Ruta reads, wrong ones name the field."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from contracts.declarations import BODIES, Received
from contracts.examples import FOLDER, declaration
from contracts.keys import Overlay
from contracts.sdk.connection import Connection
from contracts.sdk.declare import VERBS, Official, System, declare
from contracts.sdk.errors import BadFile, NotADeclaration, SdkError, UnsafeConnection
from contracts.sdk.file import MAX_FILE_BYTES, read_event, read_file
from contracts.sdk.publisher import encode
from contracts.sdk.uuid7 import made_at, uuid7
from contracts.sealing import open_sealed
from contracts.story import NEED, RECIPIENT, REFERRAL, SENDER
from contracts.values import AuthType, Verb
from tests.support.example_keys import RECIPIENT as RECIPIENT_KEY
from tests.support.example_keys import VAULT
from tests.support.hostile import CANARY

KEYS = Overlay(VAULT, {RECIPIENT: RECIPIENT_KEY})


def event(name: str = "referral.requested", **changes: Any) -> dict[str, Any]:
    content = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert isinstance(content, dict)
    return content | changes


def short() -> dict[str, Any]:
    """The least that a file must say."""
    details = event()["data"]["details"]
    return {
        "type": "co.ruta.referral.requested.v1",
        "authtype": "user",
        "authid": "funcionario-17",
        "data": {"details": details, "content": {"nombre": "Ñandú"}},
    }


def read(content: object, institution: str = SENDER) -> codec.Declaration:
    return read_event(json.dumps(content).encode(), institution, keys=KEYS)


@given(st.integers(0, (1 << 48) - 1))
def test_uuid7_has_version_variant_and_time(milliseconds: int) -> None:
    made = uuid7(milliseconds)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == milliseconds


def test_uuid7_sorts_by_time_and_does_not_repeat() -> None:
    assert uuid7(1) < uuid7(2)
    assert len({uuid7(1) for _ in range(10_000)}) == 10_000
    now = made_at(uuid7())
    assert now is not None
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)
    # RFC 9562, appendix A.6
    assert made_at(UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")) == datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    assert made_at(uuid4()) is None
    assert made_at(uuid7((1 << 48) - 1)) is None, "beyond the year 9999"
    with pytest.raises(ValueError, match="48 bits"):
        uuid7(1 << 48)


def test_the_verb_follows_from_the_details() -> None:
    assert set(VERBS.values()) == set(BODIES)
    for verb in BODIES:
        made = declaration(verb)
        assert made.details is not None
        again = declare(
            made.envelope.institution, made.details, referral=REFERRAL, need=NEED, by=Official("x"), sealed=made.sealed
        )
        assert again.envelope.verb is verb


def test_declare_makes_what_ruta_reads() -> None:
    made = declare(RECIPIENT, Received(), referral=REFERRAL, need=NEED, by=System("sistema-1"), causation=NEED)
    assert made.envelope.id.version == 7
    assert made.envelope.auth_type is AuthType.SYSTEM
    key, headers, value = encode(made, RECIPIENT)
    assert key == str(REFERRAL).encode()
    assert encode(made, RECIPIENT) == (key, headers, value), "sending again must send the same bytes"


def test_what_ruta_would_not_read_is_not_sent() -> None:
    made = declare(RECIPIENT, Received(), referral=REFERRAL, need=NEED, by=Official(CANARY + " y más"))
    with pytest.raises(NotADeclaration, match="ce_authid") as caught:
        encode(made, RECIPIENT)
    assert CANARY not in str(caught.value)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(NotADeclaration, match="time-out-of-bounds"):
        encode(declare(SENDER, Received(), referral=REFERRAL, need=NEED, by=Official("x"), time=ahead), SENDER)
    with pytest.raises(NotADeclaration, match="source-not-owner"):
        encode(declare(SENDER, Received(), referral=REFERRAL, need=NEED, by=Official("x")), RECIPIENT)


def test_what_cannot_be_written_is_told_by_field() -> None:
    request = declaration(Verb.REQUESTED)
    made = declare(SENDER, request.details, referral=REFERRAL, need=NEED, by=Official("x"))
    with pytest.raises(NotADeclaration, match=r"^field-invalid: sealed: missing$") as caught:
        encode(made, SENDER)
    assert caught.value.__cause__ is None
    half = declaration(Verb.RECEIVED)
    half = replace(half, envelope=replace(half.envelope, auth_id=CANARY + "\ud800"))
    with pytest.raises(NotADeclaration, match="lone surrogate") as caught:
        encode(half, RECIPIENT)
    assert caught.value.__cause__ is None


def test_a_short_file_gets_the_rest_made_and_its_content_sealed() -> None:
    made = read(short())
    assert made.envelope.id.version == 7
    assert made.envelope.source == f"//{SENDER}/sdk"
    assert made.sealed is not None
    for key in (VAULT, RECIPIENT_KEY):
        assert open_sealed(made.sealed, made.envelope.referral, key) == '{"nombre":"Ñandú"}'.encode()
    encode(made, SENDER)
    again = read(short())
    assert again.envelope.id != made.envelope.id
    assert again.envelope.referral != made.envelope.referral


def test_content_of_other_verbs_names_its_reader() -> None:
    content = event("referral.completed")
    content["data"] |= {"content": "hecho", "content_for": RECIPIENT}
    made = read(content, RECIPIENT)
    assert made.sealed is not None
    assert open_sealed(made.sealed, REFERRAL, RECIPIENT_KEY) == b'"hecho"'
    content["data"]["content_for"] = None
    made = read(content, RECIPIENT)
    assert made.sealed is not None
    assert len(made.sealed.recipients) == 1, "for an institution that has no key yet"


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: {key: value for key, value in content.items() if key != name}


def put(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content | {name: value}


def in_data(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content | {"data": content["data"] | changes}


def in_details(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: in_data(details=content["data"]["details"] | changes)(content)


WRONG: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda content: [CANARY], "the event: must be a JSON object"),
    (without("type"), "type: header-missing"),
    (without("authid"), "authid: header-missing"),
    (without("data"), "data: must be a JSON object"),
    (put("type", CANARY), "type: type-unknown"),
    (put("type", 7), "type: must be text"),
    (put("type", "co.ruta.referral.escalated.v1"), "subject: header-missing"),
    (put("id", CANARY), "id: header-invalid"),
    (put("time", CANARY), "time: header-invalid"),
    (put("subject", CANARY), "subject: header-invalid"),
    (put("source", f"//{RECIPIENT}/x"), "source: names another institution"),
    (put("specversion", "0.3"), "specversion: specversion-unsupported"),
    (put("datacontenttype", "text/xml"), "content-type: content-type-unsupported"),
    (put("datacontenttype", None), "content-type: must be text"),
    (put(CANARY, "x"), "the event: has a field that is not known"),
    (put("authid", "\ud800"), "authid: header-unreadable"),
    (in_data(**{CANARY: 1}), "data: has a field that is not known"),
    (in_data(details=None), r"data.content_for|data\.details"),
    (in_data(details=CANARY), r"data.content_for|data\.details"),
    (in_data(content="\ud800"), "data.content: holds half a character"),
    (in_data(content=CANARY * 10_000), "data.content: too large"),
    (in_data(sealed={}), "both content and sealed"),
    (in_data(content_for=7), "data.content_for"),
    (in_data(content_for=CANARY), "data.content_for: .* is its code right"),
    (in_details(recipient=CANARY), r"data\.details\.recipient: .* is its code right"),
    (in_details(recipient=None), "data.content_for: say for which"),
    (in_details(urgency=CANARY), r"data\.details\.urgency"),
    (in_details(person=CANARY), r"data\.details\.person"),
    (in_details(**{CANARY: 1}), r"data\.details\.\(unknown field\)"),
]


@pytest.mark.parametrize(("change", "named"), WRONG)
def test_a_bad_file_is_told_by_field_and_never_by_value(change: Callable[[dict[str, Any]], object], named: str) -> None:
    with pytest.raises(BadFile, match=named) as caught:
        read(change(short()))
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_request_without_content_is_told_what_it_lacks() -> None:
    content = short()
    del content["data"]["content"]
    with pytest.raises(BadFile, match=r"sealed: missing .*carries content"):
        read(content)


def test_a_code_that_is_not_one_is_told_those_that_are() -> None:
    content = short()
    content["data"]["details"]["urgency"] = CANARY
    with pytest.raises(BadFile, match=r"details\.urgency: enum \(one of 'U0', 'U1', 'U2' or 'U3'\)") as caught:
        read(content)
    assert CANARY not in str(caught.value)


def test_content_without_keys_is_told_what_it_needs() -> None:
    with pytest.raises(BadFile, match="public keys"):
        read_event(json.dumps(short()).encode(), SENDER)


@pytest.mark.parametrize("text", [b"", b"\xff", b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_what_is_not_json_is_told_as_such(text: bytes) -> None:
    with pytest.raises(BadFile, match="not JSON"):
        read_event(text, SENDER, keys=KEYS)


def test_a_files_name_is_in_its_error(tmp_path: Path) -> None:
    path = tmp_path / "remision.json"
    with pytest.raises(BadFile, match=r"remision\.json cannot be read"):
        read_file(path, SENDER)
    path.write_text("x")
    with pytest.raises(BadFile, match=r"remision\.json: not JSON"):
        read_file(path, SENDER)
    path.write_bytes(b" " * (MAX_FILE_BYTES + 1))
    with pytest.raises(BadFile, match=r"remision\.json is larger"):
        read_file(path, SENDER)


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.0.0.1:1,127.0.0.2:2"])
def test_plaintext_is_for_this_machine(bootstrap: str) -> None:
    assert Connection(bootstrap, "imebu", "x").options()["security_protocol"] == "SASL_PLAINTEXT"


@pytest.mark.parametrize(
    "bootstrap", ["kafka.example:9092", "10.0.0.1:9092", "127.0.0.1:1,10.0.0.1:2", "localhost.example:1", "0.0.0.0:1"]
)
def test_plaintext_to_another_machine_is_refused(bootstrap: str) -> None:
    with pytest.raises(UnsafeConnection):
        Connection(bootstrap, "imebu", "x")


def test_a_connection_does_not_show_its_password_and_wants_a_port() -> None:
    assert "SECRETO" not in repr(Connection("localhost:9092", "imebu", "SECRETO"))
    with pytest.raises(SdkError, match="host:port"):
        Connection("localhost", "imebu", "x")


def test_every_verb_of_the_examples_can_be_sent_again_from_its_file() -> None:
    for verb in BODIES:
        path = FOLDER / f"referral.{verb}.json"
        institution = declaration(verb).envelope.institution
        assert codec.encode(read_file(path, institution)) == codec.encode(read_file(path, institution))
        assert read_file(path, institution).envelope.verb is Verb(verb)
