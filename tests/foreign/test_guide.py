"""The guide for an institution's developer: its tables are true, and each of its programs runs as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka import Consumer, TopicPartition

import contracts
from contracts import codec, labels, sealing, topics
from contracts import envelope as ce
from contracts.declarations import BODIES
from contracts.directory import load
from contracts.values import Problem, Refusal
from deploy.embedded.stack import Stack
from deploy.embedded.state import CHECKOUT
from deploy.keys import key_folder
from tests.foreign import jdk
from tests.foreign.credentials import librdkafka, variables
from tests.foreign.rdkafka import answers, texts

GUIDE = (Path(contracts.__file__).parent / "README.md").read_text("utf-8")
SNIPPETS = dict(re.findall(r"<!-- snippet: ([\w-]+) -->\n```\w+\n(.*?)```", GUIDE, re.DOTALL))
GIRON, ICBF = "personeria-giron", "icbf-santander"
CONTENT = '{"nombres": "Persona de Ejemplo", "relato": "Texto inventado."}'

Credentials = Callable[[str, str], str]
Request = Callable[[], tuple[UUID, UUID]]


def rows(first_cell: str) -> list[list[str]]:
    """The cells of the table rows whose first cell begins so."""
    lines = [line for line in GUIDE.splitlines() if line.startswith(f"| {first_cell}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """The output of a program that knows only these variables beside PATH."""
    done = subprocess.run(
        command, cwd=folder, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def request_by_snippet(running: Stack, credentials: Credentials, tmp_path: Path) -> Request:
    """Runs the guide's first program: a new referral to the ICBF, and its need."""

    def request() -> tuple[UUID, UUID]:
        environment = variables(credentials(GIRON, "env"))
        printed = run([sys.executable, "-c", SNIPPETS["python"]], tmp_path, environment)
        kind, referral, said_need, state = printed.split()
        assert (kind, state) == ("co.ruta.fact.requested.v1", "requested")
        login = librdkafka(credentials(ICBF, "env"))

        def arrived(facts: list[Any]) -> bool:
            return any(fact.headers.get("ce_subject") == referral for fact in facts)

        facts = answers(login, topics.outbound(ICBF), arrived)
        (need,) = {fact.headers["ce_correlationid"] for fact in facts if fact.headers.get("ce_subject") == referral}
        assert need == said_need
        return UUID(referral), UUID(need)

    return request


def test_python_without_our_code_asks_and_opens(
    running: Stack, request_by_snippet: Request, credentials: Credentials, tmp_path: Path
) -> None:
    referral, _ = request_by_snippet()
    sealed = tmp_path / "sealed.json"
    sealed.write_bytes(sealed_record(librdkafka(credentials(ICBF, "env")), referral))
    key = key_folder(running.target) / f"{ICBF}.jwk"
    environment = {"RUTA_PRIVATE_KEY": str(key), "SEALED": str(sealed), "REFERRAL": str(referral)}
    assert run([sys.executable, "-c", SNIPPETS["python-open"]], tmp_path, environment).strip() == CONTENT


def test_python_with_our_sdk(
    running: Stack, request_by_snippet: Request, credentials: Credentials, tmp_path: Path
) -> None:
    referral, need = request_by_snippet()
    environment = variables(credentials(ICBF, "env")) | {
        "REFERRAL": str(referral), "NEED": str(need), "PYTHONPATH": str(CHECKOUT),
    }  # fmt: skip
    printed = run([sys.executable, "-c", SNIPPETS["python-sdk"]], tmp_path, environment)
    assert printed.splitlines() == [f"applied {referral}", CONTENT]


def test_java(request_by_snippet: Request, credentials: Credentials, tmp_path: Path) -> None:
    source = tmp_path / "Received.java"
    source.write_text(SNIPPETS["java"], "utf-8")
    classes = jdk.compiled(source, tmp_path)
    properties = tmp_path / "client.properties"
    properties.write_text(credentials(ICBF, "java"), "utf-8")
    referral, need = request_by_snippet()
    done = jdk.run(classes, "Received", str(properties), str(referral), str(need))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("co.ruta.fact.received.v1 ")


def test_kcat(request_by_snippet: Request, credentials: Credentials, tmp_path: Path) -> None:
    version = kcat_version()
    if version < (2, 6, 1):
        pytest.skip(f"kcat here has librdkafka {version}: before 2.6.1 it cannot log in to Kafka 4")
    (tmp_path / "kcat.conf").write_text(credentials(ICBF, "kcat"), "utf-8")
    referral, need = request_by_snippet()
    printed = run(["sh", "-euc", SNIPPETS["kcat"]], tmp_path, {"REFERRAL": str(referral), "NEED": str(need)})
    assert "ce_type=co.ruta.fact.received.v1" in printed
    assert f"ce_subject={referral}" in printed


def test_an_old_kcat_cannot_log_in(credentials: Credentials, tmp_path: Path) -> None:
    """What the guide says of librdkafka before 2.6.1."""
    version = kcat_version()
    if version >= (2, 6, 1):
        pytest.skip(f"kcat here has librdkafka {version}, which can log in")
    (tmp_path / "kcat.conf").write_text(credentials(ICBF, "kcat"), "utf-8")
    done = subprocess.run(
        ["kcat", "-F", "kcat.conf", "-L", "-m", "10"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "invalid credentials" in done.stderr


def kcat_version() -> tuple[int, ...]:
    """The librdkafka of the kcat on PATH. Skips the test where there is none."""
    kcat = shutil.which("kcat")
    if kcat is None:
        pytest.skip("no kcat on PATH: install one with librdkafka 2.6.1 or later to run it")
    printed = subprocess.run([kcat, "-V"], capture_output=True, text=True, check=True).stdout
    print(printed)
    (found,) = re.findall(r"librdkafka (\d+)\.(\d+)\.(\d+)", printed)
    return tuple(int(number) for number in found)


def sealed_record(login: dict[str, Any], referral: UUID) -> bytes:
    """The value of the sealed record of a referral."""
    consumer = Consumer({**login, "group.id": ICBF, "enable.auto.commit": False, "log_level": 0})
    consumer.assign([TopicPartition(topics.outbound(ICBF), 0, 0)])
    try:
        for _ in range(10_000):
            message = consumer.poll(60)
            assert message is not None, "no sealed record"
            headers = texts(message)
            if (headers["ce_type"], headers.get("ce_subject")) == ("co.ruta.sealed.v1", str(referral)):
                return bytes(message.value() or b"")
    finally:
        consumer.close()
    raise AssertionError("no sealed record")


def test_every_program_of_the_guide_has_a_test() -> None:
    assert SNIPPETS.keys() == {"python", "python-open", "python-sdk", "kcat", "java"}
    assert GUIDE.count("```") == 2 * (len(SNIPPETS) + 1), "one block, of commands, is no program"


@pytest.mark.parametrize("codes", [Refusal, Problem])
def test_every_code_stands_in_the_guide_with_its_label(codes: type[StrEnum]) -> None:
    for code in codes:
        assert [f"`{code}`", labels.label(code)] in rows(f"`{code}`"), code
    listed = GUIDE[GUIDE.index("## Codes") :].count("\n| `")
    assert listed == len(Refusal) + len(Problem)


def test_the_headers_and_verbs_are_those_of_the_contract() -> None:
    cells = [(cell[0], cell[2]) for cell in (*rows("`ce_"), *rows("`content-type`"), *rows("`traceparent`"))]
    told = [(name, need) for names, need in cells for name in re.findall(r"`([a-z_-]+)`", names)]
    assert {name for name, need in told if need == "required"} == set(ce.REQUIRED)
    assert {name for name, need in told if need == "optional"} == {*ce.OPTIONAL, ce.TRACEPARENT}
    (verbs,) = re.findall(r"Supported verbs: (.*?)\.\n", GUIDE, re.DOTALL)
    assert re.findall(r"`([a-z-]+)`", verbs) == list(BODIES)
    outcomes = re.findall(r"\| `co\.ruta\.fact\.([a-z<>]+)\.v1` \| (\w+)", GUIDE)
    assert outcomes == [
        ("<verb>", "applied"),
        *((o, o) for o in ("refused", "duplicate", "conflict", "quarantined", "parked")),
    ]


def test_the_limits_are_those_of_the_contract() -> None:
    flat = " ".join(GUIDE.split())
    provisioned = {topic.name: topic for topic in topics.provisioned(load())}
    assert f"at most {codec.MAX_VALUE_BYTES // 1024} KiB" in flat
    assert f"At most {sealing.MAX_CONTENT_BYTES:,} bytes of content" in flat
    assert f"at most {ce.MAX_HEADER_BYTES} bytes" in flat
    assert f"at most {codec.MAX_AHEAD.seconds // 60} minutes ahead of receipt, {codec.MAX_BEHIND.days} days" in flat
    for name in (topics.inbound(GIRON), topics.outbound(GIRON)):
        assert provisioned[name].partitions == 1
        assert f"`in` and `out` keep {provisioned[name].retention.days} days" in flat


def test_every_file_that_the_guide_names_is_there() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        assert (Path(contracts.__file__).parent / target).exists(), target


def test_the_version_is_the_contracts() -> None:
    assert f"This is version {contracts.CONTRACT_VERSION}." in GUIDE
