"""100,000 small records: the publisher of task 1.2 against bare confluent-kafka.

Bare is `produce()` and `poll(0)` in a loop, with a callback that counts, and one
flush. Both use the client's own defaults. One by one is the same publisher with a
flush after each record; it sends fewer records, and is shown per 100,000 records.

    python bench/publish.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import gc
import sys

import side_by_side
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from rich.console import Console
from side_by_side import seconds_of

from kafkalab.brokers import Broker
from kafkalab.contracts.routing import KeyedRecord
from kafkalab.observe.topics import create_topic
from kafkalab.tasks.routing import publish

RECORDS = 100_000
# Each needs a round trip: all of them would take a minute.
ONE_BY_ONE = 1_000
# The promise: with a report for each record it takes at most so many times the bare loop's time.
MOST_OF_BARE = 1.6


def bare(broker: Broker, records: list[KeyedRecord]) -> None:
    """The loop that most developers write first."""
    producer = Producer(broker.client_properties())
    delivered = 0

    def count(error: object, _: object) -> None:
        nonlocal delivered
        delivered += error is None

    for record in records:
        producer.produce(record.topic, record.value, record.key, on_delivery=count)
        producer.poll(0)
    producer.flush()
    assert delivered == len(records)


def through_publisher(broker: Broker, records: list[KeyedRecord], *, one_by_one: bool) -> None:
    """The publisher; it raises when a record is missing."""
    reports = publish(broker.client_properties(), records, one_by_one=one_by_one)
    assert len(reports) == len(records)


def main() -> int:
    """Run the bench; the exit code is 1 when the promise does not hold."""
    options = side_by_side.options(__doc__)
    console = Console()
    with side_by_side.running_broker() as broker:
        create_topic(broker, AdminClient(broker.client_properties()), "bench", 3, 1, {})
        records = [
            KeyedRecord("bench", f"user-{number % 1000}", b'{"number": %d}' % number)
            for number in range(RECORDS)
        ]
        # Otherwise Python's garbage collector would look through all records again and again: a
        # cost of holding 100,000 records, not of publishing them.
        gc.freeze()
        some, times = records[:ONE_BY_ONE], RECORDS / ONE_BY_ONE
        seconds = side_by_side.measure(
            {
                "bare": lambda: seconds_of(lambda: bare(broker, records)),
                "publish": lambda: seconds_of(
                    lambda: through_publisher(broker, records, one_by_one=False)
                ),
                "one by one": lambda: (
                    times * seconds_of(lambda: through_publisher(broker, some, one_by_one=True))
                ),
            },
            side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds,
        )
    side_by_side.show(console, seconds)
    return side_by_side.judge(console, seconds, "publish", MOST_OF_BARE, smoke=options.smoke)


if __name__ == "__main__":
    sys.exit(main())
