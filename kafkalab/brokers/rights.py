"""Check, before the first lesson runs, that the user has all rights that lessons need."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kafkalab.brokers.errors import ClusterRefuses, MissingRight
from kafkalab.brokers.names import EVERY_RUN, run_prefix
from kafkalab.config import doc
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient

# Seconds for one request; the first request makes Kafka create internal topics.
LIMIT = 30.0

TOPIC_RIGHTS = ("READ", "WRITE", "DELETE", "ALTER", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS")
"""what Module A does with its topics, besides Create"""
GROUP_RIGHTS = ("READ", "DESCRIBE", "DELETE")


def require_rights(client: Mapping[str, str], prefix: str = "") -> None:
    """Make a topic, a group and a transactional id as lessons do, and remove them again.

    Args:
        client: client properties.
        prefix: a run's prefix for their names; by default a new one.

    Raises:
        MissingRight: this user lacks rights that lessons need; the text names each.
        ClusterRefuses: the cluster refuses a request, but not for a missing right: it is in
            trouble, a policy forbids the request, or the server is not all of Kafka.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(dict(client))
    name = f"{prefix or run_prefix(time.time(), uuid.uuid4().hex)}rights"
    try:
        missing = _missing_for_topics(admin, name)
        if "Create on topic" not in missing:
            missing += _missing_for_groups(admin, name)
    except Expired as error:
        raise ClusterRefuses(
            f"The cluster answers, but does not do what lessons ask of it ({error}).",
            suspect="a cluster in trouble, or under heavy load.",
            remedy="try again, ask its administrator, or use --kafkalab-backend=embedded.",
        ) from error
    finally:
        _remove(admin, name)
    missing += _missing_for_transactions(client, name)
    if missing:
        raise MissingRight(
            f"This user lacks rights for names that begin with {EVERY_RUN}: {', '.join(missing)}.",
            suspect="the ACLs of the cluster.",
            remedy="have them granted as prefixed ACLs; "
            f"{doc('external.md', 'docs/external.md')} has the commands.",
        )


def _missing_for_topics(admin: AdminClient, name: str) -> list[str]:
    from confluent_kafka import KafkaError, TopicCollection
    from confluent_kafka.admin import NewTopic

    denied = KafkaError.TOPIC_AUTHORIZATION_FAILED
    new = [NewTopic(name, 1, 1)]
    error = _refusal(lambda: admin.create_topics(new, request_timeout=LIMIT)[name].result())
    if error is not None:
        if error.code() == denied:
            return ["Create on topic"]
        raise _refuses("creates no topic of one replica", error)

    def describe() -> tuple[KafkaError | None, list[str]]:
        asked = admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=LIMIT
        )[name]
        error = _refusal(asked.result)
        return error, [] if error else _names(asked.result().authorized_operations)

    # Other errors are temporary: some brokers may not know the new topic yet.
    error, allowed = wait_until(
        describe,
        lambda seen: seen[0] is None or seen[0].code() in (denied, *_unsupported()),
        limit=LIMIT,
        what=f"{name} to be described",
    )
    if error is not None and error.code() == denied:
        return ["Describe on topic"]
    if error is not None:
        raise _refuses("does not describe a topic", error)
    if not allowed:
        raise speaks_in_part("does not report what a user may do with a topic")
    return [f"{_title(each)} on topic" for each in TOPIC_RIGHTS if each not in allowed]


def _missing_for_groups(admin: AdminClient, name: str) -> list[str]:
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, TopicPartition

    def commit() -> KafkaError | None:
        place = ConsumerGroupTopicPartitions(name, [TopicPartition(name, 0, 0)])
        asked = admin.alter_consumer_group_offsets([place], request_timeout=LIMIT)[name]
        error = _refusal(asked.result)
        return error or asked.result().topic_partitions[0].error

    # A new coordinator refuses requests for a short time.
    not_yet = {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    }
    error = wait_until(
        commit,
        lambda refused: refused is None or refused.code() not in not_yet,
        limit=LIMIT,
        what="the coordinator of groups",
    )
    if error is not None:
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return ["Read on group"]
        if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return []
        raise _refuses("takes no commit", error)
    asked = admin.describe_consumer_groups(
        [name], include_authorized_operations=True, request_timeout=LIMIT
    )[name]
    if (error := _refusal(asked.result)) is not None:
        raise _refuses("does not describe a group", error)
    allowed = _names(asked.result().authorized_operations)
    if not allowed:
        raise speaks_in_part("does not report what a user may do with a group")
    return [f"{_title(each)} on group" for each in GROUP_RIGHTS if each not in allowed]


def _missing_for_transactions(client: Mapping[str, str], name: str) -> list[str]:
    from confluent_kafka import KafkaError, Producer

    producer = Producer({**client, "transactional.id": name})
    # Connect first: then this takes milliseconds instead of half a second.
    error = _refusal(lambda: producer.list_topics(timeout=LIMIT))
    error = error or _refusal(lambda: producer.init_transactions(LIMIT))
    if error is None:
        return []
    if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return ["Write on transactional id"]
    raise _refuses("begins no transaction", error)


def _remove(admin: AdminClient, name: str) -> None:
    groups = admin.delete_consumer_groups([name], request_timeout=LIMIT)
    topics = admin.delete_topics([name], request_timeout=LIMIT)
    for future in (groups[name], topics[name]):
        _refusal(future.result)


def _refusal(request: Callable[[], object]) -> KafkaError | None:
    """The error with which the cluster refused a request; None if it succeeded."""
    from confluent_kafka import KafkaException

    try:
        request()
    except KafkaException as error:
        refused: KafkaError = error.args[0]
        return refused
    return None


def _names(operations: list[object] | None) -> list[str]:
    return [getattr(each, "name", "") for each in operations or []]


def _title(operation: str) -> str:
    """The name of an operation as Kafka's tools and documents write it: `DescribeConfigs`."""
    return "".join(word.title() for word in operation.split("_"))


def _unsupported() -> tuple[int, int]:
    """The error codes of the client and of the server for a request that is not supported."""
    from confluent_kafka import KafkaError

    return KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION


def _refuses(what: str, error: KafkaError) -> ClusterRefuses:
    told = f"{what} ({error.name()}: {error.str()})"
    if error.code() in _unsupported():
        return speaks_in_part(told)
    return ClusterRefuses(
        f"The cluster {told}.",
        suspect="a policy or a quota of the cluster, or a cluster in trouble.",
        remedy="ask its administrator, or use --kafkalab-backend=embedded.",
    )


def speaks_in_part(what: str) -> ClusterRefuses:
    """The error for a server that supports only a part of Kafka.

    Args:
        what: what the server does or does not do; it begins with a verb.
    """
    return ClusterRefuses(
        f"The server speaks Kafka only in part: it {what}.",
        suspect="another product than Apache Kafka, or a proxy in front of it.",
        remedy="name brokers of Apache Kafka, or use --kafkalab-backend=embedded.",
    )
