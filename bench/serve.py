"""`kafkalab serve` with ten tabs open and 1,000 records a second, and on a cluster of many topics.

It measures how long the list of topics takes, and whether the server's memory grows.

    python bench/serve.py [--smoke]
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import side_by_side
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console

from kafkalab.brokers import Broker
from kafkalab.observe.topics import create_topic
from kafkalab.waiting import wait_until

TABS = 10
RATE = 1000
# Seconds of the whole bench, and of its smoke form.
LONG, SHORT = 300.0, 20.0
# Seconds between two lists: a tab asks for the list when it is opened or looked at again.
ASK_EVERY = 0.2
TICK = 0.05
TOPICS, PARTITIONS = 200, 1000
# The promises: seconds for a list, and megabytes by which memory grows after the first part of the
# time.
MOST_TO_LIST, MOST_TO_OPEN, MOST_GROWTH = 0.25, 1.0, 30.0
FIRST_PART = 0.2
LIMIT = 60.0

LIST = "/api/kafka/topics"


def main() -> int:
    """Run the bench; the exit code is 1 when a promise does not hold."""
    options = side_by_side.options(__doc__)
    seconds = SHORT if options.smoke else LONG
    with side_by_side.running_broker() as broker:
        create_topic(broker, AdminClient(broker.client_properties()), "bench", 6, 1, {})
        with _served(broker) as (process, url):
            took, growth, peak, heard = _under_load(broker, process, url, seconds)
        _make_many(broker)
        with _served(broker) as (_, url):
            opened = _opened(url)
    slowest = sorted(took)[math.ceil(len(took) * 0.99) - 1]
    console = Console()
    lines = [
        (
            f"{TABS} tabs, {RATE} records/s: the list {slowest * 1000:.0f} ms at the 99th "
            f"percentile of {len(took)}; at most {MOST_TO_LIST * 1000:.0f}",
            slowest <= MOST_TO_LIST,
        ),
        (
            f"each tab received {heard} of {int(seconds) * RATE} records; at least 95 %",
            heard >= int(seconds) * RATE * 0.95,
        ),
        (
            f"memory {peak:.0f} MB, grown by {growth:.1f} in the last {1 - FIRST_PART:.0%} of "
            f"{seconds:.0f} s; at most {MOST_GROWTH:.0f}",
            growth <= MOST_GROWTH,
        ),
        (
            f"{TOPICS} topics with {PARTITIONS} partitions in {opened:.2f} s; at most "
            f"{MOST_TO_OPEN:.2f}",
            opened <= MOST_TO_OPEN,
        ),
    ]
    for line, is_so in lines:
        console.print(f"{line} {'holds' if is_so else 'does not hold'}")
    return 0 if all(is_so for _, is_so in lines) else 1


@contextmanager
def _served(broker: Broker) -> Iterator[tuple[psutil.Process, str]]:
    command = [sys.executable, "-m", "kafkalab", "serve", "--port", "0", "--allow-foreign"]
    command += ["--bootstrap", broker.bootstrap]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next(filter(None, (re.match(r"(http://\S+?)/ ", x) for x in process.stdout)))
            yield psutil.Process(process.pid), found[1]
        finally:
            process.terminate()


def _under_load(
    broker: Broker, process: psutil.Process, url: str, seconds: float
) -> tuple[list[float], float, float, int]:
    """The seconds of each list, the growth and the peak in MB, and the records that a tab received.

    Each tab watches the topic, and a group with two members that read it.
    """
    until = time.monotonic() + seconds
    heard = [0] * TABS
    took, memory = [], []
    with httpx.Client(base_url=url, timeout=LIMIT) as client:
        for _ in range(2):
            client.post("/api/kafka/groups/bench/members", json={"topics": ["bench"]})
        threads = [
            threading.Thread(target=_listen, args=(url, until, heard, number), daemon=True)
            for number in range(TABS)
        ]
        threads.append(threading.Thread(target=_produce, args=(broker, until), daemon=True))
        for each in threads:
            each.start()
        due = time.monotonic()
        while time.monotonic() < until:
            began = time.monotonic()
            assert client.get(LIST).status_code == 200
            took.append(time.monotonic() - began)
            memory.append(process.memory_info().rss / 1e6)
            due += ASK_EVERY
            _wait_for(due)
        for each in threads:
            each.join(LIMIT)
    settled = memory[int(len(memory) * FIRST_PART) :]
    return took, max(settled) - settled[0], max(memory), min(heard)


def _listen(url: str, until: float, heard: list[int], number: int) -> None:
    """Be one tab: read the stream, and count the records by their last offsets."""
    ends: dict[bytes, int] = {}
    asked = {"topic": "bench", "group": "bench"}
    with (
        httpx.Client(base_url=url, timeout=LIMIT) as client,
        client.stream("GET", "/api/kafka/events", params=asked) as answer,
    ):
        rest = b""
        for part in answer.iter_raw():
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                if (at := line.rfind(b'"ends":{')) >= 0 and line.startswith(b"data:"):
                    for found in re.finditer(rb'"(\d+)":(\d+)', line[at:]):
                        ends[found[1]] = int(found[2])
            heard[number] = sum(ends.values())
            if time.monotonic() > until + 1:
                return


def _produce(broker: Broker, until: float) -> None:
    producer = Producer({**broker.client_properties(), "linger.ms": 5})
    due, number = time.monotonic(), 0
    while time.monotonic() < until:
        for _ in range(int(RATE * TICK)):
            producer.produce("bench", b"x" * 100, key=f"key-{number % 50}")
            number += 1
        producer.poll(0)
        due += TICK
        _wait_for(due)
    producer.flush(LIMIT)


def _wait_for(due: float) -> None:
    wait_until(lambda: time.monotonic() >= due, limit=LIMIT, what="the time", interval=0.005)


def _make_many(broker: Broker) -> None:
    admin = AdminClient(broker.client_properties())
    new = [NewTopic(f"many-{number}", PARTITIONS // TOPICS, 1) for number in range(TOPICS)]
    for future in admin.create_topics(new, operation_timeout=LIMIT).values():
        future.result(LIMIT)


def _opened(url: str) -> float:
    """Seconds for a page's first list."""
    began = time.monotonic()
    rows = httpx.get(f"{url}{LIST}", timeout=LIMIT).json()
    took = time.monotonic() - began
    assert sum(row["partitions"] for row in rows) >= PARTITIONS
    return took


if __name__ == "__main__":
    sys.exit(main())
