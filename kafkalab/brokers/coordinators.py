"""The coordinators of groups and of transactions, which a new broker has to make first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kafkalab.brokers.errors import StartFailed
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer

# Two internal topics are created and loaded: 0.2 s, seconds on a loaded machine.
COORDINATORS_LIMIT = 60.0
# One request; a broker that is up answers in milliseconds.
ASK_LIMIT = 5.0

FIRST = "kafkalab-first"
"""the group, and the transactional id, that asks first"""


def wait_for_coordinators(client: Mapping[str, str]) -> None:
    """Ask for both coordinators until they answer.

    The first who asks has their topics created (`__consumer_offsets`,
    `__transaction_state`), and until these are loaded requests are refused:
    NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS. No lesson should meet that.

    Args:
        client: what every client of the broker is configured with.

    Raises:
        StartFailed: they did not answer within COORDINATORS_LIMIT.
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
        # Connected first, or the client looks for its coordinator again after half a second only.
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
    """With which error the group's committed offsets are refused; empty when they are told."""
    from confluent_kafka import KafkaException, TopicPartition

    try:
        consumer.committed([TopicPartition(FIRST, 0)], timeout=ASK_LIMIT)
    except KafkaException as error:
        return str(error.args[0].name())
    return ""
