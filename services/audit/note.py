"""C2SP signed-note v1.0.0 and tlog-checkpoint v1.0.0 with Ed25519 keys (signature type 0x01).

A note is a text, a blank line and signature lines: em dash, key name, base64 of key id and signature. A checkpoint
is a note whose text is the log's origin, the tree's size and the base64 of its root, one per line.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
MAX_SIGNATURES = 100
"""Where Go's implementation stops too: a note must not cost its reader any number of verifications."""

_DASH = "— "
_SEED_PREFIX = "PRIVATE+KEY+"


class Unacceptable(ValueError):
    """A note, key or checkpoint that the specification tells us to reject."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under its name; ``(name, id)`` is its identity."""

    name: str
    id: bytes
    key: Ed25519PublicKey

    @property
    def vkey(self) -> str:
        """The key as one line of text, as other implementations read it."""
        return f"{self.name}+{self.id.hex()}+{b64(bytes([ED25519]) + self.key.public_bytes_raw())}"


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key under its name."""

    verifier: Verifier
    key: Ed25519PrivateKey

    @property
    def text(self) -> str:
        """The private key as one line of text (the form of Go's note package). A secret."""
        seed = bytes([ED25519]) + self.key.private_bytes_raw()
        return f"{_SEED_PREFIX}{self.verifier.name}+{self.verifier.id.hex()}+{b64(seed)}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to: its first ``size`` leaves have this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text. Without extension lines: witnesses reject them."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"


def signer(name: str, key: Ed25519PrivateKey) -> Signer:
    """A key under a name. Raises Unacceptable for a name that notes cannot carry."""
    return Signer(_verifier(name, key.public_key().public_bytes_raw()), key)


def read_signer(text: str) -> Signer:
    """A private key from its text form. Raises Unacceptable, without repeating any of it."""
    if not text.startswith(_SEED_PREFIX):
        raise Unacceptable("this is no private key of a note")
    name, id_, seed = _read_key(text.removeprefix(_SEED_PREFIX))
    made = signer(name, Ed25519PrivateKey.from_private_bytes(seed))
    if made.verifier.id != id_:
        raise Unacceptable("the private key does not belong to its id")
    return made


def read_vkey(text: str) -> Verifier:
    """A public key from its text form. Raises Unacceptable."""
    name, id_, public = _read_key(text)
    made = _verifier(name, public)
    if made.id != id_:
        raise Unacceptable("the public key does not belong to its id")
    return made


def sign(text: str, by: Signer) -> str:
    """The signed note of a text. Raises Unacceptable for a text that no note can have."""
    _check_text(text)
    return f"{text}\n{_DASH}{by.verifier.name} {b64(by.verifier.id + by.key.sign(text.encode()))}\n"


def read(note: str, known: Sequence[Verifier]) -> str:
    """The text of a note that at least one known key signed. Raises Unacceptable.

    Signatures of unknown keys are ignored; one of a known key that fails rejects the whole note.
    """
    end = note.rfind("\n\n")
    if end < 0 or not note.endswith("\n"):
        raise Unacceptable("a note is a text, a blank line and signature lines")
    text, lines = note[: end + 1], note[end + 2 :].splitlines(keepends=True)
    _check_text(note)
    if not lines or len(lines) > MAX_SIGNATURES:
        raise Unacceptable("a note has between 1 and 100 signatures")
    verifiers = {(v.name, v.id): v for v in known}
    verified = False
    for line in lines:
        name, id_, signature = _signature(line)
        verifier = verifiers.get((name, id_))
        if verifier is None:
            continue
        try:
            verifier.key.verify(signature, text.encode())
        except InvalidSignature:
            raise Unacceptable("a signature by a known key is wrong") from None
        verified = True
    if not verified:
        raise Unacceptable("no known key signed the note")
    return text


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note's text; extension lines are allowed and ignored. Raises Unacceptable."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise Unacceptable("a checkpoint has an origin, a size and a root")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdecimal()) or (size != "0" and size.startswith("0")):
        raise Unacceptable("a checkpoint's size is a decimal number without leading zeros")
    decoded = _unb64(root)
    if len(decoded) != hashlib.sha256().digest_size:
        raise Unacceptable("a checkpoint's root is a SHA-256 hash")
    return Checkpoint(origin, int(size), decoded)


def _verifier(name: str, public: bytes) -> Verifier:
    if not _valid_name(name):
        raise Unacceptable("a key's name has no spaces and no plus sign, and is not empty")
    id_ = hashlib.sha256(name.encode() + b"\n" + bytes([ED25519]) + public).digest()[:4]
    return Verifier(name, id_, Ed25519PublicKey.from_public_bytes(public))


def _read_key(text: str) -> tuple[str, bytes, bytes]:
    parts = text.split("+", 2)
    if len(parts) != 3 or len(parts[1]) != 8:
        raise Unacceptable("a key is a name, an id of 8 hexadecimal digits and base64")
    name, id_, encoded = parts
    key = _unb64(encoded)
    if len(key) != 33 or key[0] != ED25519:
        raise Unacceptable("only Ed25519 keys are read")
    try:
        return name, bytes.fromhex(id_), key[1:]
    except ValueError:
        raise Unacceptable("a key is a name, an id of 8 hexadecimal digits and base64") from None


def _signature(line: str) -> tuple[str, bytes, bytes]:
    if not line.startswith(_DASH) or not line.endswith("\n"):
        raise Unacceptable("a signature line begins with an em dash and a space")
    name, space, encoded = line.removeprefix(_DASH).removesuffix("\n").partition(" ")
    decoded = _unb64(encoded)
    if not space or not _valid_name(name) or len(decoded) < 5:
        raise Unacceptable("a signature line is an em dash, a name and base64 of at least 5 bytes")
    return name, decoded[:4], decoded[4:]


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise Unacceptable("a note's text ends with a newline and has no control characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unacceptable("a note's text is UTF-8") from None


def _valid_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


def b64(content: bytes) -> str:
    """Bytes as a note writes them."""
    return b64encode(content).decode()


def _unb64(text: str) -> bytes:
    try:
        decoded = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Unacceptable("this is not base64") from None
    if b64(decoded) != text:
        raise Unacceptable("this is not canonical base64")
    return decoded
