"""Compares the published schemas with those of the last release: ``python -m contracts.compatibility``.

A release is a git tag ``contracts-v<CONTRACT_VERSION>``. Exit status 1 when the version does not allow what changed:
a compatible change needs a higher version, a breaking one a higher first number (below 1.0: the second, SemVer 4).

What institutions write (``referral.*``, ``envelope``) may ask for less than before, never for more. What Ruta writes
may do neither: readers of the last release must read new records, and new readers the old ones that topics still keep.
Optional fields may be added everywhere, since readers ignore what they do not know, and so may whole types.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import CONTRACT_VERSION
from contracts.generate import SCHEMAS

TAG = "contracts-v"
Schema = Mapping[str, Any]

_SAYS_NOTHING = {"$id", "$schema", "$defs", "title", "description", "default"}
_WALKED = {"type", "properties", "required", "items", "anyOf", "enum"}
_UPPER = {"maxLength", "maxItems", "maximum"}
_LOWER = {"minLength", "minItems", "minimum"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``place`` is the schema and the path of names in it."""

    place: str
    what: str
    breaking: bool

    def __str__(self) -> str:
        return f"{'BREAKING' if self.breaking else 'compatible'}: {self.place}: {self.what}"


def compare(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> list[Change]:
    """Everything that changed from the released schemas to the new ones, by name."""
    gone = [Change(name, "the schema is gone", breaking=True) for name in sorted(old.keys() - new.keys())]
    come = [Change(name, "new", breaking=False) for name in sorted(new.keys() - old.keys())]
    changed = [
        change
        for name in sorted(old.keys() & new.keys())
        for change in _Pair(old[name], new[name], _by_institutions(name)).walk(old[name], new[name], name)
    ]
    return [*gone, *come, *changed]


def allowed(changes: list[Change], released: str, version: str) -> str | None:
    """None when the version may bring these changes, otherwise the reason."""
    before, now = _numbers(released), _numbers(version)
    if now < before:
        return f"{version} is older than the release {released}"
    if any(change.breaking for change in changes) and _line(before) == _line(now):
        return f"breaking changes need a version that may break {released}, not {version}, or types of their own"
    if changes and now == before:
        return f"the schemas changed since the release {released}: raise CONTRACT_VERSION"
    return None


def last_release(root: Path) -> str | None:
    """The highest version tagged in the history of this checkout. Raises CalledProcessError without git's data."""
    listed = _git(root, "tag", "--list", f"{TAG}*", "--merged", "HEAD")
    versions = [tag.removeprefix(TAG) for tag in listed.split()]
    return max(versions, key=_numbers) if versions else None


def released_schemas(root: Path, version: str) -> dict[str, Schema]:
    """The schemas of a release by name."""
    folder = SCHEMAS.relative_to(SCHEMAS.parent.parent).as_posix()
    paths = _git(root, "ls-tree", "--name-only", f"{TAG}{version}", f"{folder}/").splitlines()
    return {Path(path).stem: json.loads(_git(root, "show", f"{TAG}{version}:{path}")) for path in paths}


def main(root: Path = SCHEMAS.parent.parent, version: str = CONTRACT_VERSION) -> int:
    """Compare the schemas of the work tree with the last release; returns the exit status."""
    released = last_release(root)
    if released is None:
        print(f"No release to compare with: there is no tag {TAG}*.")
        return 0
    folder = root / SCHEMAS.relative_to(SCHEMAS.parent.parent)
    new = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    changes = compare(released_schemas(root, released), new)
    for change in changes:
        print(change)
    reason = allowed(changes, released, version)
    print(reason or f"{len(changes)} changes since {TAG}{released}: version {version} may bring them.")
    return 1 if reason else 0


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two schemas whose parts are compared; references are looked up in their own."""

    old: Schema
    new: Schema
    by_institutions: bool

    def walk(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        before, now = _alternatives(self.old, old), _alternatives(self.new, new)
        for kind in sorted(before.keys() - now.keys()):
            yield self._narrower(place, f"no longer {kind}")
        for kind in sorted(now.keys() - before.keys()):
            yield self._wider(place, f"may now be {kind}")
        for kind in sorted(before.keys() & now.keys()):
            yield from self._same_kind(before[kind], now[kind], place)

    def _same_kind(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        yield from self._properties(old, new, place)
        if "items" in old and "items" in new:
            yield from self.walk(old["items"], new["items"], f"{place}[]")
        elif "items" in old or "items" in new:
            yield Change(place, "items differ", breaking=True)
        yield from self._enum(old.get("enum"), new.get("enum"), place)
        for name in sorted((old.keys() | new.keys()) - _SAYS_NOTHING - _WALKED):
            yield from self._keyword(name, old.get(name), new.get(name), place)

    def _properties(self, old: Schema, new: Schema, place: str) -> Iterator[Change]:
        before, now = old.get("properties", {}), new.get("properties", {})
        had, has = set(old.get("required", ())), set(new.get("required", ()))
        for name in sorted(before.keys() - now.keys()):
            yield Change(f"{place}.{name}", "the field is gone", breaking=True)
        for name in sorted(now.keys() - before.keys() - has):
            yield Change(f"{place}.{name}", "new, optional", breaking=False)
        for name in sorted(has - had):
            yield self._narrower(f"{place}.{name}", "required")
        for name in sorted((had - has) & now.keys()):
            yield self._wider(f"{place}.{name}", "no longer required")
        for name in sorted(before.keys() & now.keys()):
            yield from self.walk(before[name], now[name], f"{place}.{name}")

    def _enum(self, old: list[str] | None, new: list[str] | None, place: str) -> Iterator[Change]:
        if old is None and new is None:
            return
        if old is None or new is None:
            yield self._narrower(place, "only some values") if old is None else self._wider(place, "any value")
            return
        for value in sorted(set(old) - set(new)):
            yield self._narrower(place, f"no longer {value}")
        for value in sorted(set(new) - set(old)):
            # A type is new as a whole: readers skip types that they do not know.
            harmless = place.endswith(".ce_type")
            yield Change(place, f"may now be {value}", breaking=not (harmless or self.by_institutions))

    def _keyword(self, name: str, old: Any, new: Any, place: str) -> Iterator[Change]:
        if old == new:
            return
        what = f"{name} {old} is now {new}"
        if _relaxed(name, old, new):
            yield self._wider(place, what)
        else:
            # Stricter, or of a sort that this comparison does not understand.
            yield self._narrower(place, what)

    def _narrower(self, place: str, what: str) -> Change:
        return Change(place, what, breaking=True)

    def _wider(self, place: str, what: str) -> Change:
        return Change(place, what, breaking=not self.by_institutions)


def _relaxed(name: str, old: Any, new: Any) -> bool:
    """Whether a keyword asks for less than before."""
    if new is None:
        return name in _UPPER | _LOWER | {"pattern", "format", "const"}
    if old is None:
        return False
    return (name in _UPPER and bool(new > old)) or (name in _LOWER and bool(new < old))


def _alternatives(whole: Schema, part: Schema) -> dict[str, Schema]:
    """What a part may be, by JSON type. Raises ValueError where one type has two forms: that is not compared yet."""
    resolved = _resolved(whole, part)
    options = [_resolved(whole, option) for option in resolved.get("anyOf", [resolved])]
    by_type = {str(option.get("type", "anything")): option for option in options}
    if len(by_type) != len(options):
        raise ValueError("two alternatives of one type: teach contracts.compatibility to compare them")
    return by_type


def _resolved(whole: Schema, part: Schema) -> Schema:
    while "$ref" in part:
        part = whole["$defs"][part["$ref"].removeprefix("#/$defs/")]
    return part


def _by_institutions(name: str) -> bool:
    return name == "envelope" or name.startswith("referral.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _line(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return numbers[:2] if numbers[0] == 0 else numbers[:1]


def _git(root: Path, *arguments: str) -> str:
    # Only read, and by whoever may read the files: a checkout that belongs to another account is no danger here.
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
