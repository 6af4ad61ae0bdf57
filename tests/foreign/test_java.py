"""Kafka's own Java client with printed credentials, and Java's reading of the AsyncAPI document."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts import topics
from contracts.asyncapi import document
from contracts.generate import ASYNCAPI
from tests.foreign import jdk
from tests.foreign.credentials import librdkafka
from tests.foreign.rdkafka import answers_to, answers_to_ids
from tests.support import builders as make
from tests.support import hostile

IN, OUT = topics.inbound(make.SENDER), topics.outbound(make.SENDER)

Credentials = Callable[[str, str], str]


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jdk.compiled(jdk.SOURCES / "Stranger.java", tmp_path_factory.mktemp("classes"))


@pytest.fixture
def properties(classes: Path, credentials: Credentials, tmp_path: Path) -> str:
    file = tmp_path / "client.properties"
    file.write_text(credentials(make.SENDER, "java"), "utf-8")
    return str(file)


@pytest.mark.parametrize(
    "way",
    [
        (),
        ("enable.idempotence=false", "acks=1"),
        ("enable.idempotence=false", "acks=0"),
        *((f"compression.type={codec}",) for codec in ("gzip", "snappy", "lz4", "zstd")),
        ("partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner",),
    ],
    ids=lambda way: " ".join(way) or "as it comes",
)
def test_a_declaration_is_applied_and_its_fact_read_back(classes: Path, properties: str, way: tuple[str, ...]) -> None:
    declared = hostile.request()
    sent = jdk.run(classes, "Stranger", "send", properties, IN, *way, given=jdk.line(hostile.sent(declared)))
    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.startswith("0 ")
    read = jdk.run(classes, "Stranger", "read", properties, OUT, str(declared.envelope.id))
    assert read.returncode == 0, read.stderr
    fact = jdk.records(read.stdout)[-1]
    assert fact.key == str(declared.envelope.referral).encode()
    assert dict(fact.headers)["ce_type"] == b"co.ruta.fact.requested.v1"
    data = json.loads(fact.value or b"")
    assert (data["cause"]["event"], data["state"]) == (str(declared.envelope.id), "requested")


def test_every_bad_record_gets_its_answer(classes: Path, properties: str, credentials: Credentials) -> None:
    cases = list(hostile.cases())
    given = "\n".join(jdk.line(case.sent) for case in cases)
    sent = jdk.run(classes, "Stranger", "send", properties, IN, "max.request.size=2000000", given=given)
    assert sent.returncode == 0, sent.stderr
    offsets = [int(line.split()[1]) for line in sent.stdout.splitlines()]
    facts = answers_to(librdkafka(credentials(make.SENDER, "env")), OUT, IN, offsets)
    got = {case.name: fact.code for case, fact in zip(cases, facts, strict=True)}
    assert got == {case.name: (case.outcome, case.reason) for case in cases}


def test_a_transaction_and_a_foreign_topic_are_refused(classes: Path, properties: str) -> None:
    begun = jdk.run(classes, "Stranger", "transaction", properties, IN)
    assert (begun.returncode, begun.stderr.split()[-1]) == (1, "TransactionalIdAuthorizationException")
    given = jdk.line(hostile.sent(hostile.request()))
    sent = jdk.run(classes, "Stranger", "send", properties, topics.inbound(make.RECIPIENT), given=given)
    assert (sent.returncode, sent.stderr.split()[-1]) == (1, "TopicAuthorizationException")
    read = jdk.run(classes, "Stranger", "read", properties, topics.outbound(make.RECIPIENT), "x")
    assert (read.returncode, read.stderr.split()[-1]) == (1, "TopicAuthorizationException")


def test_what_java_sends_and_librdkafka_reads_is_one_and_the_same(
    classes: Path, properties: str, credentials: Credentials
) -> None:
    declared = hostile.request()
    line = jdk.line(hostile.sent(declared))
    sent = jdk.run(classes, "Stranger", "send", properties, IN, given=f"{line}\n{line}")
    offsets = [int(one.split()[1]) for one in sent.stdout.splitlines()]
    login = librdkafka(credentials(make.SENDER, "env"))
    assert [fact.code[0] for fact in answers_to(login, OUT, IN, offsets)] == ["applied", "duplicate"]
    assert answers_to_ids(login, OUT, [declared.envelope.id])


def test_the_asyncapi_yaml_reads_as_the_document(tmp_path: Path) -> None:
    printed = jdk.run(jdk.compiled(jdk.SOURCES / "Yaml.java", tmp_path), "Yaml", str(ASYNCAPI))
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == document()
