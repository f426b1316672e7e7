"""Topics for tests: made ready before use, looked at without creating them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from kafkalab.brokers import Broker
from kafkalab.observe.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient, ConfigEntry, TopicDescription

# Creating takes 20 ms on an idle broker; this is for a machine under heavy load.
ADMIN_LIMIT = 20.0


def topic_name(test: str, run: str, number: int) -> str:
    """A legal topic name that tells the test and the run it belongs to.

    Kafka takes letters, digits, `.`, `_` and `-`, at most 249; `.` and `_` are
    left out because names that differ only in them collide.
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", test.removeprefix("test_")).strip("-")
    return f"{words[:200]}-{run[:6]}-{number}"


def create_topic(
    broker: Broker,
    admin: AdminClient,
    name: str,
    partitions: int,
    replicas: int,
    settings: Mapping[str, str],
) -> None:
    """Create a topic; on return every broker names every partition with a leader.

    The result of a creation says that the controller has decided, not that the
    brokers know: a client that looks at once can miss the topic.

    Raises:
        KafkaException: the broker refused it.
        Expired: it was not everywhere within the limit.
    """
    from confluent_kafka.admin import NewTopic

    new = NewTopic(name, partitions, replicas, config=dict(settings))
    admin.create_topics([new], operation_timeout=ADMIN_LIMIT)[name].result(ADMIN_LIMIT)
    for address in broker.bootstrap.split(","):
        known_to = admin if address == broker.bootstrap else _admin_of_one(broker, address)
        wait_until(
            partial(partitions_with_leader, known_to, name),
            lambda ready: ready == partitions,
            limit=ADMIN_LIMIT,
            what=f"all partitions of {name} to have a leader, as {address} sees it",
        )


def _admin_of_one(broker: Broker, address: str) -> AdminClient:
    """A client that asks this one node for metadata: it connects to no other."""
    from confluent_kafka.admin import AdminClient

    return AdminClient({**broker.client_properties(), "bootstrap.servers": address})


def partitions_with_leader(admin: AdminClient, topic: str) -> int:
    """How many partitions of the topic have a leader, as the asked broker knows; 0 if unknown.

    Asks for the whole list: asking for one topic by name would create it where
    the broker lets clients do so.
    """
    known = admin.list_topics(timeout=ADMIN_LIMIT).topics.get(topic)
    if known is None or known.error is not None:
        return 0
    return sum(partition.leader >= 0 for partition in known.partitions.values())


def describe_topic(admin: AdminClient, name: str) -> TopicDescription:
    """The topic as the broker describes it; looking creates nothing.

    Raises:
        KafkaException: UNKNOWN_TOPIC_OR_PART where there is none.
    """
    from confluent_kafka import TopicCollection

    asked = admin.describe_topics(TopicCollection([name]), request_timeout=ADMIN_LIMIT)
    description: TopicDescription = asked[name].result(ADMIN_LIMIT)
    return description


def topic_id(admin: AdminClient, name: str) -> str | None:
    """The id that the topic got when it was created; a later one has another (KIP-516).

    None where there is no such topic.
    """
    from confluent_kafka import KafkaError, KafkaException

    try:
        return str(describe_topic(admin, name).topic_id)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def refusal(future: Future[Any]) -> KafkaError | None:
    """The error with which the broker refused a request; None when it was done."""
    from confluent_kafka import KafkaException

    try:
        future.result(ADMIN_LIMIT)
    except KafkaException as error:
        refused: KafkaError = error.args[0]
        return refused
    return None


def settings_of(admin: AdminClient, topic: str) -> dict[str, ConfigEntry]:
    """All settings of a topic, each with its value and its source."""
    from confluent_kafka.admin import ConfigResource, ResourceType

    resource = ConfigResource(ResourceType.TOPIC, topic)
    asked = admin.describe_configs([resource], request_timeout=ADMIN_LIMIT)
    entries: dict[str, ConfigEntry] = asked[resource].result(ADMIN_LIMIT)
    return entries


def grow(admin: AdminClient, topic: str, partitions: int) -> None:
    """Add partitions to a topic; on return they have leaders."""
    from confluent_kafka.admin import NewPartitions

    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(ADMIN_LIMIT)
    wait_until(
        lambda: partitions_with_leader(admin, topic),
        lambda ready: ready == partitions,
        limit=ADMIN_LIMIT,
        what=f"{topic} to have {partitions} partitions with a leader",
    )
