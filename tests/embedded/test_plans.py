"""What provisioning would change, without Kafka and PostgreSQL."""

from dataclasses import replace
from pathlib import Path

import pytest

from contracts import topics
from contracts.directory import Directory, load
from deploy import provision_database, provision_kafka
from deploy.embedded.errors import StackError
from deploy.provision_kafka import Acl, Cluster, TopicSettings

MEMBERS = load(Path(__file__).with_name("institutions.toml"))
WANT = provision_kafka.wanted(MEMBERS)
NOTHING = Cluster({}, frozenset(), frozenset())


def test_an_empty_cluster_gets_everything() -> None:
    changes = provision_kafka.plan(WANT, NOTHING)
    assert changes.new_topics == WANT.topics
    assert frozenset(changes.new_passwords) == WANT.users
    assert frozenset(changes.new_acls) == WANT.acls
    assert changes.lines()


def test_a_finished_cluster_needs_nothing() -> None:
    changes = provision_kafka.plan(WANT, WANT)
    assert not changes
    assert changes.lines() == []


def test_differing_settings_are_mended_one_by_one() -> None:
    name = "ruta.in.alfa.v1"
    short = TopicSettings(1, (WANT.topics[name].settings - {("segment.ms", "86400000")}) | {("segment.ms", "1")})
    changes = provision_kafka.plan(WANT, replace(WANT, topics=WANT.topics | {name: short}))
    assert changes.changed_settings == {name: frozenset({("segment.ms", "86400000")})}
    assert changes.lines() == [f"~ topic {name}: segment.ms=86400000"]


def test_partitions_are_not_added_to_a_topic_in_use() -> None:
    fewer = replace(WANT.topics["ruta.facts.v1"], partitions=1)
    with pytest.raises(StackError, match=r"ruta\.facts\.v1 has 1 partitions instead of 6.*order"):
        provision_kafka.plan(WANT, replace(WANT, topics=WANT.topics | {"ruta.facts.v1": fewer}))


def test_more_partitions_than_asked_for_are_left_alone() -> None:
    more = replace(WANT.topics["ruta.alerts.v1"], partitions=9)
    assert not provision_kafka.plan(WANT, replace(WANT, topics=WANT.topics | {"ruta.alerts.v1": more}))


def test_rights_that_nobody_should_have_are_taken_away() -> None:
    gone = Acl("gamma", "write", "topic", "ruta.in.alfa.v1")
    foreign = Acl("gamma", "write", "topic", "another.systems.topic")
    changes = provision_kafka.plan(WANT, replace(WANT, acls=WANT.acls | {gone, foreign}))
    assert changes.old_acls == (gone,)


def test_a_leaver_loses_its_own_rights_and_nobody_else_any() -> None:
    left = provision_kafka.wanted(Directory(institutions=tuple(i for i in MEMBERS.institutions if i.code != "beta")))
    changes = provision_kafka.plan(left, WANT)
    assert set(changes.old_acls) == {
        Acl("beta", "write", "topic", "ruta.in.beta.v1"),
        Acl("beta", "read", "topic", "ruta.out.beta.v1"),
        Acl("beta", "read", "group", "beta"),
        Acl("beta", "read", "group", "beta.", prefix=True),
    }
    assert changes.new_acls == ()


def test_a_new_member_needs_no_right_of_a_service() -> None:
    before = provision_kafka.wanted(Directory(institutions=tuple(i for i in MEMBERS.institutions if i.code != "beta")))
    assert {acl.user for acl in provision_kafka.plan(WANT, before).new_acls} == {"beta"}


def test_services_reach_every_institutions_topics_by_prefix() -> None:
    of_services = {acl for acl in WANT.acls if acl.user in provision_kafka.SERVICES and acl.kind == "topic"}
    assert of_services == {
        Acl(topics.REFERRALS, "read", "topic", "ruta.in.", prefix=True),
        Acl(topics.REFERRALS, "write", "topic", "ruta.out.", prefix=True),
        Acl(topics.REFERRALS, "write", "topic", "ruta.in.desk.v1"),
        Acl(topics.REFERRALS, "write", "topic", topics.FACTS),
        Acl(topics.NOTIFICATIONS, "read", "topic", topics.FACTS),
        Acl(topics.NOTIFICATIONS, "write", "topic", topics.ALERTS),
        Acl(topics.AUDIT, "read", "topic", "ruta.in.", prefix=True),
        Acl(topics.AUDIT, "read", "topic", topics.FACTS),
        Acl(topics.AUDIT, "read", "topic", topics.ALERTS),
        Acl(topics.AUDIT, "describe", "topic", "ruta.", prefix=True),
    }


def test_institutions_have_rights_on_topics_by_name_only() -> None:
    members = {institution.code for institution in MEMBERS.institutions}
    assert not [acl for acl in WANT.acls if acl.user in members and acl.kind == "topic" and acl.prefix]


def test_a_user_whose_password_was_lost_gets_a_new_one() -> None:
    assert provision_kafka.plan(WANT, WANT, frozenset({"alfa"})).new_passwords == ("alfa",)


def test_only_the_owner_writes_an_inbound_topic() -> None:
    writers = {acl.user for acl in WANT.acls if (acl.operation, acl.name) == ("write", "ruta.in.alfa.v1")}
    assert writers == {"alfa"}
    readers = {acl.user for acl in WANT.acls if (acl.operation, acl.name) == ("read", "ruta.out.alfa.v1")}
    assert readers == {"alfa"}


def test_nobody_may_use_transactions() -> None:
    assert not [acl for acl in WANT.acls if acl.kind == "transactional_id"]


def test_inbound_topics_carry_the_brokers_time_and_no_codec() -> None:
    settings = dict(WANT.topics["ruta.in.alfa.v1"].settings)
    assert settings["message.timestamp.type"] == "LogAppendTime"
    assert settings["compression.type"] == "uncompressed"
    assert settings["retention.ms"] == str(14 * 86_400_000)


def test_an_empty_server_gets_roles_before_what_belongs_to_them() -> None:
    empty = provision_database.Existing({}, {}, frozenset(), {}, frozenset({"public"}), frozenset())
    changes = provision_database.plan(empty, dict.fromkeys(provision_database.LOGINS, "word"))
    texts = [change.text for change in changes]
    assert texts.index("+ role referrals_owner") < texts.index("+ schema referrals")
    assert "- everybody may connect" in texts
    assert not any("word" in text for text in texts)


def test_the_operator_cannot_read_the_keys() -> None:
    empty = provision_database.Existing({}, {}, frozenset(), {}, frozenset(), frozenset())
    changes = provision_database.plan(empty, dict.fromkeys(provision_database.LOGINS, "word"))
    grants = [change.statement for change in changes if provision_database.OPERATOR in change.statement]
    assert grants
    assert not any("audit_keys" in statement for statement in grants)
