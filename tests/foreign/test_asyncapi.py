"""The AsyncAPI document against AsyncAPI's own schema, and against what it speaks about."""

import copy
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from contracts import asyncapi, topics, yaml_text
from contracts.asyncapi import document
from contracts.declarations import BODIES
from contracts.directory import load
from contracts.examples import examples
from contracts.generate import ASYNCAPI
from contracts.story import SENDER

OFFICIAL = json.loads(gzip.decompress((Path(__file__).parent / "asyncapi-3.0.0.json.gz").read_bytes()))
DOCUMENT = document()


def problems(made: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft7Validator(OFFICIAL).iter_errors(made)]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (part["$ref"],) if isinstance(part.get("$ref"), str) else ()
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(reference: str) -> Any:
    place, _, pointer = reference.partition("#")
    found: Any = json.loads((ASYNCAPI.parent / place).read_text("utf-8")) if place else DOCUMENT
    for name in pointer.split("/")[1:]:
        found = found[name]
    return found


def message(name: str) -> dict[str, Any]:
    found = DOCUMENT["components"]["messages"][name]
    assert isinstance(found, dict)
    return found


def test_it_is_asyncapi_3() -> None:
    Draft7Validator.check_schema(OFFICIAL)
    assert problems(DOCUMENT) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("info"),
        lambda d: d.update(asyncapi="2.6.0"),
        lambda d: d["operations"]["declare"].update(action="publish"),
        lambda d: d["channels"]["declarations"]["bindings"]["kafka"].update(partitions=0),
        lambda d: d["components"]["securitySchemes"]["scram"].update(type="scram"),
        lambda d: d["components"]["messages"]["sealed"].update(key="x"),
        lambda d: d["components"]["messages"]["sealed"]["bindings"]["kafka"].update(key=7),
    ],
)
def test_the_official_schema_would_see_a_mistake(spoil: Callable[[dict[str, Any]], object]) -> None:
    spoiled = copy.deepcopy(DOCUMENT)
    spoil(spoiled)
    assert problems(spoiled)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert any(reference.startswith("./schemas/") for reference in found)
    for reference in found:
        assert resolved(reference)


@pytest.mark.parametrize("name", DOCUMENT["components"]["messages"])
def test_the_example_of_a_message_fits_what_the_message_refers_to(name: str) -> None:
    (example,) = message(name)["examples"]
    for part in ("headers", "payload"):
        schema = resolved(message(name)[part]["schema"]["$ref"])
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(example[part])
        assert not Draft202012Validator(schema).is_valid({})
    assert example["headers"]["ce_type"] == message(name)["name"]
    if name.startswith("referral."):
        assert example["headers"]["ce_dataschema"] == resolved(message(name)["payload"]["schema"]["$ref"])["$id"]


def test_there_is_one_message_per_type_and_each_travels_on_its_channels() -> None:
    messages = DOCUMENT["components"]["messages"]
    assert messages.keys() == examples().keys()
    assert len({made["name"] for made in messages.values()}) == len(messages)
    kinds = {
        channel: {name.split(".")[0] for name in made["messages"]} for channel, made in DOCUMENT["channels"].items()
    }
    assert kinds == {
        "declarations": {"referral"}, "outcomes": {"fact", "sealed"}, "facts": {"fact"}, "alerts": {"receipt"},
    }  # fmt: skip
    assert {f"referral.{verb}" for verb in BODIES} == DOCUMENT["channels"]["declarations"]["messages"].keys()


def test_channels_are_the_provisioned_topics() -> None:
    provisioned = {topic.name: topic for topic in topics.provisioned(load())}
    for channel in DOCUMENT["channels"].values():
        topic = provisioned[channel["address"].replace("{institution}", SENDER)]
        kafka = channel["bindings"]["kafka"]
        assert kafka["partitions"] == topic.partitions
        assert kafka["topicConfiguration"]["retention.ms"] == topic.retention.total_seconds() * 1000
        assert ("parameters" in channel) == ("{institution}" in channel["address"])


def test_an_institution_sends_declarations_and_receives_outcomes() -> None:
    did = {(made["action"], made["channel"]["$ref"]) for made in DOCUMENT["operations"].values()}
    assert did == {("send", "#/channels/declarations"), ("receive", "#/channels/outcomes")}
    for server in DOCUMENT["servers"].values():
        assert [resolved(one["$ref"])["type"] for one in server["security"]] == ["scramSha512"]


def test_what_yaml_could_mistake_is_quoted() -> None:
    text = yaml_text.text({"on": "2026-11-24", "a b": ["no", 1, None, {"x": {}, "y": []}, ["é\n: #"]], "ok": True})
    assert text.splitlines() == [
        '"on": "2026-11-24"', '"a b":', '  - "no"', "  - 1", "  - null", "  - x: {}", '    "y": []',
        '  - - "é\\n: #"', "ok: true",
    ]  # fmt: skip
    assert asyncapi.SCHEMA_FORMAT in ASYNCAPI.read_text("utf-8")
