"""Topics for tests: make them ready before use, and look at them without creating them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafkalab.brokers import Broker
from kafkalab.contracts.topics import REQUEST_LIMIT
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigEntry, TopicDescription

LEGAL_NAME = r"^(?:\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]*|\.{3}[A-Za-z0-9._-]*)$"
"""Letters, digits, dots, underscores and hyphens, but neither `.` nor `..` (Kafka's
Topic.validate). The pattern means the same in all dialects of regular expressions."""
LONGEST_NAME = 249

# Seconds. Creating takes 20 ms on an idle broker; this is for a machine under heavy load.
ADMIN_LIMIT = 20.0


def topic_name(prefix: str, test: str, number: int) -> str:
    """A legal topic name that names the run and the test it belongs to.

    It begins with the run's prefix (see `kafkalab.brokers.names`). Kafka allows letters,
    digits, `.`, `_` and `-`, at most 249; `.` and `_` are left out because names that
    differ only in them collide.
    """
    words = re.sub(r"[^A-Za-z0-9]+", "-", test.removeprefix("test_")).strip("-")
    return f"{prefix}{words[:180]}-{number}"


def is_legal_name(name: str) -> bool:
    """Whether a topic can have this name."""
    return len(name) <= LONGEST_NAME and re.fullmatch(LEGAL_NAME, name) is not None


def is_internal(name: str) -> bool:
    """Whether a topic of this name is one of Kafka's own."""
    return name.startswith("__")


def names_of(admin: AdminClient, *, limit: float = REQUEST_LIMIT) -> list[str]:
    """The names of all topics, sorted, with Kafka's own.

    Raises:
        KafkaException: the cluster does not answer within the limit, in seconds.
    """
    return sorted(admin.list_topics(timeout=limit).topics)


def create_topic(
    broker: Broker,
    admin: AdminClient,
    name: str,
    partitions: int,
    replicas: int,
    settings: Mapping[str, str],
) -> None:
    """Create a topic; on return every broker names every partition's leader, and each answers.

    The result of a creation means that the controller has decided. The brokers learn of
    it later: a client that looks at once can miss the topic. And a broker names itself as
    leader a little before it serves the partition.

    Raises:
        KafkaException: the broker refused it.
        Expired: not every broker knew and served the topic within ADMIN_LIMIT.
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
    wait_until_leaders_answer(admin, name, partitions)


def wait_until_leaders_answer(admin: AdminClient, topic: str, partitions: int) -> None:
    """Wait until each partition's leader serves it: brokers name a leader a little earlier.

    Raises:
        Expired: they did not within ADMIN_LIMIT.
    """
    wait_until(
        lambda: _leaders_that_answer(admin, topic, partitions),
        lambda count: count == partitions,
        limit=ADMIN_LIMIT,
        what=f"the leaders of all partitions of {topic} to answer",
        # It takes milliseconds, and a run has about a hundred topics.
        interval=0.003,
    )


def _leaders_that_answer(admin: AdminClient, topic: str, partitions: int) -> int:
    """Ask each leader once for the end offset; return how many answer."""
    from confluent_kafka import TopicPartition
    from confluent_kafka.admin import OffsetSpec

    end = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, each): end for each in range(partitions)}
    answers = admin.list_offsets(asked, request_timeout=ADMIN_LIMIT).values()
    # Without a leader the client may report no error, but the offset -1001.
    return sum(refusal(each) is None and each.result().offset >= 0 for each in answers)


@dataclass(frozen=True)
class Look:
    """What one broker knows of a topic."""

    address: str
    """`host:port` of the broker that answered"""
    partitions: int
    """how many partitions have a leader; 0 when the topic is unknown there"""


def look_at(admin: AdminClient, topic: str) -> Look:
    """What the broker that answers knows of a topic.

    It asks for the list of all topics: to ask for one topic by name would create it on a
    broker that lets clients do so. A client may ask any broker that it is connected to;
    the answer names the one that it asked.
    """
    metadata = admin.list_topics(timeout=ADMIN_LIMIT)
    known = metadata.topics.get(topic)
    if known is None or known.error is not None:
        return Look(answered_by(metadata), 0)
    return Look(answered_by(metadata), sum(p.leader >= 0 for p in known.partitions.values()))


def answered_by(metadata: ClusterMetadata) -> str:
    """`host:port` of the broker that answered.

    librdkafka writes it as `host:port/id`, with `sasl_ssl://` before it if it is not plaintext.
    """
    return (metadata.orig_broker_name or "").rpartition("/")[0].rpartition("://")[2]


def leaders(admin: AdminClient, topic: str) -> list[int]:
    """The leader of each partition of a topic, as a broker knows it; -1 where there is none."""
    partitions = admin.list_topics(topic, timeout=ADMIN_LIMIT).topics[topic].partitions
    return [partitions[number].leader for number in sorted(partitions)]


def partitions_with_leader(admin: AdminClient, topic: str) -> int:
    """How many partitions of the topic have a leader, as the broker that answers knows."""
    return look_at(admin, topic).partitions


def onlookers(broker: Broker) -> list[AdminClient]:
    """Make a client for each broker, which is connected to it and for now asks it."""
    found: dict[str, AdminClient] = {}

    def connect_one_more() -> set[str]:
        client = _new_client(broker)
        metadata = client.list_topics(timeout=ADMIN_LIMIT)
        # The client drops its bootstrap connection later; one to a known node lasts.
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
    """What each broker knows of a topic at present.

    The clients, one for each broker, are connected already, so they answer quickly. If a
    broker has not answered through its client, new clients ask until every broker has.
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
    """Describe a topic as the broker does; this never creates it.

    Raises:
        KafkaException: UNKNOWN_TOPIC_OR_PART if there is no such topic.
    """
    from confluent_kafka import TopicCollection

    asked = admin.describe_topics(TopicCollection([name]), request_timeout=ADMIN_LIMIT)
    description: TopicDescription = asked[name].result(ADMIN_LIMIT)
    return description


def topic_id(admin: AdminClient, name: str) -> str | None:
    """The id that the topic got at its creation; a topic created again gets another (KIP-516).

    None if there is no such topic.
    """
    from confluent_kafka import KafkaError, KafkaException

    try:
        return str(describe_topic(admin, name).topic_id)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise


def topic_ids(admin: AdminClient, names: Sequence[str], limit: float) -> dict[str, str]:
    """The ids of these topics, as `topic_id` returns them; unknown topics are left out.

    Raises:
        KafkaException: the cluster does not answer within the limit, in seconds.
    """
    from confluent_kafka import KafkaError, KafkaException, TopicCollection

    if not names:
        return {}
    found = {}
    asked = admin.describe_topics(TopicCollection(list(names)), request_timeout=limit)
    for name, future in asked.items():
        try:
            found[name] = str(future.result().topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return found


def refusal(future: Future[Any]) -> KafkaError | None:
    """The error with which the broker refused a request; None if it did it."""
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
    """Grow a topic to this number of partitions; on return all have leaders."""
    from confluent_kafka.admin import NewPartitions

    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(ADMIN_LIMIT)
    wait_until(
        lambda: partitions_with_leader(admin, topic),
        lambda ready: ready == partitions,
        limit=ADMIN_LIMIT,
        what=f"{topic} to have {partitions} partitions with a leader",
    )
