"""Every code that people see has a Spanish text, and no text is left over."""

from enum import StrEnum
from typing import get_args

import pytest

from contracts import competence, directory, fhir, labels, legal, reasons, receipts, values
from contracts.values import State

SHOWN: dict[str, type[StrEnum]] = {
    name: value
    for module in (values, reasons, legal, competence, directory, receipts)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, StrEnum) and value not in (StrEnum, directory.Channel)
}

# HL7 FHIR R4, value set task-status (http://hl7.org/fhir/R4/valueset-task-status.html)
FHIR_TASK_STATUS = {
    "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed",
    "completed", "entered-in-error",
}  # fmt: skip


def test_every_enumeration_has_a_section() -> None:
    assert labels.catalogue().keys() == SHOWN.keys()


@pytest.mark.parametrize("enumeration", SHOWN.values(), ids=lambda e: e.__name__)
def test_every_code_has_a_label_and_no_label_is_left_over(enumeration: type[StrEnum]) -> None:
    texts = labels.catalogue()[enumeration.__name__]
    assert texts.keys() == {member.value for member in enumeration}
    assert all(text.strip() == text and text for text in texts.values())
    assert len(set(texts.values())) == len(texts), "two codes read the same"


def test_the_states_read_as_agreed() -> None:
    assert [labels.label(state) for state in State] == [
        "Enviada", "Recibida", "Información solicitada", "Aceptada", "En atención", "En lista de espera", "Atendida",
        "No atendida", "Rechazada", "Devuelta", "Remitida por competencia", "Retirada", "Cerrada", "Anulada",
    ]  # fmt: skip


def test_every_state_is_a_task_status_of_fhir() -> None:
    assert fhir.TASK_STATUS.keys() == set(State)
    assert set(fhir.TASK_STATUS.values()) <= FHIR_TASK_STATUS


def test_every_reason_says_who_decides_and_what_follows() -> None:
    coded = {e.__name__: e for e in get_args(reasons.Code)}
    assert reasons.catalogue().keys() == coded.keys()
    for name, enumeration in coded.items():
        assert reasons.catalogue()[name].keys() == {member.value for member in enumeration}
        for code in enumeration:
            assert all(reasons.described(code))


def test_a_reason_that_is_marked_with_something_unknown_is_an_error() -> None:
    entry = {"decided_by": "person", "consequence": "close"}
    assert reasons._entry(entry).decided_by is reasons.DecidedBy.PERSON
    for wrong in ({**entry, "refuses": True}, {"decided_by": "person"}, {**entry, "decided_by": "nobody"}):
        with pytest.raises(ValueError, match=r".+"):
            reasons._entry(wrong)


def test_a_redirections_reasons_are_refusals_that_dispute_competence() -> None:
    disputing = {code.value for code in reasons.RefusalReason if reasons.reason(code).disputes_competence}
    assert disputing == {code.value for code in reasons.RedirectionReason}
