"""Members of a group: what their own code raises is told, and they leave whatever it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.fixtures import LAB_CLIENT, LAB_CONSUMER
from kafkalab.observe.groups import EAGER, Members, describe_group

GROUP = "some-group"


@pytest.fixture
def admin(real_broker: EmbeddedBroker) -> AdminClient:
    return AdminClient(real_broker.client_properties())


@pytest.fixture
def team(real_broker: EmbeddedBroker, admin: AdminClient) -> Iterator[Members]:
    """A group on the topic `seen`, without members yet."""
    config = {**real_broker.client_properties(), **LAB_CLIENT, **LAB_CONSUMER, **EAGER}
    members = Members(admin, GROUP, ["seen"], 3, config)
    yield members
    members.close()


def refused_commit(consumer: Consumer, _: list[TopicPartition]) -> None:
    """A commit of a topic that there is not: the client raises the broker's refusal."""
    consumer.commit(offsets=[TopicPartition("no-such-topic", 0, 1)], asynchronous=False)


def test_what_a_listener_raises_ends_its_member_and_is_told(
    team: Members, admin: AdminClient
) -> None:
    """An error in a callback is raised where the member is closed, and the member has left."""
    member = team.grow(on_revoke=refused_commit)
    team.wait_for_stable()

    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        team.shrink(member)

    assert describe_group(admin, GROUP).assignments == ()


def test_what_a_listener_raises_is_told_to_who_waits(team: Members) -> None:
    """An error in a callback is raised where the group is waited for: it may never be stable."""
    team.grow(on_assign=refused_commit)

    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC_OR_PART"):
        team.wait_for_stable()


def test_when_the_lesson_is_over_listeners_are_told_nothing(
    team: Members, admin: AdminClient
) -> None:
    """Members that are dismissed leave without a word to their own code, which could fail now."""
    told: list[str] = []
    for _ in range(2):
        team.grow(on_revoke=lambda *_: told.append("revoked"))
    team.wait_for_stable()
    # The first may have given something up to the second.
    before = list(told)

    team.close()

    assert told == before
    assert describe_group(admin, GROUP).assignments == ()
