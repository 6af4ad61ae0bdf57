"""A chain: a referral and those that redirections made of it, and which part an institution has in it. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from contracts.directory import Institution, Kind
from services.referrals.lifecycle import Party
from services.referrals.referral import Referral, StopDuty

Members = Mapping[str, Institution]
Chain = Sequence[Referral]
"""All referrals of one root, the root first; each but the last was sent on to the next."""


def parts(institution: str, referral: Referral, chain: Chain, members: Members) -> frozenset[Party]:
    """The parts that an institution has in a referral; none for a stranger."""
    found = set()
    if institution == referral.sender:
        found.add(Party.SENDER)
    if institution == referral.recipient:
        found.add(Party.RECIPIENT)
    if any(one.recipient == institution and one.stop_duty is not StopDuty.CONFIRMED for one in chain):
        found.add(Party.HOLDER)
    if referral.conflict is not None and institution in referral.conflict.opened.parties:
        found.add(Party.IN_CONFLICT)
    known = members.get(institution)
    if known is not None and known.oversight and _covers(known, referral):
        found.add(Party.OVERSIGHT)
    return frozenset(found)


def oversight(referral: Referral, members: Members) -> tuple[str, ...]:
    """The oversight bodies whose territory covers the referral, by any of its places."""
    return tuple(one.code for one in members.values() if one.oversight and _covers(one, referral))


def ombudsmen(referral: Referral, members: Members) -> tuple[str, ...]:
    """The Personerías and the Defensoría of its places: whom a competence conflict is told."""
    kinds = (Kind.PERSONERIA, Kind.OMBUDSMAN)
    return tuple(one.code for one in members.values() if one.kind in kinds and _covers(one, referral))


def first_authority(path: Iterable[str], members: Members) -> str | None:
    """The first public body among these that knew of it; None if there was none."""
    return next((code for code in path if code in members and members[code].kind.public), None)


def _covers(institution: Institution, referral: Referral) -> bool:
    return any(institution.covers(place) for place in referral.places)
