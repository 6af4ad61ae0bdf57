"""Models and published schemas say the same of every value: examples, examples with mutations, hostile values.

Two libraries judge the schemas: jsonschema, and jsonschema-rs (Rust, with regular expressions and formats of its own)
where it is installed. What the two sides mean to judge differently stands in ``judged_elsewhere``, and nowhere else.
"""

import copy
import importlib
import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, ValidationError

from contracts.codec import flaw_of
from contracts.declarations import BODIES
from contracts.envelope import read_time
from contracts.examples import examples
from contracts.receipts import Receipt
from contracts.schemas import fact_models, schemas
from contracts.sealing import Sealed
from contracts.values import Basis

MODELS: dict[str, type[BaseModel]] = {
    **{f"referral.{verb}": model for verb, model in BODIES.items()},
    **{f"fact.{kind}": model for kind, model in fact_models().items()},
    "sealed": Sealed,
    "receipt": Receipt,
}
EXAMPLES = {name: event["data"] for name, event in examples().items()}
UUID = "0199f3c4-0000-7000-8000-000000000001"

CANONICAL_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
TIMES = {"at", "received_at", "declared_at"}

MISSING = object()

JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 7, 1.0, 1.5, 99, 100, 600, 10**30, "", " ", "x", "é", "a b", "a\n", "A" * 600,
    "icbf-santander", "icbf-santander\n", "68001", "68001\n", "٦٨٠٠١", "U1", "u1", "user", "requested", "child", "CC",
    UUID, UUID.upper(), UUID.replace("-", ""), "{" + UUID + "}", "urn:uuid:" + UUID, UUID + "\n", " " + UUID,
    "2026-11-24", "2026-11-24\n", "2026-02-30", "2026-1-1", "20261124", "0000-01-01", "10000-01-01", "1764000000",
    "2026-11-24T10:00:00Z", "2026-11-24T10:00:00", "2026-11-24T00:00:00Z", "2026-11-24 10:00:00Z",
    "2026-11-24T10:00Z", "2026-11-24T24:00:00Z", "2026-11-24T10:00:60Z", "2026-11-24T10:00:00+05:00",
    "2026-11-24T10:00:00,5Z", "2026-11-24T10:00:00.1234567890Z", "2026-11-24t10:00:00z",
    [], {}, [[]], [{}], [""], ["child"], ["child", "child"], [7], {"": None}, ["child"] * 8,
]  # fmt: skip


def validators() -> dict[str, dict[str, Callable[[Any], bool]]]:
    """Library to schema to judge."""
    found: dict[str, dict[str, Callable[[Any], bool]]] = {
        "jsonschema": {
            name: Draft202012Validator(schema, format_checker=FormatChecker()).is_valid
            for name, schema in schemas().items()
        }
    }
    try:
        jsonschema_rs = importlib.import_module("jsonschema_rs")
    except ImportError:
        return found
    found["jsonschema-rs"] = {
        name: jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid
        for name, schema in schemas().items()
    }
    return found


JUDGES = validators()


def refusal(name: str, value: Any) -> str | None:
    """Why the model refuses a value; None if it takes it."""
    try:
        MODELS[name].model_validate_json(json.dumps(value))
    except ValidationError as error:
        return flaw_of(error, MODELS[name]).detail
    return None


def leaves(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every (container, key, content) in a value, from the outside in."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, content in list(items):
        yield value, key, content
        yield from leaves(content)


def judged_elsewhere(library: str, value: Any, why: str | None) -> str | None:
    """Which known difference this is; None for one that should not be. ``why``: the model's reason, None if it took it.

    Each is seen in the value itself, so that nothing else hides behind it.
    """
    found = [(key, content) for _, key, content in leaves(value)]
    texts = [(key, content) for key, content in found if isinstance(content, str)]
    if why is None:
        if any(_other_uuid(text) for _, text in texts):
            return "models also read UUIDs without hyphens, in braces and as URN"
        if any(key in TIMES and read_time(text) is None for key, text in texts):
            return "models also read times that are not RFC 3339; only Ruta writes these fields"
        return None
    if "unknown field" in why:
        return "schemas are open, so that later versions may add fields; models are closed"
    if any(isinstance(content, float) and content.is_integer() for _, content in found):
        return "1.0 is an integer to JSON Schema; only Ruta writes integers"
    if any(text.startswith("0000-") for _, text in texts):
        return "the year 0 is a date to RFC 3339 and not to the calendar"
    if library == "jsonschema" and any(text.endswith("\n") for _, text in texts):
        return (
            "to Python's expressions $ also stands before a last line break; to ECMA 262, which the schemas mean, not"
        )
    if library == "jsonschema" and any(key in TIMES and _not_a_time(text) for key, text in texts):
        return "jsonschema alone does not look at date-time"
    return None


def _other_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return CANONICAL_UUID.fullmatch(text) is None


def _not_a_time(text: str) -> bool:
    return read_time(text) is None


def schema_of(example: str) -> str:
    return "receipt" if example.startswith("receipt.") else example


def compare(name: str, value: Any) -> set[str]:
    """Hold every judge against the model; returns the known differences that were met."""
    why = refusal(name, value)
    met = set()
    for library, judges in JUDGES.items():
        if judges[name](value) != (why is None):
            known = judged_elsewhere(library, value, why)
            assert known, f"{library} and the model of {name} disagree ({why or 'the model accepts'}): {value}"
            met.add(known)
    return met


def test_both_libraries_are_asked() -> None:
    """Skipped, and said, where the second one is missing."""
    if "jsonschema-rs" not in JUDGES:
        pytest.skip("jsonschema-rs is not installed: only one library judges the schemas")
    assert JUDGES.keys() == {"jsonschema", "jsonschema-rs"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples(example: str) -> None:
    assert refusal(schema_of(example), EXAMPLES[example]) is None
    assert compare(schema_of(example), EXAMPLES[example]) == set()


@pytest.mark.parametrize("example", [*(name for name in EXAMPLES if name.startswith("referral.")), "receipt.failed"])
def test_every_place_with_every_junk(example: str) -> None:
    refused = 0
    for place, (_, key, _) in enumerate(leaves(EXAMPLES[example])):
        value = copy.deepcopy(EXAMPLES[example])
        container = list(leaves(value))[place][0]
        for junk in JUNK:
            container[key] = junk
            compare(schema_of(example), value)
            refused += refusal(schema_of(example), value) is not None
    assert refused > len(JUNK) / 2


@pytest.mark.parametrize("basis", [*Basis, "hearsay"])
def test_every_combination_of_a_legal_basis(basis: str) -> None:
    """The one rule between fields: written twice, as code in the model and as a condition in the schema."""
    parts: dict[str, list[Any]] = {
        "norm": ["Ley-1098-2006", None, MISSING],
        "text_version": ["v1", None, MISSING],
        "channel": ["written", None, MISSING],
        "given_on": ["2026-11-24", None, MISSING],
        "languages": [["es"], [], MISSING],
        "data_classes": [["identity"], [], MISSING],
    }
    taken = 0
    for chosen in itertools.product(*parts.values()):
        given_parts = {n: part for n, part in zip(parts, chosen, strict=True) if part is not MISSING}
        value = copy.deepcopy(EXAMPLES["referral.requested"])
        value["details"]["legal_basis"] = {"basis": basis, **given_parts}
        assert compare("referral.requested", value) == set()
        taken += refusal("referral.requested", value) is None
    assert taken == {"authorisation": 3, "public-function": 243, "court-order": 243, "vital-urgency": 729}.get(basis, 0)


@pytest.mark.parametrize("day", ["0", "+0", "1763942400", "20261124", "2026-11-24T00:00:00", "2026-02-30", 0])
def test_what_is_no_day_of_the_calendar_is_refused(day: Any) -> None:
    value = copy.deepcopy(EXAMPLES["referral.accepted"])
    value["details"]["planned_on"] = day
    assert compare("referral.accepted", value) == set()
    assert refusal("referral.accepted", value) is not None


@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_several_mutations_at_once(data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(sorted(EXAMPLES)))
    value = copy.deepcopy(EXAMPLES[example])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key, _ = data.draw(st.sampled_from(list(leaves(value)) or [({}, "", None)]))
        match data.draw(st.sampled_from(["replace", "remove", "text", "number"])):
            case "replace":
                container[key] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
            case "remove":
                container.pop(key, None) if isinstance(container, dict) else container.pop(key)
            case "text":
                container[key] = data.draw(st.text(max_size=80))
            case _:
                container[key] = data.draw(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
    compare(schema_of(example), value)


@pytest.mark.parametrize("judge", JUDGES)
def test_a_difference_would_be_seen(judge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {**EXAMPLES["referral.rejected"], "details": {"reason": "no-capacity-at-all"}}
    assert compare("referral.rejected", value) == set()
    monkeypatch.setitem(JUDGES[judge], "referral.rejected", lambda _: True)
    with pytest.raises(AssertionError, match="disagree"):
        compare("referral.rejected", value)
