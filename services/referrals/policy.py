"""Who may declare what beyond the life cycle: recipients, legal basis, persons. Pure."""

from collections.abc import Mapping

from contracts import topics
from contracts.codec import Declaration
from contracts.declarations import Requested
from contracts.directory import Institution
from contracts.envelope import Envelope, Flaw
from contracts.values import AuthType, Problem, Refusal, Verb


def author(topic_owner: str, head: Envelope, members: Mapping[str, Institution]) -> str | Flaw:
    """The institution that a declaration is from: the owner of the topic, which the broker vouches for.

    The desk's topic is written by our own pages, which have checked who the person is: there the declared
    source counts, if it is a member.
    """
    if topic_owner == topics.DESK:
        return head.institution if head.institution in members else Flaw(Problem.SOURCE_UNKNOWN, "ce_source")
    return topic_owner if head.institution == topic_owner else Flaw(Problem.SOURCE_NOT_OWNER, "ce_source")


def check(declaration: Declaration, members: Mapping[str, Institution]) -> Refusal | None:
    """Why a declaration that the life cycle allows may still not take effect; None when it may.

    A UN body, an NGO or a firm may not receive data for a public function that it does not have
    (Ley 1581/2012 arts. 9 and 10 lit. a). A receipt is a person's act, so it names that person.
    """
    head, details = declaration.envelope, declaration.details
    if head.verb is Verb.RECEIVED and head.auth_type is not AuthType.USER:
        return Refusal.PERSON_REQUIRED
    if not isinstance(details, Requested):
        return None
    recipient = members.get(details.recipient)
    if recipient is None:
        return Refusal.UNKNOWN_RECIPIENT
    if recipient.code == head.institution:
        return Refusal.RECIPIENT_IS_SENDER
    if not recipient.may_receive(details.legal_basis.basis):
        return Refusal.AUTHORISATION_REQUIRED
    return None
