"""The corpus as records and sealed parts, and the one function that every fuzzer calls."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts import codec, facts
from contracts.codec import Record
from contracts.envelope import Flaw
from contracts.sealing import CannotOpen, NotForUs, Sealed, open_sealed
from contracts.values import Verb
from services.audit import reading
from services.referrals.entries import read
from services.referrals.fold import fold
from tests.support import builders as make

FILE = Path(__file__).with_name("corpus.toml")
REFERRAL, NEED = UUID(int=1, version=4), UUID(int=2, version=4)


@dataclass(frozen=True, slots=True)
class Found:
    """A record that was found once, and what must become of it."""

    name: str
    record: Record
    outcome: str


def proper(content: bytes = b"{}") -> Record:
    """A request that nothing is wrong with."""
    made = make.declaration(Verb.REQUESTED, REFERRAL, NEED, by=make.SENDER)
    return make.record(replace(made, sealed=make.sealed(REFERRAL, content)))


def records() -> Iterator[Found]:
    """All records of the corpus."""
    for entry in _corpus()["record"]:
        record = proper()
        changed: Mapping[str, Any] = entry.get("headers", {})
        headers = [header for header in record.headers if header[0] not in changed]
        headers += [(name, value) for name, values in changed.items() for value in _several(values)]
        value = _bytes(entry["value"]) if "value" in entry else record.value
        yield Found(entry["name"], replace(record, headers=tuple(headers), value=value), entry["outcome"])


def sealed_parts() -> Iterator[tuple[str, Sealed]]:
    """Sealed parts that are addressed to the key ``vault`` and do not open."""
    for entry in _corpus()["sealed"]:
        made = make.sealed(REFERRAL).model_dump() | {"protected": (_bytes(entry["protected"]) or b"").decode()}
        yield entry["name"], Sealed.model_validate(made)


def read_by_everybody(record: Record) -> str:
    """What every reader of ours makes of a record; the name of its outcome. Raises nothing, whatever it is."""
    located = make.located(record)
    folded = fold([read(located, make.MEMBERS)], {}, {}, make.MEMBERS)
    assert not folded.errors, folded.errors
    (decided,) = folded.facts
    assert len(decided.value) <= facts.MAX_FACT_BYTES
    facts.decode(record.headers, record.value)
    reading.read(record, located.cluster, located.topic_id)
    codec.framed(record)
    said = codec.decode(record)
    if isinstance(said, Flaw):
        return str(said.problem)
    if said.sealed is not None:
        opened(said.sealed)
    return "read"


def opened(part: Sealed) -> bytes | None:
    """The content of a sealed part; None where it does not open. Raises nothing else."""
    try:
        return open_sealed(part, REFERRAL, make.key("vault"))
    except (NotForUs, CannotOpen):
        return None


def _corpus() -> Mapping[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def _several(values: Any) -> list[bytes | None]:
    if isinstance(values, Mapping):
        return [str(values["text"]).encode()] * int(values["times"])
    return [_bytes(value) for value in (values if isinstance(values, list) else [values])]


def _bytes(value: Any) -> bytes | None:
    if isinstance(value, list):
        return b"".join(_bytes(part) or b"" for part in value)
    if isinstance(value, Mapping):
        return str(value["text"]).encode() * int(value.get("times", 1))
    text = str(value)
    if text == "null:":
        return None
    return bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode()
