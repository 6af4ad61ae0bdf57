"""Kafka as the contracts say it should be: topics, SCRAM users and ACLs. Planned (pure), then applied.

Everything is denied unless an ACL made here allows it. Writers need no IdempotentWrite: since Kafka 3.0 the right to
write any topic is enough for an idempotent producer. Nobody gets a transactional id, so offsets have no holes.

Institutions have rights by the name of their topic, services by prefix: a reader of a pattern that loses one of its
topics stops for all, so who comes or leaves changes nothing for the services.
"""

# mypy: disable-error-code="attr-defined"
# (confluent_kafka.admin re-exports these names without listing them)

from collections.abc import Iterable, Set
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from contracts.directory import Directory
from contracts.topics import AUDIT, NOTIFICATIONS, OPERATOR, PREFIX, REFERRALS, Topic, owner, provisioned
from deploy.embedded.errors import StackError

SERVICES = (REFERRALS, NOTIFICATIONS, AUDIT)
_TIMEOUT = 30  # seconds for one request of the plan
_DAY = 86_400_000  # ms
# The iteration count that Kafka itself uses when none is given; a client pays it at every login.
_SCRAM = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)


@dataclass(frozen=True, order=True)
class Acl:
    """A right that one user has. `kind` is topic, group or broker (the cluster); a prefix covers longer names too."""

    user: str
    operation: str
    kind: str
    name: str
    prefix: bool = False

    def __str__(self) -> str:
        return f"{self.user} may {self.operation} {self.kind} {self.name}{'*' if self.prefix else ''}"


_BY_PREFIX = frozenset(
    {
        Acl(REFERRALS, "read", "topic", f"{PREFIX}in.", prefix=True),
        Acl(REFERRALS, "write", "topic", f"{PREFIX}out.", prefix=True),
        Acl(AUDIT, "read", "topic", f"{PREFIX}in.", prefix=True),
        # The audit log notices topics that nobody told it about.
        Acl(AUDIT, "describe", "topic", PREFIX, prefix=True),
    }
)
"""What services may do with the topics of every institution, members or not."""


@dataclass(frozen=True)
class TopicSettings:
    """One topic: its partitions and the settings that we decide (Kafka's names, values as text)."""

    partitions: int
    settings: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Cluster:
    """What a cluster has, or should have."""

    topics: dict[str, TopicSettings]
    users: frozenset[str]
    acls: frozenset[Acl]


@dataclass(frozen=True)
class KafkaPlan:
    """What has to change; nothing to do when it is false. Topics and users are never deleted, rights are."""

    new_topics: dict[str, TopicSettings]
    changed_settings: dict[str, frozenset[tuple[str, str]]]
    new_passwords: tuple[str, ...]
    new_acls: tuple[Acl, ...]
    old_acls: tuple[Acl, ...]

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def lines(self) -> list[str]:
        """The plan for people, one change per line."""
        return [
            *(f"+ topic {name} ({topic.partitions} partitions)" for name, topic in self.new_topics.items()),
            *(
                f"~ topic {name}: " + ", ".join(f"{key}={value}" for key, value in sorted(settings))
                for name, settings in self.changed_settings.items()
            ),
            *(f"+ user {name}" for name in self.new_passwords),
            *(f"+ {acl}" for acl in self.new_acls),
            *(f"- {acl}" for acl in self.old_acls),
        ]


def wanted(directory: Directory) -> Cluster:
    """What the contracts ask for with this directory."""
    topics = provisioned(directory)
    users = (*SERVICES, *(institution.code for institution in directory.institutions))
    return Cluster(
        topics={topic.name: TopicSettings(topic.partitions, _settings(topic)) for topic in topics},
        users=frozenset((*users, OPERATOR)),
        acls=frozenset(_acls(topics, users)),
    )


def plan(want: Cluster, have: Cluster, without_password: frozenset[str] = frozenset()) -> KafkaPlan:
    """The difference. `without_password`: users whose password we do not hold, so that they need a new one.

    Rights on topics that begin with `ruta.` belong to the contracts: others are taken away. An institution that left
    the directory loses its own, those on its groups too. Everything else on a shared cluster is left alone.
    Raises StackError for a topic with too few partitions.
    """
    known = want.topics.keys() & have.topics.keys()
    for name in sorted(known):
        if want.topics[name].partitions > have.topics[name].partitions:
            raise StackError(
                f"{name} has {have.topics[name].partitions} partitions instead of {want.topics[name].partitions}. "
                "They are not added to a topic in use: keys would move to other partitions and lose their order. "
                "Make the topic anew once everybody has read it."
            )
    unwanted = have.acls - want.acls
    leavers = {acl.user for acl in unwanted if acl.kind == "topic" and owner(acl.name) == acl.user} - want.users
    return KafkaPlan(
        new_topics={name: topic for name, topic in want.topics.items() if name not in have.topics},
        changed_settings={
            name: changed
            for name in sorted(known)
            if (changed := want.topics[name].settings - have.topics[name].settings)
        },
        new_passwords=tuple(sorted((want.users - have.users) | (want.users & without_password))),
        new_acls=tuple(sorted(want.acls - have.acls)),
        old_acls=tuple(sorted(acl for acl in unwanted if _ours(acl, leavers))),
    )


def admin_client(bootstrap: str, user: str, password: str, ca_file: Path | None = None) -> AdminClient:
    """A client that logs in by SCRAM and keeps quiet while the broker is away. ``ca_file`` turns TLS on."""
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_SSL" if ca_file else "SASL_PLAINTEXT",
        **({"ssl.ca.location": str(ca_file)} if ca_file else {}),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": user,
        "sasl.password": password,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "log_level": 0,
        "error_cb": lambda error: None,  # the requests raise; without this the library prints
    }
    return AdminClient(settings)


def read(client: AdminClient, topics: Iterable[str]) -> Cluster:
    """What the cluster has, as far as the plan is concerned. Blocking. Raises KafkaException."""
    listed = client.list_topics(timeout=_TIMEOUT).topics
    present = {name: len(listed[name].partitions) for name in topics if name in listed}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in present]
    described = client.describe_configs(resources, request_timeout=_TIMEOUT) if resources else {}
    settings = {
        resource.name: frozenset((entry.name, str(entry.value)) for entry in future.result().values())
        for resource, future in described.items()
    }
    users: Any = client.describe_user_scram_credentials(None, request_timeout=_TIMEOUT)
    acls = client.describe_acls(_every_acl(), request_timeout=_TIMEOUT)
    return Cluster(
        topics={name: TopicSettings(count, settings[name]) for name, count in present.items()},
        users=frozenset(users.result()),
        acls=frozenset(_from_binding(acl) for acl in acls.result() if acl.permission_type == AclPermissionType.ALLOW),
    )


def apply(client: AdminClient, changes: KafkaPlan, passwords: dict[str, str]) -> None:
    """Make the changes. `passwords` has one for every user of `new_passwords`. Blocking. Raises KafkaException."""
    _wait(
        client.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, _SCRAM, passwords[user].encode()) for user in changes.new_passwords]
        )
        if changes.new_passwords
        else {}
    )
    # A right may name a topic that is not there yet. Old rights go last: who gets another for one is never without.
    _wait(client.create_acls([_to_binding(acl) for acl in changes.new_acls]) if changes.new_acls else {})
    _wait(client.delete_acls([_to_filter(acl) for acl in changes.old_acls]) if changes.old_acls else {})
    topics = [
        NewTopic(name, num_partitions=topic.partitions, replication_factor=-1, config=dict(topic.settings))
        for name, topic in changes.new_topics.items()
    ]
    _wait(client.create_topics(topics) if topics else {})
    altered = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings
            ],
        )
        for name, settings in changes.changed_settings.items()
    ]
    _wait(client.incremental_alter_configs(altered) if altered else {})


def _wait(results: dict[Any, Future[Any]]) -> None:
    for future in results.values():
        future.result(_TIMEOUT)


def _settings(topic: Topic) -> frozenset[tuple[str, str]]:
    return frozenset(
        {
            "cleanup.policy": "delete",
            "retention.ms": str(round(topic.retention.total_seconds() * 1000)),
            # Kafka deletes whole closed segments: with the default of a week, records would live a week longer.
            "segment.ms": str(_DAY),
            "max.message.bytes": str(topic.max_message_bytes),
            "message.timestamp.type": "LogAppendTime" if topic.log_append_time else "CreateTime",
            "compression.type": "uncompressed" if topic.uncompressed else "producer",
        }.items()
    )


def _acls(topics: Iterable[Topic], users: Iterable[str]) -> Iterable[Acl]:
    yield from _BY_PREFIX
    for topic in topics:
        rights = (*((writer, "write") for writer in topic.writers), *((reader, "read") for reader in topic.readers))
        for user, operation in rights:
            if not _has_by_prefix(user, operation, topic.name):
                yield Acl(user, operation, "topic", topic.name)
    for user in users:
        yield Acl(user, "read", "group", user)
        # A code has no dot, so no user's prefix covers another's groups.
        yield Acl(user, "read", "group", f"{user}.", prefix=True)
    for service in SERVICES:
        yield Acl(service, "describe", "broker", "kafka-cluster")


def _has_by_prefix(user: str, operation: str, topic: str) -> bool:
    return any((acl.user, acl.operation) == (user, operation) and topic.startswith(acl.name) for acl in _BY_PREFIX)


def _ours(acl: Acl, leavers: Set[str]) -> bool:
    if acl.kind == "group":
        return acl.user in leavers and acl.name in (acl.user, f"{acl.user}.")
    return acl.kind == "topic" and acl.name.startswith(PREFIX)


def _pattern(acl: Acl) -> ResourcePatternType:
    return ResourcePatternType.PREFIXED if acl.prefix else ResourcePatternType.LITERAL


def _to_binding(acl: Acl) -> AclBinding:
    kind, operation = ResourceType[acl.kind.upper()], AclOperation[acl.operation.upper()]
    principal = f"User:{acl.user}"
    return AclBinding(kind, acl.name, _pattern(acl), principal, "*", operation, AclPermissionType.ALLOW)


def _to_filter(acl: Acl) -> AclBindingFilter:
    kind, operation = ResourceType[acl.kind.upper()], AclOperation[acl.operation.upper()]
    principal = f"User:{acl.user}"
    return AclBindingFilter(kind, acl.name, _pattern(acl), principal, "*", operation, AclPermissionType.ALLOW)


def _from_binding(acl: Any) -> Acl:
    return Acl(
        user=acl.principal.removeprefix("User:"),
        operation=acl.operation.name.lower(),
        kind=acl.restype.name.lower(),
        name=acl.name,
        prefix=acl.resource_pattern_type == ResourcePatternType.PREFIXED,
    )


def _every_acl() -> AclBindingFilter:
    anything: Any = None  # the annotations forget that a filter's names may be absent
    return AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
