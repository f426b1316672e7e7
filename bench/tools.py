"""Times `kafka-topics --list`: the whole `kafkalab` command against the stock tool.

Both list the topics of one lab, in turn. Stock is the bare JVM with the flags that
kafka-run-class.sh gives a tool, and the log level of its log4j settings; the time of the
script itself is left out. Ours is the whole `kafkalab` command, with Python's start.

    python bench/tools.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import side_by_side
from rich.console import Console

from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.live import Labs
from kafkalab.brokers.tools import ToolDistribution, Tools, main_of

# What bin/kafka-run-class.sh of Apache Kafka 4 passes to the JVM of a tool.
STOCK_FLAGS = (
    "-Xmx256M",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
    "-Dcom.sun.management.jmxremote=true",
    "-Dcom.sun.management.jmxremote.authenticate=false",
    "-Dcom.sun.management.jmxremote.ssl=false",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

# The promise: ours takes at most this share of stock.
MOST_OF_STOCK = 0.35


@contextlib.contextmanager
def lab_of(backend: EmbeddedBackend) -> Iterator[tuple[str, ToolDistribution]]:
    """A lab that is up, in a cache folder of its own: its bootstrap servers, and its tools."""
    with tempfile.TemporaryDirectory(prefix="kafkalab-bench-") as name:
        cache = Path(name)
        (cache / "jars").symlink_to(backend.cache / "jars")
        starter, labs = EmbeddedBackend(cache, backend.kafka_version), Labs(cache)
        java = starter.prepared.distribution.java
        distribution = ToolDistribution(cache, java, starter.kafka_version)
        with side_by_side.Bar() as bar:
            Tools(distribution).prepare(bar)
        with labs.locked():
            lab = labs.start(starter, 1, None, keep_data=False)
        try:
            yield lab.attached(starter).bootstrap, distribution
        finally:
            with labs.locked():
                labs.stop(lab, starter)


def seconds_of(command: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command takes; its exit code must be 0."""
    started = time.monotonic()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def main() -> int:
    """Run the benchmark; the exit code is 1 when the promise does not hold."""
    options = side_by_side.options(__doc__)
    rounds = side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds
    console = Console()
    backend = side_by_side.embedded()
    ours = [str(Path(sys.executable).with_name("kafkalab")), "kafka-topics", "--list"]
    with lab_of(backend) as (bootstrap, distribution):
        arguments = ("--bootstrap-server", bootstrap, "--list")
        topics = main_of("kafka-topics", distribution.version)
        stock = distribution.command(topics, *arguments, flags=STOCK_FLAGS)
        environment = {**os.environ, "KAFKALAB_CACHE": str(distribution.cache)}
        arms = {
            "stock": lambda: seconds_of(stock, environment),
            "ours": lambda: seconds_of(ours, environment),
        }
        seconds = side_by_side.measure(arms, rounds)
    side_by_side.show(console, seconds)
    most = MOST_OF_STOCK * (side_by_side.SMOKE_SLACK if options.smoke else 1)
    return side_by_side.judge(console, seconds, "ours", most, smoke=options.smoke)


if __name__ == "__main__":
    sys.exit(main())
