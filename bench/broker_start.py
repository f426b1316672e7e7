"""Times a broker's start until its first metadata, to show how much preparation saves.

It starts the same broker in three ways, in turn, so that a machine that slows down
slows all of them: stock (format, then start with the flags of Kafka's start script),
embedded without preparation (lean flags), and embedded as prepared. If there is a
Docker engine with the image, containers are timed afterwards: they would push the
others' files out of the page cache. It prints medians and ratios to stock.

    python bench/broker_start.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import side_by_side
from rich.console import Console

from kafkalab.brokers import Termination, Topology
from kafkalab.brokers.choose import container_backend
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.distribution import LEAN_FLAGS, Distribution
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.node import Node, wait_until_ready
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.prepared import endpoint_of
from kafkalab.brokers.properties import as_properties_file, node_properties
from kafkalab.config import Settings

# What bin/kafka-run-class.sh and kafka-server-start.sh of Apache Kafka 4 pass to the JVM.
STOCK_FLAGS = (
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)

# The promise: a prepared start takes at most this share of a stock one.
MOST_OF_STOCK = 0.30


def unprepared(distribution: Distribution, flags: tuple[str, ...]) -> float:
    """Seconds to format a folder and start a broker on it."""
    with tempfile.TemporaryDirectory(prefix="kafkalab-bench-") as folder:
        node = Node(1, Path(folder), *free_ports(2))
        settings = node_properties(Topology(), [endpoint_of(node)], 1, distribution.version)
        text = as_properties_file({**settings, "log.dirs": str(node.data)})
        node.properties_file.write_text(text, "utf-8")
        arguments = str(node.properties_file)
        command = distribution.command("kafka.Kafka", arguments, flags=flags)
        started = time.monotonic()
        try:
            distribution.format(node.properties_file)
            node.spawn(command)
            wait_until_ready([node])
            return time.monotonic() - started
        finally:
            node.stop(Termination.ABRUPT)


def prepared(backend: EmbeddedBackend) -> float:
    """Seconds to start a broker as the fixtures do."""
    with tempfile.TemporaryDirectory(dir=backend.cache, prefix="bench-") as folder:
        started = time.monotonic()
        broker = backend.launch(Topology(), Path(folder) / "home")
        seconds = time.monotonic() - started
        broker.close()
        return seconds


def contained(backend: ContainerBackend) -> float:
    """Seconds to start a broker in a container."""
    started = time.monotonic()
    broker = backend.launch(Topology(), Path("bench") / "home")
    seconds = time.monotonic() - started
    broker.close()
    return seconds


def main() -> int:
    """Run the benchmark; the exit code is 1 when the promise does not hold."""
    options = side_by_side.options(__doc__)
    rounds = side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds
    console = Console()
    embedded = side_by_side.embedded()
    distribution = embedded.prepared.distribution
    seconds = side_by_side.measure(
        {
            "stock": lambda: unprepared(distribution, STOCK_FLAGS),
            "lean flags": lambda: unprepared(distribution, LEAN_FLAGS),
            "prepared": lambda: prepared(embedded),
        },
        rounds,
    )
    container = container_backend(Settings.from_environment())
    if container.engine_answers() and container.has_image():
        seconds |= side_by_side.measure({"container": lambda: contained(container)}, rounds)
    side_by_side.show(console, seconds)
    return side_by_side.judge(console, seconds, "prepared", MOST_OF_STOCK, smoke=options.smoke)


if __name__ == "__main__":
    sys.exit(main())
