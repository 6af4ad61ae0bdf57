"""The sealing keys of this operator's institutions: made once per state, private ones 0600, public ones for all."""

from pathlib import Path

from contracts import keys
from contracts.keys import Overlay
from deploy.provision import Target


def key_folder(target: Target) -> Path:
    """Where the institutions' private keys lie on the embedded system; the vault's own lies there too."""
    return target.state.secrets / "sealing"


def overlay_file(target: Target) -> Path:
    """The public keys, for everybody."""
    return target.state.root / "keys.json"


def ensure(target: Target) -> Overlay:
    """Make the keys that are missing; those that exist are never replaced."""
    codes = [institution.code for institution in target.directory.institutions]
    return keys.make(codes, key_folder(target), overlay_file(target))
