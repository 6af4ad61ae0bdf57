"""A declaration in a file: CloudEvents in structured JSON, with ``data`` as Ruta takes it or still to be sealed.

    {"type": "co.ruta.referral.requested.v1", "authtype": "user", "authid": "funcionario-17",
     "data": {"details": {...}, "content": {"nombres": "…"}}}

- ``type``, ``authtype`` and ``authid`` are required, and ``subject`` (referral) and ``correlationid`` (need) too;
  a ``requested`` without them opens a new referral or need.
- ``specversion``, ``id``, ``source``, ``time`` are made where they are missing. Without ``id`` every reading of the
  file is a declaration of its own. A file that is to be read again for a retry has ``id``, ``time`` and ``sealed``:
  with a new time or sealed anew it is another declaration under the same id, a conflict.
- ``data.details`` is the verb's own (see the published schemas). ``data.sealed`` is an already sealed part; or
  ``data.content``, any JSON, is sealed here for the vault and for ``data.content_for``, which may be left out in a
  ``requested`` (its recipient is meant) and in a ``redirected`` (its target; without ``child`` that id is made).
  ``"content_for": null`` seals for the vault alone: for an institution that has no key yet.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from contracts import codec
from contracts import envelope as ce
from contracts.codec import Declaration
from contracts.declarations import BODIES, TYPE_PREFIX
from contracts.envelope import Envelope, Flaw
from contracts.keys import NoKey, Overlay
from contracts.sdk.errors import BadFile
from contracts.sdk.uuid7 import uuid7
from contracts.values import Verb

MAX_FILE_BYTES = 1024 * 1024

_ATTRIBUTES = tuple(name.removeprefix("ce_") for name in (*ce.REQUIRED, *ce.OPTIONAL) if name.startswith("ce_"))
_TOP = frozenset((*_ATTRIBUTES, "datacontenttype", "traceparent", "tracestate", "data"))
_ABOUT_A_REFERRAL = frozenset(f"{TYPE_PREFIX}{verb}.v1" for verb in Verb if verb is not Verb.REQUESTED)
"""Types that must name the referral. An unknown type is told as such, not as a referral that is missing."""
_DATA = ("details", "sealed", "content", "content_for")
_SEALED = frozenset(verb for verb, body in BODIES.items() if body.model_fields["sealed"].is_required())
_MEANT = {Verb.REQUESTED: "recipient", Verb.REDIRECTED: "target"}
"""The field that names for whom the content is, if the file does not."""


def read_file(path: Path, institution: str, *, keys: Overlay | None = None, system: str = "sdk") -> Declaration:
    """The declaration that the file holds, made in ``institution``'s name.

    ``keys`` seals ``data.content``. Raises BadFile; its message names the field and never repeats what stood in it.
    """
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}") from None
    if size > MAX_FILE_BYTES:
        raise BadFile(f"{path.name} is larger than {MAX_FILE_BYTES} bytes")
    try:
        return read_event(text, institution, keys=keys, system=system)
    except BadFile as error:
        raise BadFile(f"{path.name}: {error}") from None


def read_event(text: bytes, institution: str, *, keys: Overlay | None = None, system: str = "sdk") -> Declaration:
    """As read_file, from the bytes of a structured CloudEvent."""
    event = _object(_parsed(text), "the event", _TOP)
    data = _object(event.pop("data", None), "data", _DATA)
    head = _envelope(event, institution, system)
    body = BODIES[head.verb]
    if head.verb is Verb.REDIRECTED and isinstance(data.get("details"), dict):
        data["details"] = {"child": str(uuid4()), **data["details"]}
    if "content" in data:
        if data.get("sealed") is not None:
            raise BadFile("data: has both content and sealed, only one can be sent")
        data["sealed"] = _seal(data, head, keys)
    elif "content_for" in data:
        raise BadFile("data.content_for: there is no content")
    value = json.dumps({name: data[name] for name in ("details", "sealed") if name in data}).encode()
    try:
        read = body.model_validate_json(value)
    except ValidationError as error:
        raise BadFile(f"data.{codec.flaw_of(error, body).detail}{_hint(head.verb, data, error)}") from None
    return Declaration(head, read.details, read.sealed)  # type: ignore[arg-type]


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadFile("not JSON (or not UTF-8, or nested too deeply)") from None


def _object(value: Any, what: str, known: tuple[str, ...] | frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadFile(f"{what}: must be a JSON object")
    # An unknown name is not repeated: somebody may have put a person's name where a field's belongs.
    if value.keys() - set(known):
        raise BadFile(f"{what}: has a field that is not known; known are {', '.join(sorted(known))}")
    return dict(value)


def _envelope(event: dict[str, Any], institution: str, system: str) -> Envelope:
    content_type = event.pop("datacontenttype", ce.CONTENT_TYPE)
    opens = event.get("type") not in _ABOUT_A_REFERRAL
    made = {
        "specversion": ce.SPECVERSION,
        "id": str(uuid7()),
        "source": f"//{institution}/{system}",
        "time": ce.timestamp(datetime.now(UTC)),
    } | ({"subject": str(uuid4()), "correlationid": str(uuid4())} if opens else {})
    attributes = {**made, **event, "content-type": content_type}
    attributes.setdefault("partitionkey", attributes.get("subject", ""))
    headers = []
    for name, value in attributes.items():
        if not isinstance(value, str):
            raise BadFile(f"{name}: must be text")
        header = name if name in ("content-type", "traceparent", "tracestate") else f"ce_{name}"
        headers.append((header, value.encode("utf-8", "surrogatepass")))
    head = ce.read(headers)
    if isinstance(head, Flaw):
        raise BadFile(f"{head.detail.removeprefix('ce_')}: {head.problem}")
    if head.institution != institution:
        raise BadFile("source: names another institution")
    return head


def _seal(data: dict[str, Any], head: Envelope, keys: Overlay | None) -> Any:
    if keys is None:
        raise BadFile("data.content: sealing it needs the public keys (keys.json)")
    details = data["details"] if isinstance(data.get("details"), dict) else {}
    field = "content_for" if "content_for" in data else f"details.{_MEANT.get(head.verb)}"
    recipient = data["content_for"] if "content_for" in data else details.get(_MEANT.get(head.verb, ""))
    if not isinstance(recipient, str) and ("content_for" not in data or recipient is not None):
        raise BadFile("data.content_for: say for which institution the content is")
    try:
        referral = UUID(details["child"]) if head.verb is Verb.REDIRECTED else head.referral
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadFile("data.details.child: must be a UUID") from None
    try:
        content = json.dumps(data["content"], ensure_ascii=False, separators=(",", ":")).encode()
        sealed = keys.seal(content, referral, recipient)
    except UnicodeEncodeError:
        raise BadFile("data.content: holds half a character (a lone surrogate)") from None
    except NoKey as error:
        raise BadFile(f"data.{field}: {error}") from None
    except ValueError:
        raise BadFile("data.content: too large to be sealed") from None
    return sealed.model_dump(mode="json")


def _hint(verb: Verb, data: dict[str, Any], error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "enum":
        return f" (one of {first['ctx']['expected']})"  # our own codes, nothing of what was given
    if verb in _SEALED and "sealed" not in data:
        return f" ({verb} carries content, or a part already sealed)"
    return ""
