"""The committed schemas and examples are those of the models, fit each other, and can be opened and decoded."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel

from contracts import codec, facts, generate, keys, topics
from contracts.applied import APPLIED
from contracts.codec import Declaration, Record
from contracts.declarations import BODIES
from contracts.envelope import schema_urn
from contracts.examples import CONTENT, FOLDER, example_facts, example_receipts, sealed_part
from contracts.facts import Fact
from contracts.receipts import Receipt, ReceiptStatus
from contracts.schemas import fact_models
from contracts.sdk.file import read_file
from contracts.sealing import Sealed, open_sealed
from contracts.story import RECIPIENT, REFERRAL
from contracts.values import Verb
from tests.support import example_keys

SCHEMAS = sorted(generate.SCHEMAS.glob("*.json"))
EXAMPLES = sorted(FOLDER.glob("*.json"))


def named(path: Path) -> str:
    return path.stem


def read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text("utf-8"))
    assert isinstance(content, dict)
    return content


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(read(generate.SCHEMAS / f"{name}.json"), format_checker=FormatChecker())


def schema_of(example: Path) -> str:
    """The schema of an example's data: one per name, except that all receipts share one."""
    return "receipt" if example.stem.startswith("receipt.") else example.stem


def headers(event: dict[str, Any]) -> list[tuple[str, bytes]]:
    attributes = {name: text for name, text in event.items() if name not in ("data", "datacontenttype")}
    return [*((f"ce_{n}", t.encode()) for n, t in attributes.items()), ("content-type", b"application/json")]


def record(event: dict[str, Any]) -> Record:
    value = json.dumps(event["data"]).encode()
    at = datetime.fromisoformat(event["time"]).astimezone(UTC)
    topic = topics.inbound(event["source"].split("/")[2])
    return Record(topic, 0, 0, int(at.timestamp() * 1000), event["subject"].encode(), tuple(headers(event)), value)


def test_committed_files_are_those_of_the_models() -> None:
    assert generate.stale(generate.files()) == [], "run python -m contracts.generate"


def test_a_stale_a_missing_and_a_leftover_file_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "SCHEMAS", tmp_path)
    monkeypatch.setattr(generate, "EXAMPLES", tmp_path)
    wanted = {tmp_path / "missing.json": "a", tmp_path / "stale.json": "a", tmp_path / "right.json": "a"}
    for name, text in (("stale", "b"), ("right", "a"), ("leftover", "a")):
        (tmp_path / f"{name}.json").write_text(text)
    assert [path.stem for path in generate.stale(wanted)] == ["leftover", "missing", "stale"]
    monkeypatch.setattr(generate, "files", lambda: wanted)
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["missing", "right", "stale"]


def test_there_is_a_schema_and_an_example_of_everything() -> None:
    declared = {f"referral.{verb}" for verb in BODIES}
    decided = {f"fact.{kind}" for kind in fact_models()}
    assert {f"fact.{verb}" for verb in APPLIED} <= decided
    told = {f"receipt.{status}" for status in ReceiptStatus}
    assert {path.stem for path in SCHEMAS} == {"envelope", "envelope.ruta", "sealed", "receipt"} | declared | decided
    assert {path.stem for path in EXAMPLES} == {"sealed"} | declared | decided | told


@pytest.mark.parametrize("path", SCHEMAS, ids=named)
def test_schemas_are_valid_open_and_named_by_their_urn(path: Path) -> None:
    schema = read(path)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == schema_urn(path.stem)
    assert '"additionalProperties": false' not in path.read_text("utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_examples_fit_their_schema_also_with_a_field_of_a_later_version(path: Path) -> None:
    data = read(path)["data"]
    validator(schema_of(path)).validate(data)
    validator(schema_of(path)).validate({**data, "of_a_later_version": 1})


@pytest.mark.parametrize("path", EXAMPLES, ids=named)
def test_schemas_refuse_what_lacks_a_required_field(path: Path) -> None:
    schema, data = read(generate.SCHEMAS / f"{schema_of(path)}.json"), read(path)["data"]
    for name in schema["required"]:
        without = {key: value for key, value in data.items() if key != name}
        assert not validator(schema_of(path)).is_valid(without), name


@pytest.mark.parametrize("verb", BODIES, ids=str)
def test_declarations_decode_to_what_the_file_reader_gives(verb: Verb) -> None:
    path = FOLDER / f"referral.{verb}.json"
    event = read(path)
    assert event["dataschema"] == schema_urn(f"referral.{verb}")
    decoded = codec.decode(record(event))
    assert isinstance(decoded, Declaration)
    assert decoded == read_file(path, decoded.envelope.institution)
    assert decoded.envelope.verb is verb


@pytest.mark.parametrize("verb", BODIES, ids=str)
def test_headers_of_declarations_fit_the_envelope_schema(verb: Verb) -> None:
    texts = {name: value.decode() for name, value in headers(read(FOLDER / f"referral.{verb}.json"))}
    validator("envelope").validate(texts)
    for name in texts.keys() - {"ce_dataschema"}:
        assert not validator("envelope").is_valid({n: t for n, t in texts.items() if n != name}), name
        if name != "ce_time":
            assert not validator("envelope").is_valid({**texts, name: "á é"}), name


@pytest.mark.parametrize("path", [path for path in EXAMPLES if not path.stem.startswith("referral.")], ids=named)
def test_headers_of_what_ruta_writes_fit_their_schema(path: Path) -> None:
    texts = {name: value.decode() for name, value in headers(read(path))}
    schema = validator("envelope.ruta")
    schema.validate(texts)
    for name in schema.schema["required"]:
        assert not schema.is_valid({n: t for n, t in texts.items() if n != name}), name
    for name in texts.keys() - {"ce_partitionkey"}:
        assert not schema.is_valid({**texts, name: "á é"}), name


@pytest.mark.parametrize("receipt", list(example_receipts()), ids=lambda receipt: receipt.status)
def test_receipts_decode_from_their_example(receipt: Receipt) -> None:
    event = read(FOLDER / f"receipt.{receipt.status}.json")
    assert Receipt.model_validate_json(json.dumps(event["data"])) == receipt
    assert event["type"] == f"co.ruta.alert.{receipt.status}.v1"


def test_the_sealed_record_is_the_part_that_its_fact_names() -> None:
    record, fact = read(FOLDER / "sealed.json"), read(FOLDER / "fact.requested.json")
    assert Sealed.model_validate_json(json.dumps(record["data"])) == sealed_part()
    assert record["causationid"] == fact["id"]
    assert hashlib.sha256(codec.sealed_bytes(sealed_part())).hexdigest() == fact["data"]["sealed_sha256"]


@pytest.mark.parametrize("fact", list(example_facts()), ids=lambda fact: fact.data.kind)
def test_facts_decode_from_their_example(fact: Fact) -> None:
    event = read(FOLDER / f"fact.{fact.data.kind}.json")
    assert facts.decode(tuple(headers(event)), json.dumps(event["data"]).encode()) == fact


@pytest.mark.parametrize("model", list(fact_models().values()), ids=lambda model: model.__name__)
def test_facts_name_their_kind_in_their_type(model: type[BaseModel]) -> None:
    kind = model.model_fields["kind"].default
    assert read(FOLDER / f"fact.{kind}.json")["type"] == f"co.ruta.fact.{kind}.v1"


def test_the_sealed_part_opens_for_the_vault_and_for_the_recipient() -> None:
    overlay = keys.load(FOLDER / "sealing" / "keys.json")
    assert overlay.vault.thumbprint() == example_keys.VAULT.thumbprint()
    assert overlay.institutions[RECIPIENT].thumbprint() == example_keys.RECIPIENT.thumbprint()
    for key in (example_keys.VAULT, example_keys.RECIPIENT):
        assert json.loads(open_sealed(sealed_part(), REFERRAL, key)) == CONTENT
