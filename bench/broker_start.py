"""Start to first metadata, side by side in one run: how much preparation saves.

Ways to the same broker, in turn, so that a machine that slows down slows them
all: stock (format, then start with the flags of Kafka's start script), embedded
without preparation (lean flags) and embedded as prepared. A container, where an
engine and the image are there, has rounds of its own afterwards: it would take
the others' files out of the page cache. Prints medians and ratios to stock.

    python bench/broker_start.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kafkalab.brokers import Termination, Topology
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.distribution import LEAN_FLAGS, Distribution
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.node import Node, wait_until_ready
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.prepared import endpoint_of
from kafkalab.brokers.properties import as_properties_file, node_properties
from kafkalab.cli.setup import Bar
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

SMOKE_ROUNDS = 3


def unprepared(distribution: Distribution, flags: tuple[str, ...]) -> float:
    """Seconds to format a folder and start a broker on it."""
    with tempfile.TemporaryDirectory(prefix="kafkalab-bench-") as folder:
        node = Node(1, Path(folder), *free_ports(2))
        settings = node_properties(Topology(), [endpoint_of(node)], 1)
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument(
        "--smoke", action="store_true", help="three rounds, of which the best counts, as CI runs it"
    )
    options = parser.parse_args()
    settings = Settings.from_environment()
    console = Console()
    embedded = EmbeddedBackend(settings.cache)
    with Bar(console) as bar:
        embedded.prepare(bar)
    distribution = embedded.prepared.distribution
    arms: dict[str, Callable[[], float]] = {
        "stock": lambda: unprepared(distribution, STOCK_FLAGS),
        "lean flags": lambda: unprepared(distribution, LEAN_FLAGS),
        "prepared": lambda: prepared(embedded),
    }
    seconds = measure(arms, SMOKE_ROUNDS if options.smoke else options.rounds)
    container = ContainerBackend(settings.image)
    if container.engine_answers() and container.has_image():
        seconds |= measure({"container": lambda: contained(container)}, SMOKE_ROUNDS)
    return report(console, seconds, least_disturbed if options.smoke else statistics.median)


def measure(arms: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each arm, one figure a round; a first round warms up and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds + 1):
        for name, run in arms.items():
            seconds[name].append(run())
    return {name: figures[1:] for name, figures in seconds.items()}


def least_disturbed(shares: list[float]) -> float:
    """What counts where a few rounds must do, on a machine with other work: the best of them."""
    return min(shares)


def report(
    console: Console, seconds: dict[str, list[float]], judge: Callable[[list[float]], float]
) -> int:
    """Print the table and the promise; 0 when it holds for what `judge` makes of the rounds."""
    table = Table("way", "median s", "min", "max", "of stock", box=None)
    stock = statistics.median(seconds["stock"])
    for name, figures in seconds.items():
        median = statistics.median(figures)
        numbers = (median, min(figures), max(figures), median / stock)
        table.add_row(name, *(f"{number:.2f}" for number in numbers))
    console.print(table)
    rounds = zip(seconds["prepared"], seconds["stock"], strict=True)
    share = judge([each / stock for each, stock in rounds])
    verdict = "holds" if share <= MOST_OF_STOCK else "does not hold"
    console.print(f"prepared is {share:.2f} of stock; at most {MOST_OF_STOCK:.2f} {verdict}")
    return 0 if share <= MOST_OF_STOCK else 1


if __name__ == "__main__":
    sys.exit(main())
