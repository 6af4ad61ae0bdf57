"""The sealing keys: a public overlay of the directory, and private keys in a folder of their own.

The overlay is one JSON file that everybody may read, ``{"vault": JWK, "institutions": {code: JWK}}`` with public
X25519 keys (RFC 8037). Private keys are one file each, ``<code>.jwk`` and ``vault.jwk``, mode 0600 (RFC 7517).
Needs joserfc.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from contracts.files import write_whole
from contracts.sealing import Sealed, seal

VAULT = "vault"


class BadKeyFile(ValueError):
    """A key file is missing, unreadable, or holds something else than X25519 keys."""


class NoKey(ValueError):
    """The overlay holds no key of this institution."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Public keys: the vault's, and of every institution that has one."""

    vault: OKPKey
    institutions: Mapping[str, OKPKey]

    def seal(self, content: bytes, referral: UUID, recipient: str | None) -> Sealed:
        """Seal for the vault and the recipient; None for one that has no key yet: then only the vault opens it.

        Raises NoKey for a code that the overlay does not hold, and ValueError when content is too large.
        """
        if recipient is not None and recipient not in self.institutions:
            raise NoKey("keys.json holds no key of this institution: is its code right, and is the file new enough?")
        return seal(content, referral, [self.vault, *([self.institutions[recipient]] if recipient else [])])


def load(path: Path) -> Overlay:
    """Read a public overlay. Raises BadKeyFile naming the entry that is wrong."""
    content = _read(path)
    institutions = content.get("institutions")
    if not isinstance(institutions, dict):
        raise BadKeyFile(f"{path.name} has no institutions: it must map codes to keys")
    return Overlay(
        vault=_key(content.get(VAULT), f"{path.name}: {VAULT}"),
        institutions={code: _key(jwk, f"{path.name}: {code}") for code, jwk in institutions.items()},
    )


def load_private(path: Path) -> OKPKey:
    """Read one private key. Raises BadKeyFile when the file is not one."""
    return _key(_read(path), path.name, private=True)


def make(codes: Iterable[str], private_folder: Path, overlay_file: Path) -> Overlay:
    """Make the private keys that are missing and write the overlay anew; keys that exist are never replaced.

    Raises BadKeyFile when an existing private key cannot be read: a new one could not open what was sealed for it.
    """
    private_folder.mkdir(parents=True, exist_ok=True)
    private_folder.chmod(0o700)
    keys = {name: _ensure(private_folder / f"{name}.jwk") for name in (VAULT, *sorted(set(codes)))}
    public = {name: key.as_dict(private=False) for name, key in keys.items()}
    overlay = {VAULT: public.pop(VAULT), "institutions": public}
    write_whole(overlay_file, json.dumps(overlay, indent=2) + "\n", 0o644)
    return load(overlay_file)


def _ensure(path: Path) -> OKPKey:
    if not path.exists():
        key = OKPKey.generate_key("X25519", private=True)
        write_whole(path, json.dumps(key.as_dict(private=True)) + "\n", 0o600)
    return load_private(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise BadKeyFile(f"{path.name} is not JSON") from None
    if not isinstance(content, dict):
        raise BadKeyFile(f"{path.name} is not a JSON object")
    return content


def _key(jwk: Any, where: str, *, private: bool = False) -> OKPKey:
    # No cause is chained and no value repeated: a private key must not reach a log by way of an error.
    try:
        key = OKPKey.import_key(jwk)
        right = key.curve_name == "X25519" and key.is_private == private
    except (JoseError, ValueError, TypeError, AttributeError):
        right = False
    if not right:
        raise BadKeyFile(f"{where} is not a {'private' if private else 'public'} X25519 key (JWK)")
    return key
