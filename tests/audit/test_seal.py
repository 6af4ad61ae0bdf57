"""Sealing and committing, and the frame that both are about."""

from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as some

from contracts import codec
from services.audit import seal
from services.audit.framing import Unreadable, unframe

KEY = seal.key(str(uuid4()), bytes(range(32)))
PLACE = seal.coordinates("cluster", "topic", 0, 7)


def test_salt_and_nonce_are_hkdf_expand() -> None:
    expected = HKDFExpand(SHA512(), 44, b"ruta/audit/v1/salt+nonce/" + PLACE).derive(KEY.secret)
    assert b"".join(seal.salt_and_nonce(KEY, PLACE)) == expected


def test_every_place_and_key_has_its_own_salt() -> None:
    others = [seal.coordinates("cluster", "topic", 0, 8), seal.coordinates("cluster", "topic", 1, 7)]
    salts = {seal.salt_and_nonce(KEY, place) for place in (PLACE, *others)}
    salts.add(seal.salt_and_nonce(seal.key(str(uuid4()), bytes(32)), PLACE))
    assert len(salts) == 4


def test_what_is_sealed_opens_under_its_header_only() -> None:
    salt, nonce = seal.salt_and_nonce(KEY, PLACE)
    sealed = seal.seal(KEY, salt, nonce, b"frame", b"header")
    assert seal.unseal(KEY, nonce, sealed, b"header") == (salt, b"frame")
    other_key = seal.key(str(uuid4()), bytes(32))
    for key, n, content, header in (
        (KEY, nonce, sealed, b"another header"),
        (KEY, bytes(12), sealed, b"header"),
        (KEY, nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"header"),
        (other_key, nonce, sealed, b"header"),
    ):
        with pytest.raises(seal.CannotOpen):
            seal.unseal(key, n, content, header)


def test_a_commitment_is_to_salt_and_frame() -> None:
    commitments = {seal.commitment(bytes(32), b"a"), seal.commitment(bytes(32), b"b"), seal.commitment(b"1" * 32, b"a")}
    assert len(commitments) == 3
    assert seal.sameness(KEY, b"digest") != seal.sameness(seal.key(str(uuid4()), bytes(32)), b"digest")


NAMES = some.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
MAYBE = some.none() | some.binary(max_size=40)


@given(MAYBE, some.lists(some.tuples(NAMES, MAYBE), max_size=5).map(tuple), MAYBE)
def test_a_frame_holds_the_whole_record(
    key: bytes | None, headers: tuple[tuple[str, bytes | None], ...], value: bytes | None
) -> None:
    assert unframe(codec.frame(key, headers, value)) == (key, headers, value)


FRAME = codec.frame(b"key", (("name", b"value"),), None)


@pytest.mark.parametrize("bad", [b"", FRAME[:-1], FRAME + b"x", FRAME[:9], b"\xff" * 8, FRAME.replace(b"name", b"nam")])
def test_what_is_no_frame(bad: bytes) -> None:
    with pytest.raises(Unreadable):
        unframe(bad)


def test_a_header_without_a_name_is_no_frame() -> None:
    whole = codec.frame(None, (("", b"x"),), None)
    with pytest.raises(Unreadable):
        unframe(whole[:12] + b"\xff\xff\xff\xff" + whole[16:])
