"""100,000 small records: reading them as typed records against bare `consume()` batches.

python bench/consume.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import sys

import side_by_side
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console
from side_by_side import seconds_of

from kafkalab.brokers import Broker
from kafkalab.contracts.routing import KeyedRecord
from kafkalab.observe.topics import create_topic
from kafkalab.tasks.partition_log import BATCH, BATCH_WAIT, read_to_end
from kafkalab.tasks.routing import publish

RECORDS, PARTITIONS = 100_000, 3
# The promise: typed records take at most so many times the bare loop's time.
MOST_OF_BARE = 3.0


def bare(broker: Broker) -> None:
    """Read every message, and look only at its error."""
    consumer = Consumer({**broker.client_properties(), "group.id": "bench"})
    consumer.assign([TopicPartition("bench", partition, 0) for partition in range(PARTITIONS)])
    count = 0
    while count < RECORDS:
        count += sum(message.error() is None for message in consumer.consume(BATCH, BATCH_WAIT))
    consumer.close()


def typed(broker: Broker) -> None:
    """Read every record as a LogRecord."""
    assert sum(1 for _ in read_to_end(broker.client_properties(), ["bench"])) == RECORDS


def main() -> int:
    """Run the bench; the exit code is 1 when the promise does not hold."""
    options = side_by_side.options(__doc__)
    console = Console()
    with side_by_side.running_broker() as broker:
        admin = AdminClient(broker.client_properties())
        create_topic(broker, admin, "bench", PARTITIONS, 1, {})
        publish(
            broker.client_properties(),
            [
                KeyedRecord("bench", f"user-{number % 1000}", b'{"number": %d}' % number)
                for number in range(RECORDS)
            ],
        )
        seconds = side_by_side.measure(
            {
                "bare": lambda: seconds_of(lambda: bare(broker)),
                "typed": lambda: seconds_of(lambda: typed(broker)),
            },
            side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds,
        )
    side_by_side.show(console, seconds)
    return side_by_side.judge(console, seconds, "typed", MOST_OF_BARE, smoke=options.smoke)


if __name__ == "__main__":
    sys.exit(main())
