"""How a record is hidden and yet bound: salted commitment in the leaf, sealed record beside the log.

The leaf commits to the plaintext and not only to the sealed bytes: AEADs do not bind a ciphertext to one key, so
whoever holds the keys could otherwise show two contents for one leaf. Salt and nonce follow from the key and the
record's coordinates, so that sequencing the same records again makes the same leaves.

AES-256-GCM-SIV (RFC 8452), not GCM: a batch that was rolled back and put together in another order seals the same
record under the same nonce with another header. Under GCM that alone gives away the authentication key.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

KEY_BYTES = 32
SALT_BYTES = 32
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """The sealed record does not open with this key under this header."""


@dataclass(frozen=True, slots=True)
class Key:
    """A data key: random, 32 bytes, known by its id. Destroying it destroys every record and salt under it."""

    id: str
    secret: bytes
    cipher: AESGCMSIV


def key(id: str, secret: bytes) -> Key:  # noqa: A002
    """A data key, ready for use."""
    return Key(id, secret, AESGCMSIV(_expand(secret, b"ruta/audit/v1/seal", KEY_BYTES)))


def coordinates(cluster: str, topic_id: str, partition: int, offset: int) -> bytes:
    """A record's place as bytes. Kafka's ids have no slash."""
    return f"{cluster}/{topic_id}/{partition}/{offset}".encode()


def salt_and_nonce(of: Key, place: bytes) -> tuple[bytes, bytes]:
    """32 and 12 bytes that nobody can guess without the key."""
    made = _expand(of.secret, b"ruta/audit/v1/salt+nonce/" + place, SALT_BYTES + _NONCE_BYTES)
    return made[:SALT_BYTES], made[SALT_BYTES:]


def commitment(salt: bytes, frame: bytes) -> bytes:
    """SHA-256(0x02 ‖ salt ‖ frame). The prefix keeps it apart from the tree's own hashes (0x00 and 0x01)."""
    return hashlib.sha256(b"\x02" + salt + frame).digest()


def sameness(of: Key, digest: bytes) -> bytes:
    """What tells two uses of one event id apart without being a hash that outlives the key."""
    return _expand(of.secret, b"ruta/audit/v1/same/" + digest, 32)


def seal(by: Key, salt: bytes, nonce: bytes, frame: bytes, header: bytes) -> bytes:
    """Salt and frame, sealed for this leaf header."""
    return by.cipher.encrypt(nonce, salt + frame, header)


def unseal(by: Key, nonce: bytes, sealed: bytes, header: bytes) -> tuple[bytes, bytes]:
    """Salt and frame. Raises CannotOpen."""
    try:
        opened = by.cipher.decrypt(nonce, sealed, header)
    except InvalidTag:
        raise CannotOpen("the sealed record does not open with its key") from None
    return opened[:SALT_BYTES], opened[SALT_BYTES:]


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    # HKDF-Expand (RFC 5869 section 2.3) with SHA-512, one block. The secret is uniformly random: section 3.3
    # lets the extract step go.
    return hmac.digest(secret, info + b"\x01", "sha512")[:length]
