"""Who is told of what: every kind of fact, the acting party, the desk, and the ids that make alerts unique."""

from dataclasses import replace
from typing import get_args
from uuid import uuid4

import pytest

from contracts import topics
from contracts.applied import APPLIED
from contracts.facts import Fact, FactData
from contracts.receipts import AlertChannel
from contracts.values import Urgency, Verb
from services.notifications import routing
from services.notifications.routing import plan
from tests.notifications import making as make
from tests.support.builders import MEMBERS, OTHER, OVERSIGHT

BOTH = (AlertChannel.INBOX, AlertChannel.EMAIL)
INBOX = (AlertChannel.INBOX,)

_SENDER, _RECIPIENT = (make.SENDER,), (make.RECIPIENT,)

EXPECTED: list[tuple[Fact, tuple[str, ...], tuple[AlertChannel, ...]]] = [
    *((make.applied(verb), _RECIPIENT, BOTH) for verb in (
        Verb.REQUESTED, Verb.INFORMATION_PROVIDED, Verb.WITHDRAWN, Verb.CLOSED, Verb.REOPENED, Verb.VOIDED,
    )),
    *((make.applied(verb), _SENDER, BOTH) for verb in (
        Verb.RECEIVED, Verb.ACCEPTED, Verb.ACCEPTANCE_REVERTED, Verb.INFORMATION_REQUESTED, Verb.REJECTED,
        Verb.RETURNED, Verb.REDIRECTED, Verb.STARTED, Verb.WAITLISTED, Verb.RESUMED, Verb.COMPLETED, Verb.NOT_ACHIEVED,
        Verb.STOP_CONFIRMED,
    )),
    (make.applied(Verb.CONSENT_REVOKED), (), ()),
    (make.applied(Verb.CONSENT_REVOKED, owner=make.RECIPIENT), _SENDER, BOTH),
    (make.applied(Verb.ESCALATED, told=(OVERSIGHT, OTHER)), (make.SENDER, make.RECIPIENT, OTHER), BOTH),
    (make.applied(Verb.REOPENED, owner=OVERSIGHT), (make.SENDER, make.RECIPIENT), BOTH),
    (make.applied(Verb.POSITION_STATED, told=(OVERSIGHT, OTHER)), (OVERSIGHT, OTHER), BOTH),
    (make.applied(Verb.CONFLICT_RESOLVED, told=(OTHER,)), (make.SENDER, make.RECIPIENT, OTHER), BOTH),
    (make.conflict_opened((OVERSIGHT, make.RECIPIENT, OTHER)), (make.SENDER, OVERSIGHT, OTHER), BOTH),
    (make.stop_duty_opened(), _RECIPIENT, BOTH),
    (make.refused(), _SENDER, INBOX),
    (make.conflict(), _SENDER, INBOX),
    (make.quarantined(), _SENDER, INBOX),
    (make.parked(), _SENDER, INBOX),
    (make.duplicate(), (), ()),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "who", "channels"), EXPECTED, ids=lambda value: getattr(value, "data", value) and "")
def test_who_is_told(fact: Fact, who: tuple[str, ...], channels: tuple[AlertChannel, ...]) -> None:
    planned = [(alert.recipient, alert.channel) for alert in plan(fact, MEMBERS)]
    assert planned == [(code, channel) for code in who for channel in channels]
    assert {alert.fact_id for alert in plan(fact, MEMBERS)} == ({fact.id} if who else set())


def test_every_kind_of_fact_is_in_the_table() -> None:
    kinds = {model.model_fields["kind"].default for model in get_args(FactData)}
    assert set(routing.TOLD) == kinds == {fact.data.kind for fact, _, _ in EXPECTED}


@pytest.mark.parametrize("verb", list(APPLIED))
@pytest.mark.parametrize("owner", [make.SENDER, make.RECIPIENT, OVERSIGHT])
def test_nobody_is_told_of_what_it_did_itself(verb: Verb, owner: str) -> None:
    fact = make.applied(verb, owner=owner, told=(make.SENDER, make.RECIPIENT, OVERSIGHT))
    assert owner not in {alert.recipient for alert in plan(fact, MEMBERS)}


@pytest.mark.parametrize("fact", [make.quarantined(topics.DESK), make.refused(topics.DESK)], ids=["unread", "refused"])
def test_the_desk_has_no_inbox(fact: Fact) -> None:
    assert plan(fact, MEMBERS) == ()


def test_an_alert_has_one_id_per_fact_recipient_and_channel() -> None:
    fact = make.applied(Verb.REQUESTED)
    ids = [alert.id for alert in plan(fact, MEMBERS)]
    assert len(set(ids)) == 2
    assert [alert.id for alert in plan(fact, MEMBERS)] == ids
    assert not set(ids) & {alert.id for alert in plan(replace(fact, id=uuid4()), MEMBERS)}
    assert all(alert.id.version == 5 for alert in plan(fact, MEMBERS))


def test_an_institution_that_is_not_known_yet_gets_its_mail_later() -> None:
    assert [alert.channel for alert in plan(make.applied(Verb.REQUESTED), {})] == list(BOTH)


def test_only_a_request_brings_its_urgency() -> None:
    assert {alert.urgency for alert in plan(make.applied(Verb.REQUESTED, urgency=Urgency.U0), MEMBERS)} == {Urgency.U0}
    assert {alert.urgency for alert in plan(make.applied(Verb.ACCEPTED), MEMBERS)} == {None}
