"""The sealed part opens for whom it was made and for the referral it was made for, and for nobody and nothing else."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OKPKey

from contracts import codec
from contracts.codec import Declaration
from contracts.examples import declaration, sealed_part
from contracts.sealing import MAX_CONTENT_BYTES, CannotOpen, NotForUs, Sealed, open_sealed, seal
from contracts.story import REFERRAL
from contracts.values import Verb
from tests.support.example_keys import RECIPIENT, VAULT

STRANGER = OKPKey.generate_key("X25519", private=True)


def public(key: OKPKey) -> OKPKey:
    return OKPKey.import_key(key.as_dict(private=False))


def changed(sealed: Sealed, path: tuple[str | int, ...], value: object) -> Sealed:
    content: Any = sealed.model_dump(mode="json")
    holder = content
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return Sealed.model_validate(content)


def at(sealed: Sealed, path: tuple[str | int, ...]) -> str:
    found: Any = sealed.model_dump(mode="json")
    for step in path:
        found = found[step]
    assert isinstance(found, str)
    return found


@given(st.binary(max_size=2000))
def test_every_reader_opens_what_was_sealed_for_it(content: bytes) -> None:
    sealed = seal(content, REFERRAL, [public(VAULT), public(RECIPIENT)])
    assert open_sealed(sealed, REFERRAL, VAULT) == content
    assert open_sealed(sealed, REFERRAL, RECIPIENT) == content
    assert sealed.bound_to(REFERRAL)


def test_a_stranger_does_not_open_it() -> None:
    with pytest.raises(NotForUs):
        open_sealed(sealed_part(), REFERRAL, STRANGER)


def test_a_strangers_key_under_our_key_id_does_not_open_it() -> None:
    forged = changed(sealed_part(), ("recipients", 0, "header", "kid"), STRANGER.thumbprint())
    with pytest.raises(CannotOpen):
        open_sealed(forged, REFERRAL, STRANGER)


def test_moved_to_another_referral_it_does_not_open() -> None:
    other = uuid4()
    with pytest.raises(CannotOpen):
        open_sealed(sealed_part(), other, RECIPIENT)
    moved = changed(sealed_part(), ("aad",), seal(b"", other, [VAULT]).aad)
    assert moved.bound_to(other)
    with pytest.raises(CannotOpen):
        open_sealed(moved, other, RECIPIENT)


@pytest.mark.parametrize(
    "path",
    [
        ("protected",),
        ("iv",),
        ("ciphertext",),
        ("tag",),
        ("aad",),
        ("recipients", 1, "encrypted_key"),
        ("recipients", 1, "header", "epk", "x"),
    ],
    ids=lambda path: ".".join(str(step) for step in path),
)
def test_altered_anywhere_it_does_not_open(path: tuple[str | int, ...]) -> None:
    sealed = sealed_part()
    assert sealed.recipients[1].header.kid == RECIPIENT.thumbprint()
    text = at(sealed, path)
    altered = changed(sealed, path, ("B" if text[0] == "A" else "A") + text[1:])
    with pytest.raises(CannotOpen):
        open_sealed(altered, REFERRAL, RECIPIENT)


PATHS: list[tuple[str | int, ...]] = [
    ("protected",), ("iv",), ("ciphertext",), ("tag",), ("recipients", 0, "encrypted_key"),
    ("recipients", 0, "header", "epk", "x"),
]  # fmt: skip


@given(path=st.sampled_from(PATHS), text=st.text("ABCab012_-", max_size=32))
def test_nothing_else_is_raised_for_a_part_that_anybody_may_have_written(
    path: tuple[str | int, ...], text: str
) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(changed(sealed_part(), path, text), REFERRAL, VAULT)


@pytest.mark.parametrize(
    "header",
    [
        "eyJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0",  # {"enc":"A256GCM","zip":"DEF"}: a decompression bomb's door
        "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2In0",  # {"enc":"A128CBC-HS256"}
        "e30",  # {}
        "W10",  # []
        "bnVsbA",  # null
    ],
)
def test_no_other_algorithm_is_negotiated(header: str) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(changed(sealed_part(), ("protected",), header), REFERRAL, VAULT)


def test_compressed_content_is_not_inflated() -> None:
    registry = jwe.JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM", "DEF"])
    bomb = jwe.GeneralJSONEncryption({"enc": "A256GCM", "zip": "DEF"}, b"0" * 1_000_000, aad=str(REFERRAL).encode())
    bomb.add_recipient({"alg": "ECDH-ES+A256KW", "kid": VAULT.thumbprint()}, VAULT)
    sealed = Sealed.model_validate(jwe.encrypt_json(bomb, None, registry=registry))
    with pytest.raises(CannotOpen):
        open_sealed(sealed, REFERRAL, VAULT)


def test_content_has_a_bound_and_fits_into_a_declaration_with_four_readers() -> None:
    four = [OKPKey.generate_key("X25519", private=True) for _ in range(4)]
    largest = seal(b"x" * MAX_CONTENT_BYTES, REFERRAL, four)
    made = declaration(Verb.REQUESTED)
    _, _, value = codec.encode(Declaration(made.envelope, made.details, largest))
    assert len(value) <= codec.MAX_VALUE_BYTES
    assert open_sealed(largest, REFERRAL, four[3]) == b"x" * MAX_CONTENT_BYTES
    with pytest.raises(ValueError, match=f"may have {MAX_CONTENT_BYTES} bytes"):
        seal(b"x" * (MAX_CONTENT_BYTES + 1), REFERRAL, four)


def test_sealing_for_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        seal(b"", REFERRAL, [])


def test_the_content_key_is_new_each_time() -> None:
    one, two = (seal(b"the same", UUID(int=1), [VAULT]) for _ in range(2))
    assert one.ciphertext != two.ciphertext
    assert one.iv != two.iv
