"""The mistakes that senders make in the demonstration, on the wire as real ones would be."""

from dataclasses import replace
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from contracts import topics
from contracts.codec import Declaration
from contracts.declarations import Closed, Requested
from contracts.reasons import NeedResult
from contracts.sdk import Connection, Official, declare
from contracts.values import Urgency
from deploy.demo.stories import CANARY, Mistake


def declaration(mistake: Mistake, asked: Declaration) -> Declaration | None:
    """What the sender publishes behind its proper request; None where it is no declaration at all."""
    head = asked.envelope
    match mistake:
        case Mistake.SENT_TWICE:
            return asked
        case Mistake.ID_REUSED:
            assert isinstance(asked.details, Requested)
            other = Urgency.U0 if asked.details.urgency is not Urgency.U0 else Urgency.U3
            return replace(asked, details=asked.details.model_copy(update={"urgency": other}))
        case Mistake.WRONG_STATE:
            return declare(
                head.institution,
                Closed(result=NeedResult.MET),
                referral=head.referral,
                need=head.need,
                by=Official(id="funcionario-1"),
                system="demo",
            )
        case Mistake.UNREADABLE:
            return None


async def send_garbage(institution: str, connection: Connection, asked: Declaration) -> None:
    """Half a JSON text under a proper envelope, with a name in it; the SDK itself would not send it.

    What cannot be read may hold anything, so the canary is in the text and in a header that nobody knows: whoever
    repeats either of them is found.
    """
    head = replace(asked.envelope, id=uuid4())
    producer = AIOKafkaProducer(**connection.options())
    await producer.start()
    try:
        key = str(head.referral).encode()
        value = f'{{"details": {{"nombres": "{CANARY}'.encode()
        headers = [*head.headers(), ("x-nota", CANARY.encode())]
        await producer.send_and_wait(topics.inbound(institution), value, key, headers=headers)
    finally:
        await producer.stop()
