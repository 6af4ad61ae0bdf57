"""Who may do what on the real Kafka and PostgreSQL: topic = identity, everything else is denied."""

import asyncio
import logging
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError

from contracts import topics
from deploy.embedded.stack import Stack
from deploy.provision import provision_topics

pytestmark = pytest.mark.anyio


def login(stack: Stack, user: str, password: str | None = None) -> dict[str, object]:
    return {
        "bootstrap_servers": stack.addresses.kafka,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": password or stack.state.secret(f"kafka/{user}"),
    }


async def write(stack: Stack, user: str, topic: str, *, idempotent: bool = True) -> int:
    """Write one record as `user`; returns its offset. Idempotent needs the right to write some topic at least."""
    async with AIOKafkaProducer(**login(stack, user), enable_idempotence=idempotent) as producer:
        record = await producer.send_and_wait(topic, b"{}", key=b"k")
        return int(record.offset)


async def read_first(stack: Stack, user: str, topic: str) -> bytes:
    async with AIOKafkaConsumer(**login(stack, user), auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(60):
            record = await consumer.getone()
        return bytes(record.value)


async def refused(stack: Stack, user: str, topic: str) -> None:
    """Check that `user` may not read `topic`. In a group: without one, aiokafka only logs it and tries for ever."""
    consumer = AIOKafkaConsumer(topic, **login(stack, user), group_id=f"{user}.curious")
    try:
        with pytest.raises(TopicAuthorizationFailedError):  # noqa: PT012 (either of the two may say it)
            await consumer.start()
            async with asyncio.timeout(60):
                await consumer.getone()
    finally:
        await consumer.stop()


async def test_an_institution_writes_its_own_topic(own_stack: Stack) -> None:
    assert await write(own_stack, "alfa", topics.inbound("alfa")) >= 0
    assert await read_first(own_stack, topics.REFERRALS, topics.inbound("alfa")) == b"{}"


async def test_not_anothers(own_stack: Stack) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await write(own_stack, "alfa", topics.inbound("beta"))


async def test_not_the_facts(own_stack: Stack) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await write(own_stack, "alfa", topics.FACTS)


async def test_it_reads_its_own_out_topic_only(own_stack: Stack) -> None:
    await write(own_stack, topics.REFERRALS, topics.outbound("alfa"))
    assert await read_first(own_stack, "alfa", topics.outbound("alfa")) == b"{}"
    await refused(own_stack, "beta", topics.outbound("alfa"))
    await refused(own_stack, "alfa", topics.inbound("alfa"))


async def test_a_group_of_its_own(own_stack: Stack) -> None:
    await write(own_stack, topics.REFERRALS, topics.outbound("alfa"))
    consumer = AIOKafkaConsumer(
        topics.outbound("alfa"),
        **login(own_stack, "alfa"),
        group_id="alfa.pages",
        auto_offset_reset="earliest",
    )
    async with consumer:
        async with asyncio.timeout(60):
            record = await consumer.getone()
        assert record.value == b"{}"
        await consumer.commit()


async def test_a_wrong_password_is_refused(own_stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    producer = AIOKafkaProducer(**login(own_stack, "alfa", "wrong"))
    try:
        # Tests that take Kafka away silence its client.
        with caplog.at_level(logging.ERROR, "aiokafka"), pytest.raises(KafkaConnectionError):
            await producer.start()
    finally:
        await producer.stop()
    assert "SaslAuthenticationFailed" in caplog.text  # aiokafka tells the reason in its log only


async def test_a_new_institution_is_provisioned_without_a_restart(own_stack: Stack, directory_file: Path) -> None:
    added = directory_file.read_text(encoding="utf-8").split("\n\n")[1].replace("alfa", "gamma")
    with directory_file.open("a", encoding="utf-8") as file:
        file.write(f"\n{added}\n")
    lines = await provision_topics(own_stack.target)
    assert "+ topic ruta.in.gamma.v1 (1 partitions)" in lines
    assert await write(own_stack, "gamma", topics.inbound("gamma")) == 0
    assert await provision_topics(own_stack.target) == []


async def test_a_leaver_loses_its_rights_and_the_services_keep_theirs(own_stack: Stack, directory_file: Path) -> None:
    offset = await write(own_stack, "beta", topics.inbound("beta"))
    await write(own_stack, topics.REFERRALS, topics.outbound("beta"))
    members = directory_file.read_text(encoding="utf-8")
    parts = members.split("\n\n")
    directory_file.write_text("\n\n".join(part for part in parts if 'code = "beta"' not in part), encoding="utf-8")
    lines = await provision_topics(own_stack.target)
    assert lines
    assert all(line.startswith("- beta may ") for line in lines)
    with pytest.raises(TopicAuthorizationFailedError):
        await write(own_stack, "beta", topics.inbound("beta"), idempotent=False)
    await refused(own_stack, "beta", topics.outbound("beta"))
    for service in (topics.REFERRALS, topics.AUDIT):
        assert await read_first(own_stack, service, topics.inbound("beta")) == b"{}"
    assert await write(own_stack, topics.REFERRALS, topics.outbound("beta")) >= 0
    directory_file.write_text(members, encoding="utf-8")
    assert all(line.startswith("+ beta may ") for line in await provision_topics(own_stack.target))
    assert await write(own_stack, "beta", topics.inbound("beta")) == offset + 1


async def connect(stack: Stack, user: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=stack.addresses.database_host,
        port=stack.addresses.database_port,
        database=stack.addresses.database_name,
        user=user,
        password=stack.state.secret(f"database/{user}"),
        ssl=False,
    )


async def test_a_service_sees_its_own_schema(own_stack: Stack) -> None:
    connection = await connect(own_stack, "referrals_app")
    try:
        assert await connection.fetchval("SHOW search_path") == "referrals"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE referrals.mine (x int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE public.mine (x int)")
        assert not await connection.fetchval("SELECT has_schema_privilege('audit', 'USAGE')")
        assert not await connection.fetchval("SELECT has_schema_privilege('audit_keys', 'USAGE')")
    finally:
        await connection.close()


@pytest.mark.parametrize("owner", ["referrals_owner", "audit_owner"])
async def test_an_owner_cannot_log_in(own_stack: Stack, owner: str) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await connect(own_stack, owner)
