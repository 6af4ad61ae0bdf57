"""Style sheets, scripts and pictures, served under the hash of their content: a browser may keep them for ever."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """One file and where it is served."""

    url: str
    media_type: str
    content: bytes


def load(folders: Iterable[Path]) -> Mapping[str, Asset]:
    """Every asset of these folders by its file name. Raises ValueError when two have the same name."""
    found: dict[str, Asset] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            media_type = _MEDIA_TYPES.get(path.suffix)
            if media_type is None:
                continue
            if path.name in found:
                raise ValueError(f"two assets are called {path.name}")
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
            found[path.name] = Asset(f"/assets/{digest}/{path.name}", media_type, content)
    return found
