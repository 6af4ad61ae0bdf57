"""The keys of this operator's system: made once per state, private ones 0600, public ones for all."""

from pathlib import Path

from contracts import keys
from contracts.keys import Overlay
from deploy.embedded.state import State
from deploy.provision import Target
from services.audit import keys as audit_keys

AUDIT_ORIGIN = "ruta.invalid/audit"
"""Names the embedded system's log in its checkpoints (C2SP tlog-checkpoint origin); a real one has a real host."""


def key_folder(target: Target) -> Path:
    """Where the institutions' private keys lie on the embedded system; the vault's own lies there too."""
    return target.state.secrets / "sealing"


def overlay_file(target: Target) -> Path:
    """The public keys, for everybody."""
    return target.state.root / "keys.json"


def signing_key_file(state: State) -> Path:
    """The audit log's Ed25519 key."""
    return state.secrets / "audit-signing-key"


def seen_file(state: State) -> Path:
    """The newest checkpoint that left the log, kept outside the database: a cut or restored log is then noticed."""
    return state.root / "audit-checkpoint"


def audit_origin(state: State) -> str:
    """Which log the signing key signs; it names the log for ever."""
    return audit_keys.load(signing_key_file(state)).verifier.name


def ensure(target: Target, origin: str | None = None) -> Overlay:
    """Make the keys that are missing; those that exist are never replaced. Returns the public sealing keys.

    The log is named ``origin``, or as its key says, or, at first, as the embedded system's. Raises Unacceptable when
    there is the key of another log.
    """
    signing = signing_key_file(target.state)
    audit_keys.ensure(signing, origin or (audit_origin(target.state) if signing.exists() else AUDIT_ORIGIN))
    codes = [institution.code for institution in target.directory.institutions]
    return keys.make(codes, key_folder(target), overlay_file(target))
