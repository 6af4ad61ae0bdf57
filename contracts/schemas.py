"""The published JSON Schemas (2020-12), derived from the models. Committed in ``schemas/``, see ``generate``.

They are open where the models are closed: a field that a later version adds is valid under an earlier schema, so
adding an optional one is a compatible change. Our own services still refuse what they do not know.
"""

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

from contracts import envelope as ce
from contracts.applied import AppliedFact
from contracts.declarations import BODIES, TYPE_PREFIX
from contracts.envelope import schema_urn
from contracts.facts import SEALED_TYPE, FactData
from contracts.facts import TYPE_PREFIX as FACT_PREFIX
from contracts.legal import LegalBasis
from contracts.receipts import TYPE_PREFIX as RECEIPT_PREFIX
from contracts.receipts import Receipt, ReceiptStatus
from contracts.sealing import Sealed
from contracts.values import AuthType, Basis, Verb

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_LEGAL_BASIS = [
    {
        "if": {"properties": {"basis": {"const": str(Basis.AUTHORISATION)}}},
        "then": {
            "required": ["text_version", "channel", "given_on", "languages", "data_classes"],
            "properties": {
                "text_version": {"type": "string"},
                "channel": {"type": "string"},
                "given_on": {"type": "string"},
                "languages": {"minItems": 1},
                "data_classes": {"minItems": 1},
            },
        },
    },
    {
        "if": {"properties": {"basis": {"enum": [str(Basis.PUBLIC_FUNCTION), str(Basis.COURT_ORDER)]}}},
        "then": {"required": ["norm"], "properties": {"norm": {"type": "string"}}},
    },
]
"""What each basis needs: a rule of the model's code, which its own schema cannot tell."""

_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_INSTITUTION = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"


def schemas() -> dict[str, dict[str, Any]]:
    """All published schemas by name.

    Headers: ``envelope`` of declarations, ``envelope.ruta`` of what Ruta writes. Values: ``referral.<verb>``,
    ``fact.<kind>``, ``sealed`` and ``receipt``.
    """
    return {
        "envelope": _envelope(),
        "envelope.ruta": _envelope_of_ruta(),
        **{f"referral.{verb}": _schema(f"referral.{verb}", model) for verb, model in BODIES.items()},
        **{f"fact.{kind}": _schema(f"fact.{kind}", model) for kind, model in fact_models().items()},
        "sealed": _schema("sealed", Sealed),
        "receipt": _schema("receipt", Receipt),
    }


def fact_models() -> dict[str, type[BaseModel]]:
    """The model of every kind of fact."""
    models = [*get_args(AppliedFact), *(model for model in get_args(FactData) if model not in get_args(AppliedFact))]
    return {model.model_fields["kind"].default: model for model in models}


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    made = {"$schema": DIALECT, "$id": schema_urn(name), **_opened(model.model_json_schema())}
    if legal_basis := made.get("$defs", {}).get(LegalBasis.__name__):
        legal_basis["allOf"] = _LEGAL_BASIS
    return {**made, "title": name}


def _opened(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            name: _opened(value) for name, value in part.items() if (name, value) != ("additionalProperties", False)
        }
    return [_opened(value) for value in part] if isinstance(part, list) else part


def _envelope() -> dict[str, Any]:
    texts: dict[str, dict[str, Any]] = {
        "ce_specversion": {"const": ce.SPECVERSION},
        "ce_id": {"pattern": _UUID, "description": "UUID of the declaration (version 7 made by the SDK)."},
        "ce_source": {"pattern": rf"^//{_INSTITUTION}/[A-Za-z0-9._~/-]{{1,64}}$"},
        "ce_type": {"enum": [f"{TYPE_PREFIX}{verb}.v1" for verb in Verb]},
        "ce_subject": {"pattern": _UUID, "description": "The referral; also the record key."},
        "ce_partitionkey": {"pattern": _UUID, "description": "As ce_subject."},
        "ce_time": {"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt].+$", "format": "date-time"},
        "ce_correlationid": {"pattern": _UUID, "description": "The need that the referral is part of."},
        "ce_authtype": {"enum": [str(kind) for kind in AuthType]},
        "ce_authid": {"pattern": r"^[A-Za-z0-9._:/-]{1,64}$", "description": "Opaque id, never a name."},
        "content-type": {"pattern": r"^application/json( *;.*)?$"},
        "ce_causationid": {"pattern": _UUID, "description": "Id of the event that led to this one."},
        "ce_dataschema": {"description": "Identifier of the schema of the value."},
        "traceparent": {"description": "W3C trace context."},
        "tracestate": {"description": "W3C trace context."},
    }
    whose = "Kafka headers of a declaration (CloudEvents 1.0, binary mode), each at most once, in UTF-8."
    return _headers("envelope", whose, texts, ce.REQUIRED)


def _envelope_of_ruta() -> dict[str, Any]:
    types = [
        *(f"{FACT_PREFIX}{kind}.v1" for kind in fact_models()),
        SEALED_TYPE,
        *(f"{RECEIPT_PREFIX}{status}.v1" for status in ReceiptStatus),
    ]
    texts: dict[str, dict[str, Any]] = {
        "ce_specversion": {"const": ce.SPECVERSION},
        "ce_id": {"pattern": _UUID, "description": "The same whenever the same record is sent again: skip seen ones."},
        "ce_source": {"pattern": r"^//ruta/[a-z]+$"},
        "ce_type": {"enum": types},
        "ce_time": {"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T.+Z$", "format": "date-time"},
        "ce_partitionkey": {"description": "Also the record key: the referral, else the owner of the inbound topic."},
        "content-type": {"const": ce.CONTENT_TYPE},
        "ce_subject": {"pattern": _UUID, "description": "The referral, if the record is about one."},
        "ce_correlationid": {"pattern": _UUID, "description": "The need."},
        "ce_causationid": {
            "pattern": _UUID,
            "description": "What led to it: the declaration (of a fact) or the fact (of a sealed part, a receipt).",
        },
    }
    required = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_partitionkey", "content-type")
    whose = "Kafka headers of what Ruta writes: facts, sealed parts, receipts (CloudEvents 1.0, binary mode)."
    return _headers("envelope.ruta", whose, texts, required)


def _headers(name: str, whose: str, texts: dict[str, dict[str, Any]], required: Iterable[str]) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "$id": schema_urn(name),
        "title": name,
        "description": whose,
        "type": "object",
        "properties": {
            header: {"type": "string", "maxLength": ce.MAX_HEADER_BYTES, **rest} for header, rest in texts.items()
        },
        "required": list(required),
    }
