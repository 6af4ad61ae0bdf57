"""The texts of notices, in Spanish, and the e-mail that carries one. Pure.

A notice says that something happened, to which referral, and what to do. It never says anything about the person,
and not the service asked for either: "who asked whom for help with what" would tell about a person's health or the
violence suffered to everybody who sees an inbox preview.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.directory import Institution
from contracts.labels import label
from contracts.moments import COLOMBIA, moment
from contracts.values import Problem, Urgency
from services.notifications.routing import Alert

CATALOGUE = Path(__file__).parent / "locales" / "es_CO.toml"


class _Headers(HeaderRegistry):
    """The standard registry makes a new class for every header of every mail, and parses the same sender, receivers
    and content types again and again: half of what writing a mail takes."""

    @cache  # noqa: B019 - there is one registry, and a dozen names
    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name)

    @lru_cache(maxsize=512)  # noqa: B019 - header values do not change
    def __call__(self, name: str, value: str) -> Any:
        return super().__call__(name, value)


_POLICY = SMTP.clone(header_factory=_Headers())


@dataclass(frozen=True, slots=True)
class Notice:
    """What people read. ``action`` is what is expected of them."""

    title: str
    text: str
    action: str
    fields: tuple[str, ...]


def notice(alert: Alert, members: Mapping[str, Institution]) -> Notice:
    """The notice of an alert. Raises KeyError for a kind of fact that the catalogue does not know."""
    # What we failed on is not the sender's to mend, whatever the kind of its answer.
    ours = alert.reason in (Problem.INTERNAL_ERROR, Problem.STORAGE_REFUSED)
    texts = _catalogue()["notice"][str(alert.reason) if ours else alert.kind]
    given = {
        "actor": name(alert.actor, members),
        "verb": label(alert.verb) if alert.verb else "",
        "reason": label(alert.reason) if alert.reason else "",
        "detail": texts["detail"].format(detail=alert.detail) if alert.detail and "detail" in texts else "",
        "event": alert.event or "",
        "offset": alert.record_offset if alert.record_offset is not None else "",
    }
    return Notice(texts["title"], texts["text"].format_map(given).strip(), texts["action"], tuple(_fields(alert)))


def title(kind: str) -> str:
    """What a notice of this kind of fact is called. Raises KeyError for one that the catalogue does not know."""
    return str(_catalogue()["notice"][kind]["title"])


def mail(alert: Alert, planned_at: datetime, members: Mapping[str, Institution], sender: str, to: str) -> EmailMessage:
    """The e-mail of an alert. Its Message-ID is the same at every attempt, so that a repeated mail is recognised as
    one; so is all else, but for what the directory says otherwise by then.

    Raises ValueError where an address or a text would break out of its header.
    """
    said, texts = notice(alert, members), _catalogue()["mail"]
    short = short_reference(alert.referral) if alert.referral else ""
    subject = texts["subject"] if alert.urgency else texts["subject_without_urgency"]
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject.format(urgency=alert.urgency, title=said.title, short=short).strip()
    message["Date"] = format_datetime(planned_at.astimezone(COLOMBIA))
    message["Message-ID"] = f"<{alert.id}@{sender.rpartition('@')[2]}>"
    # RFC 3834: no vacation notice answers it.
    message["Auto-Submitted"] = "auto-generated"
    if alert.urgency in (Urgency.U0, Urgency.U1):
        message["Importance"] = "high"
    body = texts["body"].format(
        title=said.title,
        recipient=name(alert.recipient, members),
        text=said.text,
        facts="\n".join(said.fields),
        action=said.action,
        alert=alert.id,
    )
    message.set_content(body, cte="quoted-printable")
    message["Content-Language"] = "es-CO"
    return message


def name(code: str, members: Mapping[str, Institution]) -> str:
    """An institution's name on one line; its code while the directory does not know it."""
    return " ".join(members[code].name.split()) if code in members else code


def short_reference(referral: UUID) -> str:
    """The first eight hexadecimal digits: enough to find it again, and to read out over the telephone."""
    return referral.hex[:8]


def _fields(alert: Alert) -> list[str]:
    labels = _catalogue()["field"]
    lines = []
    if alert.referral is not None:
        lines.append(labels["referral"].format(short=short_reference(alert.referral), full=alert.referral))
    if alert.urgency is not None:
        lines.append(labels["urgency"].format(code=alert.urgency, name=label(alert.urgency)))
    lines.append(labels["occurred"].format(moment=moment(alert.occurred_at)))
    return lines


@cache
def _catalogue() -> dict[str, Any]:
    return tomllib.loads(CATALOGUE.read_text("utf-8"))
