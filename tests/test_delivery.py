"""The reference processors where timing decides: what the facts meet by chance only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient

from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.contracts.delivery import SETTINGS, Output
from kafkalab.observe.groups import committed_offset
from kafkalab.observe.records import read
from kafkalab.observe.topics import create_topic
from kafkalab.solutions import Solutions

delivery = Solutions(None).delivery

# Seconds for what takes milliseconds on an idle machine.
LIMIT = 30.0


class Patient(Producer):
    """Hands no output over before it knows what became of the one before."""

    def produce(self, *args: Any, **given: Any) -> None:
        super().produce(*args, **given)
        self.flush(LIMIT)


def test_an_output_refused_while_others_are_handed_over_is_tried_again(
    real_broker: EmbeddedBroker,
) -> None:
    """The client takes no output after a refusal; the transaction is aborted, and made anew."""
    client = real_broker.client_properties()
    create_topic(real_broker, AdminClient(client), "copy", 1, 1, {"max.message.bytes": "1000"})
    writer = Producer(client)
    for value in (b"a", b"b", b"c"):
        writer.produce("seen", value, partition=0)
    writer.flush(LIMIT)
    config = {**client, **SETTINGS["exactly_once"], "auto.offset.reset": "earliest"}
    consumer = Consumer({**config, "group.id": "copies"})
    consumer.subscribe(["seen"])
    observer = Consumer({**config, "group.id": "copies"})
    tried: list[bytes | None] = []

    def transform(message: Message) -> Iterator[Output]:
        tried.append(message.value())
        yield Output("copy", None, message.value() if len(tried) > 3 else b"x" * 2_000)

    done = delivery.exactly_once(
        consumer,
        Patient({**client, "transactional.id": "copies"}),
        transform,
        # It ends by itself when it has gone through, or would never.
        lambda: (committed_offset(observer, "seen") or 0) >= 3 or len(tried) > 100,
    )

    reader = Consumer({**config, "group.id": "reads"})
    assert done == 3
    assert [each.value() for each in read(reader, "copy")] == [b"a", b"b", b"c"]
