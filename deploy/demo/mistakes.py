"""The mistakes that senders make in the demonstration, on the wire as real ones would be."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from contracts import topics
from contracts.codec import Declaration
from contracts.declarations import Closed, Requested
from contracts.sdk import Connection, Official, Publisher, declare
from contracts.values import NeedResult, Urgency
from deploy.demo.stories import Mistake


async def make(mistake: Mistake, publisher: Publisher, connection: Connection, asked: Declaration) -> int:
    """Make it, right behind the proper request; returns how many records were published."""
    match mistake:
        case Mistake.SENT_TWICE:
            await publisher.send(asked)
        case Mistake.ID_REUSED:
            assert isinstance(asked.details, Requested)
            other = Urgency.U0 if asked.details.urgency is not Urgency.U0 else Urgency.U3
            await publisher.send(replace(asked, details=asked.details.model_copy(update={"urgency": other})))
        case Mistake.WRONG_STATE:
            head = asked.envelope
            early = declare(
                publisher.institution,
                Closed(result=NeedResult.MET),
                referral=head.referral,
                need=head.need,
                by=Official(id="funcionario-1"),
                system="demo",
                time=datetime.now(UTC),
            )
            await publisher.send(early)
        case Mistake.UNREADABLE:
            await _send_garbage(publisher.institution, connection, asked)
    return 1


async def _send_garbage(institution: str, connection: Connection, asked: Declaration) -> None:
    """Half a JSON text under a proper envelope; the SDK itself would not send it."""
    head = replace(asked.envelope, id=uuid4())
    producer = AIOKafkaProducer(**connection.options())
    await producer.start()
    try:
        key = str(head.referral).encode()
        await producer.send_and_wait(topics.inbound(institution), b'{"details": ', key, headers=head.headers())
    finally:
        await producer.stop()
