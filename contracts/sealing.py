"""The one place of a declaration for personal data and free text: a JWE for the vault and the recipient.

General JSON serialisation (RFC 7516 section 7.2.1), ECDH-ES+A256KW on X25519, A256GCM. The additional
authenticated data is the referral id, so a sealed part copied onto another referral does not open.
``seal`` and ``open_sealed`` need joserfc; the model itself does not.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.model import Model

if TYPE_CHECKING:
    from joserfc.jwe import JWERegistry
    from joserfc.jwk import OKPKey

MAX_CONTENT_BYTES = 24_576
"""Room for a narrative; the whole record stays below the 64 KiB of a declaration."""

Base64Url = StringConstraints(pattern=r"^[A-Za-z0-9_-]*$")


_HEADER = {"enc": "A256GCM"}
"""The only protected header."""


class EphemeralKey(Model):
    """The sender's one-time X25519 key."""

    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: Annotated[str, Base64Url, Field(max_length=64)]


class RecipientHeader(Model):
    """Whose key opens it (``kid``, RFC 7638 thumbprint) and how the content key is wrapped."""

    alg: Literal["ECDH-ES+A256KW"]
    kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    epk: EphemeralKey


class Recipient(Model):
    """The content key, wrapped for one reader."""

    header: RecipientHeader
    encrypted_key: Annotated[str, Base64Url, Field(max_length=128)]


class Sealed(Model):
    """A JWE in general JSON serialisation. ``aad`` is the base64url form of the referral id's 36 characters."""

    protected: Annotated[str, Base64Url, Field(max_length=256)]
    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1, max_length=4, strict=False)]
    aad: Annotated[str, Base64Url, Field(min_length=48, max_length=48)]
    iv: Annotated[str, Base64Url, Field(max_length=32)]
    ciphertext: Annotated[str, Base64Url, Field(max_length=2 * MAX_CONTENT_BYTES)]
    tag: Annotated[str, Base64Url, Field(max_length=32)]

    def bound_to(self, referral: UUID) -> bool:
        """Whether it was sealed for this referral; the recipient's opening proves it, this only reads it."""
        return self.aad == _aad(referral)


class NotForUs(ValueError):
    """None of our keys is among the recipients of this sealed part."""


class CannotOpen(ValueError):
    """The sealed part is addressed to our key but does not open: altered, or sealed for another referral."""


def _header(protected: str) -> object:
    try:
        return json.loads(urlsafe_b64decode(protected + "=="))
    except (ValueError, RecursionError):
        return None


def _aad(referral: UUID) -> str:
    return urlsafe_b64encode(str(referral).encode()).rstrip(b"=").decode()


def _registry() -> "JWERegistry":
    from joserfc.jwe import JWERegistry

    return JWERegistry(algorithms=["ECDH-ES+A256KW", "A256GCM"])


def seal(content: bytes, referral: UUID, keys: "Sequence[OKPKey]") -> Sealed:
    """Seal ``content`` for every public X25519 key in ``keys`` (the vault's and the recipient's).

    Raises ValueError when the content is larger than MAX_CONTENT_BYTES or no key is given.
    """
    from joserfc import jwe

    if len(content) > MAX_CONTENT_BYTES:
        raise ValueError(f"sealed content may have {MAX_CONTENT_BYTES} bytes, this has {len(content)}")
    if not keys:
        raise ValueError("sealing needs at least one recipient's key")
    message = jwe.GeneralJSONEncryption(dict(_HEADER), content, aad=str(referral).encode())
    for key in keys:
        message.add_recipient({"alg": "ECDH-ES+A256KW", "kid": key.thumbprint()}, key)
    return Sealed.model_validate(jwe.encrypt_json(message, None, registry=_registry()))


def open_sealed(sealed: Sealed, referral: UUID, key: "OKPKey") -> bytes:
    """The content, opened with our private X25519 ``key``. Raises NotForUs or CannotOpen.

    Only our own recipient is kept: the library would otherwise try our key on everybody's and fail.
    """
    from joserfc import jwe
    from joserfc.errors import JoseError

    kid = key.thumbprint()
    ours = [r.model_dump() for r in sealed.recipients if r.header.kid == kid]
    if not ours:
        raise NotForUs("no recipient has our key id")
    if not sealed.bound_to(referral):
        raise CannotOpen("sealed for another referral")
    # Exactly ours: the library raises whatever comes for a header that is no object, and "zip" would be a bomb's door.
    if _header(sealed.protected) != _HEADER:
        raise CannotOpen("the protected header is not ours")
    data: Mapping[str, object] = {**sealed.model_dump(), "recipients": ours[:1]}
    try:
        opened = jwe.decrypt_json(data, key, registry=_registry())  # type: ignore[arg-type]
    except (JoseError, ValueError) as error:
        raise CannotOpen("the sealed part does not open with our key") from error
    if opened.plaintext is None:
        raise CannotOpen("the sealed part does not open with our key")
    return opened.plaintext
