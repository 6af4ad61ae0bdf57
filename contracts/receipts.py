"""What became of an alert: one model for every receipt on ``ruta.alerts.v1``. Codes, ids and times only.

A receipt is a CloudEvents record: ``ce_type`` is ``co.ruta.alert.<status>.v1``, ``ce_subject`` the referral if there
is one, ``ce_causationid`` the fact that the alert tells. No address and no text of a notice is ever in it.
"""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts import facts
from contracts.model import Model
from contracts.values import InstitutionCode, Moment

TYPE_PREFIX = "co.ruta.alert."
SOURCE = "//ruta/notifications"
RECEIPT_NAMESPACE = UUID("f0c4b1d2-7f0e-5a53-8a37-5f1d0c9d6b11")
"""UUIDv5 namespace of receipt ids; fixed for ever, so that a repeated batch repeats the ids."""


class AlertChannel(StrEnum):
    """How an institution is told: the inbox that Ruta keeps for it, or a message to its contact point."""

    INBOX = "inbox"
    EMAIL = "email"


class ReceiptStatus(StrEnum):
    """What happened to the alert, as far as Ruta can know it."""

    DELIVERED = "delivered"
    """It lies in the institution's inbox."""
    OPENED = "opened"
    """Somebody of the institution opened it there."""
    SENT = "sent"
    """The mail server took responsibility for it (250 after DATA)."""
    FAILED = "failed"
    """An attempt failed; another follows."""
    UNDELIVERABLE = "undeliverable"
    """No attempt follows: refused for good, or tried for too long."""


class DeliveryProblem(StrEnum):
    """Why an attempt failed."""

    UNREACHABLE = "unreachable"
    """No mail server answered, or it turned the connection away."""
    SESSION_REFUSED = "session-refused"
    """The server took the connection but not our greeting, encryption, login or sender, or does not let us send: our
    settings, or its own."""
    DEFERRED = "deferred"
    """A temporary refusal of this message (4yz, RFC 5321 section 4.2.1)."""
    REFUSED = "refused"
    """A permanent refusal of this message or its recipient (5yz)."""
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    NO_ADDRESS = "no-address"
    """The directory has no usable address for the institution."""
    INTERNAL_ERROR = "internal-error"
    """We could not write the message; it waits for the mend."""


class Receipt(Model):
    """One thing that happened to one alert. ``attempt`` counts from 1; 0 where nothing has to be attempted."""

    alert: UUID
    fact: UUID
    referral: UUID | None = None
    recipient: InstitutionCode
    channel: AlertChannel
    status: ReceiptStatus
    attempt: Annotated[int, Field(ge=0)]
    code: Annotated[int, Field(ge=100, le=599)] | None = None
    problem: DeliveryProblem | None = None
    at: Moment

    @property
    def key(self) -> bytes:
        """The record key: all receipts about a referral are in one order."""
        return str(self.referral or self.alert).encode()

    def headers(self) -> list[tuple[str, bytes]]:
        """The CloudEvents headers of the receipt's record."""
        return facts.headers(
            receipt_id(self.alert, self.status, self.attempt), f"{TYPE_PREFIX}{self.status}.v1", self.at,
            self.key.decode(), self.referral, None, self.fact, source=SOURCE,
        )  # fmt: skip

    def value(self) -> bytes:
        """The record's value."""
        return self.model_dump_json(exclude_none=True).encode()


def receipt_id(alert: UUID, status: ReceiptStatus, attempt: int) -> UUID:
    """The id of a receipt: the same whenever the same thing is recorded or published again."""
    return facts.name_id(RECEIPT_NAMESPACE, f"{alert}/{status}/{attempt}")
