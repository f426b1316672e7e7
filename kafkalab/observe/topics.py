"""Topics for tests: made ready before use, looked at without creating them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafkalab.brokers import Broker
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import (
        AdminClient,
        ClusterMetadata,
        ConfigEntry,
        TopicDescription,
    )

# Creating takes 20 ms on an idle broker; this is for a machine under heavy load.
ADMIN_LIMIT = 20.0


def topic_name(prefix: str, test: str, number: int) -> str:
    """A legal topic name that tells the run and the test it belongs to.

    It begins with the run's prefix (see `kafkalab.brokers.names`). Kafka takes letters,
    digits, `.`, `_` and `-`, at most 249; `.` and `_` are left out because names that
    differ only in them collide.
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", test.removeprefix("test_")).strip("-")
    return f"{prefix}{words[:180]}-{number}"


def create_topic(
    broker: Broker,
    admin: AdminClient,
    name: str,
    partitions: int,
    replicas: int,
    settings: Mapping[str, str],
) -> None:
    """Create a topic; on return every broker names every partition's leader, and each answers.

    The result of a creation says that the controller has decided, not that the
    brokers know: a client that looks at once can miss the topic. And a broker
    names itself as leader a moment before it serves the partition.

    Raises:
        KafkaException: the broker refused it.
        Expired: it was not everywhere within the limit.
    """
    from confluent_kafka.admin import NewTopic

    new = NewTopic(name, partitions, replicas, config=dict(settings))
    admin.create_topics([new], operation_timeout=ADMIN_LIMIT)[name].result(ADMIN_LIMIT)
    addresses = set(broker.bootstrap.split(","))
    known_to: set[str] = set()

    def ask_one_more() -> set[str]:
        look = look_at(admin if len(addresses) == 1 else _new_client(broker), name)
        if look.partitions == partitions:
            known_to.add(look.address)
        return known_to

    wait_until(
        ask_one_more,
        addresses.issubset,
        limit=ADMIN_LIMIT,
        what=f"every broker of {', '.join(addresses)} to know all partitions of {name}",
    )
    wait_until(
        lambda: _leaders_that_answer(admin, name, partitions),
        lambda count: count == partitions,
        limit=ADMIN_LIMIT,
        what=f"the leaders of all partitions of {name} to answer",
        # A matter of milliseconds, for each of a hundred topics of a run.
        interval=0.003,
    )


def _leaders_that_answer(admin: AdminClient, topic: str, partitions: int) -> int:
    """For how many partitions the leader tells the end offset, when it is asked once."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, each): end for each in range(partitions)}
    answers = admin.list_offsets(asked, request_timeout=ADMIN_LIMIT)
    return sum(refusal(future) is None for future in answers.values())


@dataclass(frozen=True)
class Look:
    """What one broker knows of a topic."""

    address: str
    """`host:port` of the broker that answered"""
    partitions: int
    """how many partitions have a leader; 0 when the topic is unknown there"""


def look_at(admin: AdminClient, topic: str) -> Look:
    """What the broker that answers knows of a topic.

    Asks for the whole list: asking for one topic by name would create it where
    the broker lets clients do so. A client asks any broker that it is connected
    to, whatever its bootstrap servers are: the answer tells which it was.
    """
    metadata = admin.list_topics(timeout=ADMIN_LIMIT)
    known = metadata.topics.get(topic)
    if known is None or known.error is not None:
        return Look(answered_by(metadata), 0)
    return Look(answered_by(metadata), sum(p.leader >= 0 for p in known.partitions.values()))


def answered_by(metadata: ClusterMetadata) -> str:
    """`host:port` of the broker that answered.

    librdkafka tells it as `host:port/id`, with `sasl_ssl://` before it where it is not plaintext.
    """
    return (metadata.orig_broker_name or "").rpartition("/")[0].rpartition("://")[2]


def partitions_with_leader(admin: AdminClient, topic: str) -> int:
    """How many partitions of the topic have a leader, as the broker that answers knows."""
    return look_at(admin, topic).partitions


def onlookers(broker: Broker) -> list[AdminClient]:
    """For each broker a client that is connected to it, and so asks it for now."""
    found: dict[str, AdminClient] = {}

    def connect_one_more() -> set[str]:
        client = _new_client(broker)
        metadata = client.list_topics(timeout=ADMIN_LIMIT)
        # A connection made for bootstrapping is given up later; one to a known node lasts.
        if metadata.orig_broker_id >= 0:
            found.setdefault(answered_by(metadata), client)
        return set(found)

    wait_until(
        connect_one_more,
        set(broker.bootstrap.split(",")).issubset,
        limit=ADMIN_LIMIT,
        what="a client for each broker",
    )
    return list(found.values())


def look_everywhere(broker: Broker, clients: Sequence[AdminClient], topic: str) -> list[Look]:
    """What each broker knows of a topic just now.

    The clients, one for each broker, are connected already and so are the
    quickest to ask. Where another broker than theirs answers all the same, new
    clients are asked until each broker has told.
    """
    looks = [look_at(client, topic) for client in clients]
    addresses = set(broker.bootstrap.split(","))

    def ask_one_more() -> set[str]:
        if addresses != {look.address for look in looks}:
            looks.append(look_at(_new_client(broker), topic))
        return {look.address for look in looks}

    wait_until(
        ask_one_more,
        addresses.issubset,
        limit=ADMIN_LIMIT,
        what=f"an answer of each of {', '.join(addresses)}",
    )
    return looks


def _new_client(broker: Broker) -> AdminClient:
    from confluent_kafka.admin import AdminClient

    return AdminClient(dict(broker.client_properties()))


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
