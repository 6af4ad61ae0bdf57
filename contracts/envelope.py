"""The CloudEvents 1.0 attributes of a declaration, in Kafka binary mode: ``ce_*`` headers, value as sent.

Reading is total: every header set gives an Envelope or a Problem with the header's name, never an exception.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from contracts import CONTRACT_VERSION
from contracts.declarations import TYPE_PREFIX
from contracts.values import AuthType, Problem, Verb

Header = tuple[str, bytes | None]

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"
MAX_HEADER_BYTES = 512

REQUIRED = (
    "ce_specversion",
    "ce_id",
    "ce_source",
    "ce_type",
    "ce_subject",
    "ce_partitionkey",
    "ce_time",
    "ce_correlationid",
    "ce_authtype",
    "ce_authid",
    "content-type",
)
OPTIONAL = ("ce_causationid", "ce_dataschema")
READ = frozenset(REQUIRED + OPTIONAL)
"""The only headers a declaration is read from. What else is attached (``reply_to``, ``baggage``) has no effect."""

TRACEPARENT = "traceparent"
"""Read beside them (W3C Trace Context, version 00). Whatever stands there, the declaration is the same."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SOURCE = re.compile(r"//([a-z][a-z0-9]*(?:-[a-z0-9]+)*)/[A-Za-z0-9._~/-]{1,64}")
_TYPE = re.compile(re.escape(TYPE_PREFIX) + r"([a-z-]{1,32})\.v([0-9]{1,3})")
_VERBS = {verb.value: verb for verb in Verb}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REFERENCE = re.compile(r"[A-Za-z0-9._:/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a record could not be read. ``detail`` names a header or a field, never what stood in it.

    ``envelope`` is there when at least that could be read, else ``event`` when the record bears one readable ``ce_id``:
    the sender finds its answer by the event id.
    """

    problem: Problem
    detail: str = ""
    envelope: "Envelope | None" = field(default=None, compare=False)
    event: UUID | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who declared what, about which referral, when. Times are UTC."""

    id: UUID
    source: str
    institution: str
    verb: Verb
    referral: UUID
    need: UUID
    time: datetime
    auth_type: AuthType
    auth_id: str
    causation: UUID | None = None
    traceparent: str | None = None

    def headers(self) -> list[tuple[str, bytes]]:
        """The record's headers, as an institution sends them."""
        texts = {
            "ce_specversion": SPECVERSION,
            "ce_id": str(self.id),
            "ce_source": self.source,
            "ce_type": f"{TYPE_PREFIX}{self.verb}.v1",
            "ce_subject": str(self.referral),
            "ce_partitionkey": str(self.referral),
            "ce_time": timestamp(self.time),
            "ce_correlationid": str(self.need),
            "ce_authtype": str(self.auth_type),
            "ce_authid": self.auth_id,
            "ce_dataschema": schema_urn(f"referral.{self.verb}"),
            "content-type": CONTENT_TYPE,
            "ce_causationid": self.causation and str(self.causation),
            TRACEPARENT: self.traceparent,
        }
        return [(name, text.encode()) for name, text in texts.items() if text]


def schema_urn(name: str) -> str:
    """The identifier of a published schema, for instance ``urn:ruta:schema:referral.requested:1.0``."""
    return f"urn:ruta:schema:{name}:{CONTRACT_VERSION}"


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: ``2026-11-24T15:04:05.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def source_institution(source: str) -> str | None:
    """The institution of ``//<institution>/<system>``, or None when the text has another form."""
    match = _SOURCE.fullmatch(source)
    return match.group(1) if match else None


def read_headers(headers: Iterable[Header]) -> dict[str, str] | Flaw:
    """The texts of the headers anybody reads; a Flaw when one of those is repeated, null, not UTF-8 or too long."""
    texts: dict[str, str] = {}
    for name, value in headers:
        if name not in READ:
            continue
        if name in texts:
            return Flaw(Problem.HEADER_REPEATED, name)
        if value is None or len(value) > MAX_HEADER_BYTES:
            return Flaw(Problem.HEADER_UNREADABLE, name)
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError:
            return Flaw(Problem.HEADER_UNREADABLE, name)
    return texts


def trace_context(headers: Iterable[Header]) -> str | None:
    """The traceparent of a record; None unless there is exactly one and it is valid (W3C Trace Context, 2.2)."""
    found = [value for name, value in headers if name == TRACEPARENT]
    if len(found) != 1 or found[0] is None or not _TRACEPARENT.fullmatch(found[0]):
        return None
    return found[0].decode()


def read(headers: Sequence[Header]) -> Envelope | Flaw:
    """The envelope of a declaration, or the first thing wrong with it."""
    found = _read(headers)
    return replace(found, event=_event(headers)) if isinstance(found, Flaw) else found


def _event(headers: Iterable[Header]) -> UUID | None:
    ids = [value for name, value in headers if name == "ce_id"]
    text = ids[0].decode(errors="replace") if len(ids) == 1 and ids[0] else ""
    return UUID(text) if is_uuid(text) else None


def _read(headers: Sequence[Header]) -> Envelope | Flaw:
    texts = read_headers(headers)
    if isinstance(texts, Flaw):
        return texts
    for name in REQUIRED:
        if not texts.get(name):
            return Flaw(Problem.HEADER_MISSING, name)
    if texts["ce_specversion"] != SPECVERSION:
        return Flaw(Problem.SPECVERSION_UNSUPPORTED, "ce_specversion")
    if texts["content-type"].partition(";")[0].strip().lower() != CONTENT_TYPE:
        return Flaw(Problem.CONTENT_TYPE_UNSUPPORTED, "content-type")
    verb = _verb(texts["ce_type"])
    if isinstance(verb, Flaw):
        return verb
    institution = source_institution(texts["ce_source"])
    if institution is None:
        return Flaw(Problem.SOURCE_INVALID, "ce_source")
    for name in ("ce_id", "ce_subject", "ce_correlationid"):
        if not is_uuid(texts[name]):
            return Flaw(Problem.HEADER_INVALID, name)
    if texts["ce_partitionkey"] != texts["ce_subject"]:
        return Flaw(Problem.KEY_NOT_SUBJECT, "ce_partitionkey")
    time = read_time(texts["ce_time"])
    if time is None:
        return Flaw(Problem.HEADER_INVALID, "ce_time")
    if texts["ce_authtype"] not in (AuthType.USER, AuthType.SYSTEM):
        return Flaw(Problem.HEADER_INVALID, "ce_authtype")
    if not _REFERENCE.fullmatch(texts["ce_authid"]):
        return Flaw(Problem.HEADER_INVALID, "ce_authid")
    causation = texts.get("ce_causationid")
    if causation is not None and not is_uuid(causation):
        return Flaw(Problem.HEADER_INVALID, "ce_causationid")
    return Envelope(
        id=UUID(texts["ce_id"]),
        source=texts["ce_source"],
        institution=institution,
        verb=verb,
        referral=UUID(texts["ce_subject"]),
        need=UUID(texts["ce_correlationid"]),
        time=time,
        auth_type=AuthType(texts["ce_authtype"]),
        auth_id=texts["ce_authid"],
        causation=UUID(causation) if causation else None,
        traceparent=trace_context(headers),
    )


def is_uuid(text: str) -> bool:
    """Whether this is an id in the one form that counts: lower case, with hyphens."""
    return _UUID.fullmatch(text) is not None


def read_time(text: str) -> datetime | None:
    """An RFC 3339 time with its offset, as UTC; None for anything else, a leap second or the year 0 included."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _verb(text: str) -> Verb | Flaw:
    match = _TYPE.fullmatch(text)
    verb = match and _VERBS.get(match.group(1))
    if match is None or verb is None:
        return Flaw(Problem.TYPE_UNKNOWN, "ce_type")
    if match.group(2) != "1":
        return Flaw(Problem.TYPE_VERSION_UNKNOWN, "ce_type")
    return verb
