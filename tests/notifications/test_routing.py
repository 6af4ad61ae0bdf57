"""Who is told of what: every kind of fact, the acting party, the desk, and the ids that make alerts unique."""

from dataclasses import replace
from typing import get_args
from uuid import uuid4

import pytest

from contracts import topics
from contracts.facts import APPLIED, Fact, FactData
from contracts.receipts import AlertChannel
from contracts.values import Urgency, Verb
from services.notifications import routing
from services.notifications.routing import plan
from tests.notifications import making as make
from tests.support.builders import MEMBERS

BOTH = (AlertChannel.INBOX, AlertChannel.EMAIL)
INBOX = (AlertChannel.INBOX,)

EXPECTED = [
    (make.applied(Verb.REQUESTED), make.RECIPIENT, BOTH),
    (make.applied(Verb.WITHDRAWN), make.RECIPIENT, BOTH),
    (make.applied(Verb.CLOSED), make.RECIPIENT, BOTH),
    (make.applied(Verb.RECEIVED), make.SENDER, BOTH),
    (make.applied(Verb.ACCEPTED), make.SENDER, BOTH),
    (make.applied(Verb.STARTED), make.SENDER, BOTH),
    (make.applied(Verb.COMPLETED), make.SENDER, BOTH),
    (make.applied(Verb.REJECTED), make.SENDER, BOTH),
    (make.applied(Verb.RETURNED), make.SENDER, BOTH),
    (make.refused(), make.SENDER, INBOX),
    (make.conflict(), make.SENDER, INBOX),
    (make.quarantined(), make.SENDER, INBOX),
    (make.duplicate(), None, ()),
]


@pytest.mark.parametrize(("fact", "who", "channels"), EXPECTED, ids=lambda value: getattr(value, "data", value) and "")
def test_who_is_told(fact: Fact, who: str | None, channels: tuple[AlertChannel, ...]) -> None:
    planned = plan(fact, MEMBERS)
    assert tuple(alert.channel for alert in planned) == channels
    assert {alert.recipient for alert in planned} == ({who} if who else set())
    assert {alert.fact_id for alert in planned} == ({fact.id} if who else set())


def test_every_kind_of_fact_is_in_the_table() -> None:
    kinds = {model.model_fields["kind"].default for model in get_args(FactData)}
    assert set(routing.TOLD) == kinds == {fact.data.kind for fact, _, _ in EXPECTED}


@pytest.mark.parametrize("verb", list(APPLIED))
def test_nobody_is_told_of_what_it_did_itself(verb: Verb) -> None:
    told = make.RECIPIENT if verb in make.BY_SENDER else make.SENDER
    assert plan(make.applied(verb, owner=told), MEMBERS) == ()


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
