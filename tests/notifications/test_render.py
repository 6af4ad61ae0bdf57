"""What notices say, and above all what they cannot say."""

from dataclasses import replace
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import legal
from contracts.applied import APPLIED
from contracts.directory import Institution
from contracts.facts import Fact
from contracts.labels import label
from contracts.values import Basis, Flag, Problem, Refusal, Service, Urgency, Verb
from services.notifications import render
from services.notifications.routing import Alert, plan
from tests.notifications import making as make
from tests.support.builders import MEMBERS, NOW, OTHER

SENDER_ADDRESS, TO = "ruta@mesa.example", "avisos@icbf.mesa.example"


def first(fact: Fact) -> Alert:
    return plan(fact, MEMBERS)[0]


def whole(alert: Alert) -> str:
    """Everything that leaves: headers decoded, and the body."""
    message = message_from_bytes(render.mail(alert, NOW, MEMBERS, SENDER_ADDRESS, TO).as_bytes(), policy=default)
    return "\n".join([*(f"{name}: {value}" for name, value in message.items()), message.get_content()])


@pytest.mark.parametrize("fact", [f for f in make.every_kind() if plan(f, MEMBERS)], ids=lambda f: f.data.kind)
def test_every_kind_has_a_text(fact: Fact) -> None:
    said = render.notice(first(fact), MEMBERS)
    assert said.title
    assert said.action.endswith(".")
    assert "{" not in whole(first(fact))


def test_a_request_says_who_how_urgent_and_what_to_do() -> None:
    referral = UUID("3f2a9c1e-0000-4000-8000-000000000001")
    text = whole(first(make.applied(Verb.REQUESTED, referral=referral)))
    assert "Subject: [Ruta] U1 · Nueva remisión 3f2a9c1e" in text
    assert MEMBERS[make.SENDER].name in text
    assert f"3f2a9c1e ({referral})" in text
    assert "24 de noviembre de 2026, 10:00\N{NO-BREAK SPACE}a.\N{NO-BREAK SPACE}m." in text
    assert "Acuse recibo" in text


def test_a_failed_declaration_is_named_so_that_it_can_be_mended() -> None:
    fact = make.refused(reason=Refusal.PERSON_REQUIRED)
    text = render.notice(first(fact), MEMBERS).text
    assert str(fact.data.cause.event) in text
    assert label(Refusal.PERSON_REQUIRED) in text
    unread = make.quarantined(problem=Problem.FIELD_INVALID, detail="details.unit: missing")
    text = render.notice(first(unread), MEMBERS).text
    assert f"mensaje {unread.data.cause.offset} " in text
    assert "Detalle: details.unit: missing." in text


@pytest.mark.parametrize(
    ("problem", "title", "action"),
    [
        (Problem.INTERNAL_ERROR, "Falla de Ruta", "No lo envíe de nuevo"),
        (Problem.STORAGE_REFUSED, "Mensaje que no se pudo guardar", "Espere la revisión del operador"),
    ],
)
def test_what_we_failed_on_is_not_the_senders_to_mend(problem: Problem, title: str, action: str) -> None:
    said = render.notice(first(make.quarantined(problem=problem)), MEMBERS)
    assert said.title == title
    assert said.action.startswith(action)


def test_whoever_refused_is_not_told_that_it_attended() -> None:
    assert "atendió" not in render.notice(first(make.applied(Verb.CLOSED)), MEMBERS).text


def test_no_detail_of_a_referral_is_in_any_notice() -> None:
    """Canaries in every field of every detail: only the urgency passes."""
    canary = "canary-7c1f"
    texts: dict[Verb, str] = {
        verb: whole(first(make.applied(verb, owner=OTHER, told=(make.SENDER,))))
        for verb in APPLIED
        if verb not in (Verb.REQUESTED, Verb.ACCEPTED)
    }
    person = uuid4()
    asked = make.applied(
        Verb.REQUESTED,
        person=person,
        service=Service.HEALTH_HIV,
        urgency=Urgency.U0,
        flags=(Flag.PREGNANT, Flag.VICTIM),
        legal_basis=legal.LegalBasis(basis=Basis.COURT_ORDER, norm=canary),
    )
    texts[Verb.REQUESTED] = whole(first(asked))
    accepted = make.applied(Verb.ACCEPTED)
    details = accepted.data.details.model_copy(update={"unit": canary})  # type: ignore[union-attr]
    accepted = replace(accepted, data=accepted.data.model_copy(update={"details": details}))
    texts[Verb.ACCEPTED] = whole(first(accepted))
    everything = "\n".join(texts.values())
    for forbidden in (canary, str(person), person.hex, "official-1", "cdcdcd", "68307"):
        assert forbidden not in everything
    for code in (Service.HEALTH_HIV, Flag.PREGNANT, Flag.VICTIM):
        assert code.value not in everything
        assert label(code).lower() not in everything.lower()
    for verb in (Verb.REJECTED, Verb.RETURNED, Verb.REDIRECTED, Verb.WITHDRAWN, Verb.REOPENED, Verb.VOIDED):
        details = make.applied(verb).data.details  # type: ignore[union-attr]
        assert details.reason.value not in texts[verb]  # type: ignore[union-attr]
        assert label(details.reason).lower() not in texts[verb].lower()  # type: ignore[union-attr]
    assert "U0" in texts[Verb.REQUESTED]


def test_a_mail_is_the_same_at_every_attempt_and_carries_the_id_of_its_alert() -> None:
    alert = plan(make.applied(Verb.REQUESTED), MEMBERS)[1]
    made = [render.mail(alert, NOW, MEMBERS, SENDER_ADDRESS, TO).as_bytes() for _ in range(2)]
    assert made[0] == made[1]
    message = message_from_bytes(made[0], policy=default)
    assert message["Message-ID"] == f"<{alert.id}@mesa.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == SENDER_ADDRESS
    assert message["To"] == TO
    assert datetime.strptime(message["Date"], "%a, %d %b %Y %H:%M:%S %z") == NOW
    assert message["Date"].endswith("-0500")


HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "Importance", "Content-Type",
    "Content-Transfer-Encoding", "MIME-Version",
}  # fmt: skip
HOSTILE = st.text(st.sampled_from('\r\n\t Bcc:aé@.<>,;"\u2028\x85=?{}'), min_size=3, max_size=60)


@given(name=HOSTILE)
def test_no_name_of_an_institution_makes_a_header(name: str) -> None:
    members: dict[str, Institution] = {
        code: one.model_copy(update={"name": f"x{name}\r\nBcc: victim@other.example"}) for code, one in MEMBERS.items()
    }
    alert = first(make.applied(Verb.REQUESTED))
    message = message_from_bytes(render.mail(alert, NOW, members, SENDER_ADDRESS, TO).as_bytes(), policy=default)
    assert set(message.keys()) == HEADERS
    assert len(message.keys()) == len(HEADERS)
    assert message["To"] == TO


@given(tail=HOSTILE)
def test_an_address_that_would_make_a_header_is_refused_or_harmless(tail: str) -> None:
    alert = first(make.applied(Verb.REQUESTED))
    try:
        made = render.mail(alert, NOW, MEMBERS, SENDER_ADDRESS, f"a@b.example{tail}\r\nBcc: victim@other.example")
    except ValueError:
        return
    assert "Bcc" not in message_from_bytes(made.as_bytes(), policy=default)
