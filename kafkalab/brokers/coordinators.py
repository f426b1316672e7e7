"""Wait for the coordinators of groups and transactions, which a new broker must first set up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kafkalab.brokers.errors import StartFailed
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer

# Seconds. Two internal topics are created and loaded: that takes 0.2 s, more under load.
COORDINATORS_LIMIT = 60.0
# Seconds for one request; a broker that runs answers in milliseconds.
ASK_LIMIT = 5.0

FIRST = "kafkalab-first"
"""the group and the transactional id of the first requests"""


def wait_for_coordinators(client: Mapping[str, str]) -> None:
    """Ask for both coordinators until they answer.

    The first request has Kafka create their topics (`__consumer_offsets`,
    `__transaction_state`). Until these are loaded, Kafka refuses requests with
    NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS. No lesson should meet that.

    Args:
        client: the properties of every client of the broker.

    Raises:
        StartFailed: the coordinators did not answer within COORDINATORS_LIMIT.
    """
    from confluent_kafka import Consumer, KafkaException, Producer

    consumer = Consumer({**client, "group.id": FIRST})
    producer = Producer({**client, "transactional.id": FIRST})
    try:
        wait_until(
            lambda: _refusal_of(consumer),
            lambda refusal: not refusal,
            limit=COORDINATORS_LIMIT,
            what="the coordinator of groups",
        )
        # Connect first: else the client looks for its coordinator again only after half a second.
        producer.list_topics(timeout=ASK_LIMIT)
        producer.init_transactions(COORDINATORS_LIMIT)
    except (Expired, KafkaException) as error:
        raise StartFailed(
            f"Kafka answers, but its coordinators do not ({error}).",
            suspect="a machine under heavy load, or settings of the internal topics.",
            remedy="run again with fewer workers (-n 2).",
        ) from error
    finally:
        consumer.close()


def _refusal_of(consumer: Consumer) -> str:
    """The error with which Kafka refuses the group's committed offsets; empty if it answers."""
    from confluent_kafka import KafkaException, TopicPartition

    try:
        consumer.committed([TopicPartition(FIRST, 0)], timeout=ASK_LIMIT)
    except KafkaException as error:
        return str(error.args[0].name())
    return ""
