"""Make a declaration in code. The verb follows from the details; the id is made once and stays with it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from contracts.codec import Declaration
from contracts.declarations import BODIES, Details
from contracts.envelope import TRACEPARENT, Envelope
from contracts.sdk.uuid7 import uuid7
from contracts.sealing import Sealed
from contracts.values import AuthType, Verb

VERBS: dict[type, Verb] = {body.model_fields["details"].annotation: verb for verb, body in BODIES.items()}  # type: ignore[misc]
"""The verb of each kind of details."""


@dataclass(frozen=True, slots=True)
class Official:
    """A person who acts for the institution, by the institution's own opaque id: never a name, never a document."""

    id: str


@dataclass(frozen=True, slots=True)
class System:
    """A system that acts for the institution, by its id."""

    id: str


def declare(
    institution: str,
    details: Details,
    *,
    referral: UUID,
    need: UUID,
    by: Official | System,
    sealed: Sealed | None = None,
    time: datetime | None = None,
    causation: UUID | None = None,
    event_id: UUID | None = None,
    system: str = "sdk",
    traceparent: str | None = None,
) -> Declaration:
    """A declaration of ``institution`` about ``referral``.

    ``time`` is when it happened (now unless given), ``causation`` the id of what led to it, ``system`` the part of
    the institution's software that speaks (in the CloudEvents source), ``traceparent`` the trace that Ruta goes on with
    (W3C Trace Context; that of the current span where OpenTelemetry is installed). Keep the result: sending it again is
    safe, making it again is another declaration.
    """
    return Declaration(
        Envelope(
            id=event_id or uuid7(),
            source=f"//{institution}/{system}",
            institution=institution,
            verb=VERBS[type(details)],
            referral=referral,
            need=need,
            time=(time or datetime.now(UTC)).astimezone(UTC),
            auth_type=AuthType.USER if isinstance(by, Official) else AuthType.SYSTEM,
            auth_id=by.id,
            causation=causation,
            traceparent=traceparent or _current_trace(),
        ),
        details,
        sealed,
    )


def _current_trace() -> str | None:
    try:
        from opentelemetry.propagate import inject
    except ImportError:
        return None
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get(TRACEPARENT)
