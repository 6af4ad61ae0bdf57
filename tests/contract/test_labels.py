"""Every code that people see has a Spanish text, and no text is left over."""

from enum import StrEnum

import pytest

from contracts import directory, fhir, labels, receipts, values
from contracts.values import State

SHOWN: dict[str, type[StrEnum]] = {
    name: value
    for module in (values, directory, receipts)
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
