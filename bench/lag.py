"""Times `kafkalab lag` for a group on 1,000 partitions, with the command's start.

python bench/lag.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from contextlib import closing

import side_by_side
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console
from side_by_side import seconds_of

from kafkalab.brokers import Broker
from kafkalab.observe.topics import create_topic

PARTITIONS = 1000
# The promise, in seconds.
MOST = 2.0
# Seconds; what it limits takes about one.
LIMIT = 60


def main() -> int:
    """Run the bench; the exit code is 1 when the promise does not hold."""
    options = side_by_side.options(__doc__)
    rounds = side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds
    with side_by_side.running_broker() as broker:
        _fill(broker)
        command = [sys.executable, "-m", "kafkalab", "lag", "bench"]
        command += ["--bootstrap", broker.bootstrap]
        took = [seconds_of(lambda: _run(command)) for _ in range(rounds)]
    figure = min(took) if options.smoke else statistics.median(took)
    most = MOST * (side_by_side.SMOKE_SLACK if options.smoke else 1)
    verdict = "holds" if figure < most else "does not hold"
    Console().print(f"lag of {PARTITIONS} partitions {figure:.2f} s; at most {most:.2f} {verdict}")
    return 0 if figure < most else 1


def _fill(broker: Broker) -> None:
    """Three records in each partition, of which the group has committed one."""
    client = broker.client_properties()
    create_topic(broker, AdminClient(client), "bench", PARTITIONS, 1, {})
    producer = Producer(client)
    for partition in range(PARTITIONS):
        for _ in range(3):
            producer.produce("bench", b"x" * 100, partition=partition)
    producer.flush(LIMIT)
    with closing(Consumer({**client, "group.id": "bench"})) as consumer:
        offsets = [TopicPartition("bench", partition, 1) for partition in range(PARTITIONS)]
        consumer.commit(offsets=offsets, asynchronous=False)


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT)


if __name__ == "__main__":
    sys.exit(main())
