"""The AsyncAPI 3.0 document of the contract, from an institution's point of view. Committed as ``asyncapi.yaml``.

Payloads and headers are relative references to ``schemas/``, never copies: the schemas are JSON Schema 2020-12 with
references of their own (``#/$defs/…``), which many tools would look for in the wrong document if they stood in here.
Whoever takes the document takes the folder beside it.
"""

from typing import Any

from contracts import CONTRACT_VERSION, topics
from contracts import examples as made
from contracts.declarations import BODIES
from contracts.directory import load
from contracts.receipts import ReceiptStatus
from contracts.schemas import fact_models, schemas
from contracts.story import RECIPIENT, SENDER
from contracts.topics import Topic

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
_BINDING = "0.5.0"


def document() -> dict[str, Any]:
    """The whole document."""
    groups = _groups()
    provisioned = {topic.name: topic for topic in topics.provisioned(load())}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ruta",
            "version": CONTRACT_VERSION,
            "description": (
                "Referrals of migrant cases between institutions. An institution declares on its own `in` topic and "
                "reads what Ruta decided on its own `out` topic. CloudEvents 1.0, Kafka binary mode: attributes are "
                "`ce_*` headers, the value is JSON. Guide: README.md beside this document."
            ),
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {
            "declarations": _channel(
                provisioned[topics.inbound(SENDER)], groups["declarations"],
                "What an institution declares. Only it may write here."
            ),
            "outcomes": _channel(
                provisioned[topics.outbound(SENDER)], [*groups["facts"], *groups["sealed"]],
                "What concerns an institution: facts of its referrals, the outcome of every record on its `in` topic, "
                "and sealed parts meant for it, each directly behind its fact. Only it may read here.",
            ),
            "facts": _channel(
                provisioned[topics.FACTS], groups["facts"], "Every fact. Read by Ruta's own services only."
            ),
            "alerts": _channel(
                provisioned[topics.ALERTS], groups["receipts"],
                "What became of every alert. Read by Ruta's audit log only.",
            ),
        },
        "operations": {
            "declare": {
                "action": "send",
                "channel": {"$ref": "#/channels/declarations"},
                "summary": "Declare what happened to a referral; every record gets exactly one outcome.",
                "messages": [{"$ref": f"#/channels/declarations/messages/{name}"} for name in groups["declarations"]],
                "reply": {"channel": {"$ref": "#/channels/outcomes"}},
            },
            "read": {
                "action": "receive",
                "channel": {"$ref": "#/channels/outcomes"},
                "summary": "Read what concerns the institution, at least once: skip a ce_id that was seen.",
                "bindings": {
                    "kafka": {
                        "groupId": {"type": "string", "description": "The Kafka user, or the user, a dot and a name."},
                        "bindingVersion": _BINDING,
                    }
                },
            },
        },
        "components": {
            "messages": _messages(groups),
            "securitySchemes": {
                "scram": {"type": "scramSha512", "description": "One user per institution: its code."},
            },
        },
    }  # fmt: skip


def _groups() -> dict[str, list[str]]:
    """The names of all messages, by what they are."""
    return {
        "declarations": [f"referral.{verb}" for verb in BODIES],
        "facts": [f"fact.{kind}" for kind in fact_models()],
        "sealed": ["sealed"],
        "receipts": [f"receipt.{status}" for status in ReceiptStatus],
    }


def _servers() -> dict[str, Any]:
    security = [{"$ref": "#/components/securitySchemes/scram"}]
    return {
        "cluster": {
            "host": "{bootstrap}",
            "protocol": "kafka-secure",
            "description": "A deployment: SASL_SSL. Librdkafka must be 2.6.1 or later to log in to Kafka 4.",
            "variables": {"bootstrap": {"description": "host:port, as the operator gives it."}},
            "security": security,
        },
        "local": {
            "host": "127.0.0.1:{port}",
            "protocol": "kafka",
            "description": "`./ruta up` on this machine: SASL_PLAINTEXT on loopback.",
            "variables": {"port": {"default": "19092"}},
            "security": security,
        },
    }


def _channel(topic: Topic, messages: list[str], description: str) -> dict[str, Any]:
    address = topic.name.replace(SENDER, "{institution}")
    parameters = {"institution": {"description": "Its code in the directory.", "examples": [SENDER, RECIPIENT]}}
    return {
        "address": address,
        "description": description,
        **({"parameters": parameters} if address != topic.name else {}),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": round(topic.retention.total_seconds() * 1000),
                    "max.message.bytes": topic.max_message_bytes,
                    "message.timestamp.type": "LogAppendTime" if topic.log_append_time else "CreateTime",
                    "compression.type": "uncompressed" if topic.uncompressed else "producer",
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _messages(groups: dict[str, list[str]]) -> dict[str, Any]:
    published, examples = schemas(), made.examples()
    messages = {}
    for group, names in groups.items():
        for name in names:
            schema = "receipt" if group == "receipts" else name
            messages[name] = _message(name, schema, published[schema], examples[name], group == "declarations")
    return messages


def _message(
    name: str, schema: str, published: dict[str, Any], example: dict[str, Any], by_institution: bool
) -> dict[str, Any]:
    envelope = "envelope" if by_institution else "envelope.ruta"
    headers = {"content-type" if n == "datacontenttype" else f"ce_{n}": text for n, text in example.items()}
    payload = headers.pop("ce_data")
    return {
        "name": example["type"],
        "title": name,
        **({"description": published["description"]} if "description" in published else {}),
        "contentType": "application/json",
        "headers": _reference(envelope),
        "payload": _reference(schema),
        # A fact answers the declaration whose id it names as its cause.
        "correlationId": {"location": f"$message.header#/{'ce_id' if by_institution else 'ce_causationid'}"},
        "bindings": {"kafka": {"key": _key(by_institution), "bindingVersion": _BINDING}},
        "examples": [{"name": name, "headers": headers, "payload": payload}],
    }


def _reference(schema: str) -> dict[str, Any]:
    return {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"./schemas/{schema}.json"}}


def _key(by_institution: bool) -> dict[str, str]:
    if by_institution:
        return {"type": "string", "format": "uuid", "description": "The referral, as ce_subject."}
    return {"type": "string", "description": "As ce_partitionkey."}
