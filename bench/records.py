"""1,000,000 lines: `kafkalab produce --lines` and `consume --json` against bare loops, and kcat.

Each arm is a process of its own; its start counts. The bare loop counts the delivery reports, as
a loop without them would not notice lost records.

python bench/records.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from itertools import count
from pathlib import Path

import side_by_side
from confluent_kafka.admin import AdminClient
from rich.console import Console
from side_by_side import seconds_of

from kafkalab.brokers import Broker
from kafkalab.observe.topics import create_topic

LINES, PARTITIONS = 1_000_000, 3
# Lines that are read in smoke form, as printing takes seconds.
SOME_LINES = 200_000
# The promises, as multiples of the bare loop's time.
MOST_TO_PRODUCE, MOST_TO_CONSUME = 1.6, 3.0
# Seconds; an arm takes a few.
LIMIT = 300

BARE_PRODUCE = """
import sys
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": sys.argv[1]})
delivered = 0
def count(error, _):
    global delivered
    delivered += error is None
for number, line in enumerate(sys.stdin.buffer):
    key, _, value = line.rstrip(b"\\n").partition(b":")
    while True:
        try:
            producer.produce(sys.argv[2], value, key, on_delivery=count)
            break
        except BufferError:
            producer.poll(1)
    if number % 500 == 0:
        producer.poll(0)
producer.flush()
assert delivered == number + 1
"""

BARE_CONSUME = """
import sys
from confluent_kafka import Consumer, TopicPartition
config = {"bootstrap.servers": sys.argv[1], "group.id": "bench"}
consumer, left = Consumer(config), int(sys.argv[3])
consumer.assign([TopicPartition(sys.argv[2], each, 0) for each in range(int(sys.argv[4]))])
while left:
    for message in consumer.consume(500, 0.05):
        if message.error() is None:
            print(message.partition(), message.offset(), message.key(), message.value())
            left -= 1
consumer.close()
"""


def main() -> int:
    """Run the bench; the exit code is 1 when a promise does not hold."""
    options = side_by_side.options(__doc__)
    rounds = side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds
    console = Console()
    with side_by_side.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "lines")
        lines.write_text("".join(f"user-{each % 1000}:{each}\n" for each in range(LINES)), "utf-8")
        produced = side_by_side.measure(_producing(broker, lines), rounds)
        topic, some = _topic(broker, "to-consume"), SOME_LINES if options.smoke else LINES
        few = Path(folder, "few")
        few.write_text("".join(lines.read_text("utf-8").splitlines(keepends=True)[:some]), "utf-8")
        _run(_kafkalab("produce", topic, "--lines", "-K", ":", broker=broker), few)
        consumed = side_by_side.measure(_consuming(broker, topic, some), rounds)
    slack = side_by_side.SMOKE_SLACK if options.smoke else 1
    codes = []
    for seconds, arm, most in (
        (produced, "kafkalab produce", MOST_TO_PRODUCE),
        (consumed, "kafkalab consume", MOST_TO_CONSUME),
    ):
        side_by_side.show(console, seconds)
        codes.append(side_by_side.judge(console, seconds, arm, most * slack, smoke=options.smoke))
    return max(codes)


def _producing(broker: Broker, lines: Path) -> side_by_side.Arms:
    names = (f"produced-{number}" for number in count())

    def seconds(*command: str, at: int) -> float:
        topic = _topic(broker, next(names))
        given = [topic if number == at else each for number, each in enumerate(command)]
        return seconds_of(lambda: _run(given, lines))

    ours = _kafkalab("produce", "", "--lines", "-K", ":", broker=broker)
    return {
        "bare": partial(seconds, sys.executable, "-c", BARE_PRODUCE, broker.bootstrap, "", at=4),
        "kafkalab produce": partial(seconds, *ours, at=ours.index("")),
        "kcat": partial(seconds, "kcat", "-b", broker.bootstrap, "-P", "-K:", "-t", "", at=6),
    }


def _consuming(broker: Broker, topic: str, lines: int) -> side_by_side.Arms:
    bare = [sys.executable, "-c", BARE_CONSUME, broker.bootstrap, topic]
    return {
        "bare": lambda: seconds_of(lambda: _run([*bare, str(lines), str(PARTITIONS)])),
        "kafkalab consume": lambda: seconds_of(
            lambda: _run(_kafkalab("consume", topic, "--json", broker=broker))
        ),
        "kcat": lambda: seconds_of(
            lambda: _run(["kcat", "-b", broker.bootstrap, "-C", "-J", "-e", "-q", "-t", topic])
        ),
    }


def _kafkalab(*arguments: str, broker: Broker) -> list[str]:
    return [sys.executable, "-m", "kafkalab", *arguments, "--bootstrap", broker.bootstrap]


def _topic(broker: Broker, name: str) -> str:
    create_topic(broker, AdminClient(broker.client_properties()), name, PARTITIONS, 1, {})
    return name


def _run(command: list[str], lines: Path | None = None) -> None:
    with (lines or Path("/dev/null")).open("rb") as given:
        subprocess.run(command, stdin=given, stdout=subprocess.DEVNULL, check=True, timeout=LIMIT)


if __name__ == "__main__":
    sys.exit(main())
