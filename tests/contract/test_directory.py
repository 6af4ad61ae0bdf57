"""The seed directory: whole, writes to nobody real, and says who oversees what."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from contracts.directory import SEED, Directory, Kind, load
from contracts.topics import provisioned
from contracts.values import Basis, Service

MUNICIPALITIES = {"bucaramanga": "68001", "floridablanca": "68276", "giron": "68307", "piedecuesta": "68547"}


@pytest.fixture(scope="module")
def seed() -> Directory:
    return load(SEED)


def test_every_member_of_the_mesa_is_there(seed: Directory) -> None:
    per_municipality = ("personeria", "enlace-migracion", "interior", "desarrollo", "salud")
    expected = {
        "defensoria-santander", "procuraduria-regional-santander", "procuraduria-provincial-bucaramanga",
        "icbf-santander", "imebu", "gobernacion-santander", "cancilleria", "amb", "gifmm-santander", "acnur", "oim",
        "sector-privado-mesa",
        *(f"{office}-{town}" for office in per_municipality for town in MUNICIPALITIES),
    }  # fmt: skip
    assert set(seed.by_code) == expected


def test_municipal_bodies_cover_their_own_municipality_only(seed: Directory) -> None:
    for member in seed.institutions:
        for town, code in MUNICIPALITIES.items():
            if member.code.endswith(f"-{town}") and member.kind is not Kind.DISCIPLINARY:
                assert member.territory == (code,), member.code


def test_contacts_are_on_the_members_own_reserved_domain(seed: Directory) -> None:
    for member in seed.institutions:
        for contact in member.contacts:
            assert contact.address.endswith(f"@{member.code}.mesa.example")


def test_every_service_can_be_asked_of_somebody_in_every_municipality(seed: Directory) -> None:
    # Employment is IMEBU's in Bucaramanga; elsewhere private members and OIM. Certification has nobody there.
    for town in MUNICIPALITIES.values():
        offered = {s for member in seed.institutions if member.covers(town) for s in member.services}
        missing = set(Service) - offered
        assert missing == (set() if town == "68001" else {Service.EMPLOYMENT_CERTIFICATION}), town


def test_oversight_is_the_defensoria_and_the_procuradurias(seed: Directory) -> None:
    assert {m.kind for m in seed.institutions if m.oversight} == {Kind.OMBUDSMAN, Kind.DISCIPLINARY}
    assert [m.code for m in seed.institutions if m.coordinator] == ["amb"]
    for town in MUNICIPALITIES.values():
        assert sum(m.oversight and m.covers(town) for m in seed.institutions) == 3
        assert [m.kind for m in seed.institutions if m.kind is Kind.PERSONERIA and m.covers(town)]


def test_international_and_private_members_need_an_authorisation(seed: Directory) -> None:
    needing = {m.code for m in seed.institutions if not m.may_receive(Basis.PUBLIC_FUNCTION)}
    assert needing == {"gifmm-santander", "acnur", "oim", "sector-privado-mesa"}
    assert all(m.may_receive(Basis.AUTHORISATION) for m in seed.institutions)


def test_no_two_members_answer_to_one_name(seed: Directory) -> None:
    names = [name.casefold() for m in seed.institutions for name in (m.name, *m.aliases)]
    assert len(names) == len(set(names))


def test_topics_of_all_members_are_distinct_and_legal(seed: Directory) -> None:
    names = [topic.name for topic in provisioned(seed)]
    assert len(names) == len(set(names)) == 2 * len(seed.institutions) + 3
    assert all(re.fullmatch(r"[a-z0-9.-]{1,249}", name) for name in names)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('territory = ["Bucaramanga"]', "territory"),
        ('services = ["legal.everything"]', "services"),
        ('kind = "club"', "kind"),
        ('secret = "x"', "secret"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, line: str, wrong: str) -> None:
    entry = {
        "code": 'code = "imebu"', "name": 'name = "IMEBU"', "kind": 'kind = "decentralised"',
        "territory": 'territory = ["68001"]',
    }  # fmt: skip
    entry[wrong] = line
    path = tmp_path / "directory.toml"
    contact = '[[institutions.contacts]]\nchannel = "email"\naddress = "a@imebu.mesa.example"\npurpose = "Recepción"'
    path.write_text("[[institutions]]\n" + "\n".join(entry.values()) + "\n" + contact)
    with pytest.raises(ValueError, match=wrong):
        load(path)


@pytest.mark.parametrize("code", ["desk", "ruta", "vault", "ruta-referrals"])
def test_a_member_cannot_take_the_name_of_something_else(seed: Directory, code: str) -> None:
    taken = seed.institutions[0].model_copy(update={"code": code})
    with pytest.raises(ValidationError, match="reserved"):
        Directory(institutions=(taken,))
