"""The log's Ed25519 signing key: one line of text in a file that only its owner may read."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import note
from services.audit.note import Signer


def make(path: Path, origin: str) -> Signer:
    """Make a key for this origin. Raises FileExistsError: a log whose key was replaced is not the same log."""
    made = note.signer(origin, Ed25519PrivateKey.generate())
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(made.text + "\n")
        file.flush()
        os.fsync(file.fileno())
    return made


def load(path: Path, origin: str | None = None) -> Signer:
    """The key in the file. Raises note.Unacceptable when it is none or belongs to another log than ``origin``."""
    read = note.read_signer(path.read_text("utf-8").rstrip("\n"))
    if origin is not None and read.verifier.name != origin:
        raise note.Unacceptable(f"{path.name} holds the key of another log than {origin}")
    return read


def ensure(path: Path, origin: str) -> Signer:
    """The key in the file, made if there is none: for a first start on one machine."""
    return load(path, origin) if path.exists() else make(path, origin)
