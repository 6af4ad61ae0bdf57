"""A record as far as it can be judged alone: decoded, and its topic's owner its author. Pure."""

from dataclasses import dataclass, replace
from uuid import UUID

from contracts import codec, facts, topics
from contracts.codec import Declaration, Located
from contracts.declarations import Redirected
from contracts.envelope import Flaw
from contracts.values import Problem, Verb
from services.referrals import policy
from services.referrals.chain import Members


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as far as it can be judged alone. ``owner`` is the topic's owner, or the desk's declared source.

    ``first``: the ordinal of its outcome, facts.RELEASED for a record that had a provisional one before.
    """

    located: Located
    owner: str
    digest: bytes
    content: Declaration | Flaw
    error: Exception | None = None
    first: int = 0

    def fact_id(self, ordinal: int) -> UUID:
        """The id of the ``ordinal``-th fact that the record causes."""
        located, record = self.located, self.located.record
        return facts.fact_id(located.cluster, located.topic_id, record.partition, record.offset, ordinal)

    @property
    def opens(self) -> UUID | None:
        """The referral that the record opens if it may, None if none. A resolution's child gets its id here."""
        if isinstance(self.content, Flaw):
            return None
        details = self.content.details
        if isinstance(details, Redirected):
            return details.child
        match self.content.envelope.verb:
            case Verb.REQUESTED:
                return self.content.envelope.referral
            case Verb.CONFLICT_RESOLVED:
                return facts.name_id(facts.FACT_NAMESPACE, f"child/{self.fact_id(0)}")
        return None


def read(located: Located, members: Members) -> Entry:
    """Decode a record and check that its topic's owner may be its author."""
    record = located.record
    topic_owner = topics.owner(record.topic) or ""
    digest = codec.digest(record)
    try:
        content = codec.decode(record)
        if isinstance(content, Flaw):
            return Entry(located, topic_owner, digest, content)
        author = policy.author(topic_owner, content.envelope, members)
    except Exception as error:
        return Entry(located, topic_owner, digest, Flaw(Problem.INTERNAL_ERROR), error)
    if isinstance(author, Flaw):
        return Entry(located, topic_owner, digest, replace(author, envelope=content.envelope))
    return Entry(located, author, digest, content)


def unstorable(entry: Entry) -> Entry:
    """The same record, quarantined because the database refused it: nothing of its content is kept."""
    head = entry.content.envelope
    return Entry(entry.located, entry.owner, entry.digest, Flaw(Problem.STORAGE_REFUSED, envelope=head))
