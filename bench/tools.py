"""`kafka-topics --list`, side by side in one run: ours, whole, and stock.

Both list the topics of one broker, in turn. Stock is the bare JVM with the flags that
kafka-run-class.sh gives a tool, and the log level of its log4j settings; what the script
itself takes before that is left out. Ours begins with `kafkalab`, so that Python counts.

    python bench/tools.py [--rounds 5] [--smoke]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import side_by_side
from rich.console import Console

from kafkalab.brokers.tools import TOOLS, ToolDistribution, Tools

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


def seconds_of(command: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command takes; it must end well."""
    started = time.monotonic()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def main() -> int:
    """Run the benchmark; the exit code is 1 when the promise does not hold."""
    options = side_by_side.options(__doc__)
    rounds = side_by_side.SMOKE_ROUNDS if options.smoke else options.rounds
    console = Console()
    embedded = side_by_side.embedded()
    distribution = embedded.prepared.distribution
    tools = ToolDistribution(distribution.cache, distribution.java, distribution.version)
    with side_by_side.Bar() as bar:
        Tools(tools).prepare(bar)
    topics = TOOLS["kafka-topics"].main(tools.version)
    with side_by_side.running_broker() as broker:
        arguments = ("--bootstrap-server", broker.bootstrap, "--list")
        stock = tools.command(topics, *arguments, flags=STOCK_FLAGS)
        kafkalab = str(Path(sys.executable).with_name("kafkalab"))
        ours = [kafkalab, "kafka-topics", "--list"]
        environment = {
            **os.environ,
            "KAFKALAB_KAFKA_VERSION": tools.version,
            "KAFKALAB_CACHE": str(tools.cache),
        }
        seconds = side_by_side.measure(
            {
                "stock": lambda: seconds_of(stock, environment),
                "ours": lambda: seconds_of([*ours, *arguments[:2]], environment),
            },
            rounds,
        )
    side_by_side.show(console, seconds)
    return side_by_side.judge(console, seconds, "ours", MOST_OF_STOCK, smoke=options.smoke)


if __name__ == "__main__":
    sys.exit(main())
