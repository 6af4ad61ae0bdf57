"""The institutions that refer to each other: codes, names, territory, services, roles and contact points.

The committed files hold no keys and no personal addresses. Public sealing keys come from an overlay that the
operator makes (``keys.json`` beside the running state): one X25519 JWK per institution, and the vault's.
"""

import tomllib
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.model import Model
from contracts.values import Basis, Divipola, InstitutionCode, Service

SEED = Path(__file__).parent / "directory" / "santander.toml"
COUNTRY = "CO"


class Kind(StrEnum):
    """What sort of body it is; decides on which legal basis it may receive personal data."""

    OMBUDSMAN = "ombudsman"
    DISCIPLINARY = "disciplinary"
    PERSONERIA = "personeria"
    CHILD_PROTECTION = "child-protection"
    MIGRATION_LIAISON = "migration-liaison"
    MUNICIPAL = "municipal"
    DEPARTMENT = "department"
    NATIONAL = "national"
    DECENTRALISED = "decentralised"
    METROPOLITAN = "metropolitan"
    UNITED_NATIONS = "united-nations"
    NGO = "ngo"
    PRIVATE = "private"

    @property
    def public(self) -> bool:
        """Whether it may receive data for its public function (Ley 1581/2012 art. 10 lit. a)."""
        return self not in (Kind.UNITED_NATIONS, Kind.NGO, Kind.PRIVATE)


class Channel(StrEnum):
    """How a contact point is reached."""

    EMAIL = "email"


class ContactPoint(Model):
    """A shared inbox of an institution, never a person's own. ``purpose`` names the desk."""

    channel: Channel
    address: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+-]+@[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=120)]
    purpose: Annotated[str, StringConstraints(max_length=60)]


class Institution(Model):
    """One member. ``territory``: DIVIPOLA codes, or ``CO`` for the whole country; a department covers its towns."""

    code: InstitutionCode
    name: Annotated[str, StringConstraints(min_length=3, max_length=120)]
    aliases: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    kind: Kind
    territory: Annotated[tuple[Divipola | Literal["CO"], ...], Field(min_length=1, max_length=100)]
    services: tuple[Service, ...] = ()
    oversight: bool = False
    coordinator: bool = False
    contacts: Annotated[tuple[ContactPoint, ...], Field(min_length=1, max_length=10)]

    def covers(self, place: str) -> bool:
        """Whether a DIVIPOLA place lies in the institution's territory."""
        return any(t == COUNTRY or place == t or place.startswith(t) for t in self.territory)

    def may_receive(self, basis: Basis) -> bool:
        """Whether data may be shared with it on this basis: UN bodies, NGOs and firms need more than a function."""
        return self.kind.public or basis is not Basis.PUBLIC_FUNCTION


class Directory(Model):
    """All members, by unique code."""

    institutions: Annotated[tuple[Institution, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique(self) -> "Directory":
        if len(self.by_code) != len(self.institutions):
            raise ValueError("two institutions have the same code")
        # Codes are Kafka users too: an institution must not be able to take the name of a service.
        if any(code in ("desk", "ruta", "vault") or code.startswith("ruta-") for code in self.by_code):
            raise ValueError("desk, ruta, vault and codes that begin with ruta- are reserved")
        return self

    @cached_property
    def by_code(self) -> dict[str, Institution]:
        """Institutions by their code."""
        return {institution.code: institution for institution in self.institutions}


def load(path: Path = SEED) -> Directory:
    """Read a directory file. Raises ValueError naming the file and the entry that is wrong."""
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
        return Directory.model_validate(entries, strict=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} is not a directory of institutions: {error}") from error
