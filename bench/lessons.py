"""Times lessons as a learner calls them, beside a start of Kafka as its start script does it.

In each round, in turn: a stock start, a prepared start, one fact, each task, and all of Module A,
each as a whole process with no options. Of each way the best round counts. It prints seconds,
the ratio to the stock start, and the processor time of brokers, workers and pytest itself. What a
task may take grows with its facts. If pytest-kafka-broker is installed, its one test runs, too.

    python bench/lessons.py [--rounds 3] [--smoke]
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import broker_start
import psutil
import side_by_side
from rich.console import Console
from rich.table import Table

from kafkalab.curriculum import load
from kafkalab.waiting import wait_until

ROOT = Path(__file__).parents[1]

# The promises, as shares of a stock start, for so many facts as there were when they were given.
MOST_OF_STOCK = {"1.1": 1.9, "1.2": 1.9, "1.3": 1.9, "1.4": 4.3, "1.5": 4.3}
FACTS_THEN = {"1.1": 26, "1.2": 26, "1.3": 26, "1.4": 31, "1.5": 33}
MOST_FOR_ALL, MOST_PROCESSOR_TIME = 7.6, 12.0
MOST_FOR_A_START = 0.22
# The promise of one fact, as a share of the peer's one test.
MOST_OF_PEER = 0.33

ONE_FACT = ["-k", "topic_has_its_partitions"]
PEER = "pytest_kafka_broker"
PEER_TEST = """
from confluent_kafka.admin import AdminClient, NewTopic

def test_a_topic_has_its_partitions(kafka_broker):
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap_server})
    admin.create_topics([NewTopic("seen", 3, 1)])["seen"].result(30)
    assert len(admin.list_topics("seen", timeout=30).topics["seen"].partitions) == 3
"""

TITLE = "Seconds: of the clock, and of processor time by process"

# Seconds; a run that takes longer hangs.
LIMIT = 600.0


@dataclass
class Took:
    """What one call took, in seconds."""

    wall: float
    processor: dict[str, float] = field(default_factory=dict)
    """by kind of process"""


def kind_of(process: psutil.Process, root: int) -> str:
    """Which part of a run a process is."""
    if process.pid == root:
        return "pytest"
    if process.name() == "java":
        return "brokers"
    # The program of a worker comes by its standard input.
    is_worker = any("sys.stdin.readline" in each for each in process.cmdline())
    return "workers" if is_worker else "others"


def called(arguments: Sequence[str], folder: Path) -> Took:
    """Call pytest; its processor time is that of all its processes, as last seen.

    Raises:
        SystemExit: pytest failed.
    """
    seen: dict[psutil.Process, tuple[str, float]] = {}
    environment = {**os.environ, "KAFKALAB_BACKEND": "embedded", "PYTEST_ADDOPTS": ""}
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        call = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        root = psutil.Process(call.pid)

        def look() -> bool:
            for process in [root, *root.children(recursive=True)]:
                try:
                    times = process.cpu_times()
                    kind = seen[process][0] if process in seen else kind_of(process, root.pid)
                except psutil.Error:
                    continue
                seen[process] = kind, times.user + times.system
            return call.poll() is not None

        try:
            wait_until(look, limit=LIMIT, what="the run's end", interval=0.1)
        except psutil.NoSuchProcess:
            call.wait()
        finally:
            # After its limit, or at Ctrl-C. Its watchdog ends its brokers.
            if call.poll() is None:
                call.kill()
                call.wait()
        wall = time.monotonic() - started
        if call.returncode:
            output.seek(0)
            raise SystemExit(output.read().decode("utf-8", "replace"))
    took = Took(wall)
    for kind, seconds in seen.values():
        took.processor[kind] = took.processor.get(kind, 0.0) + seconds
    return took


def ways(reports: Path) -> dict[str, Sequence[str]]:
    """What is called, by its name in the table."""
    to = f"--kafkalab-reports={reports}"
    tasks = {task: ["-k", f"task_{task.replace('.', '_')}", to] for task in MOST_OF_STOCK}
    return {"one fact": [*ONE_FACT, to], **tasks, "all": [to]}


def most(way: str) -> float:
    """The share of a stock start that a task, or all, may take with the facts that there are."""
    now = {task.id: len(task.facts) for task in load().tasks}
    if way == "all":
        return MOST_FOR_ALL * sum(now.values()) / sum(FACTS_THEN.values())
    return MOST_OF_STOCK[way] * now[way] / FACTS_THEN[way]


def measured(rounds: int) -> dict[str, list[Took]]:
    """What each way took in each round."""
    embedded = side_by_side.embedded()
    found: dict[str, list[Took]] = {}

    def add(way: str, took: Took) -> None:
        found.setdefault(way, []).append(took)

    with tempfile.TemporaryDirectory() as folder:
        has_peer = importlib.util.find_spec(PEER) is not None
        if has_peer:
            Path(folder, "test_peer.py").write_text(PEER_TEST, "utf-8")
        for _ in range(rounds):
            flags = broker_start.STOCK_FLAGS
            add("stock start", Took(broker_start.unprepared(embedded.prepared.distribution, flags)))
            add("prepared start", Took(broker_start.prepared(embedded)))
            for way, arguments in ways(Path(folder, "reports")).items():
                add(way, called(arguments, ROOT))
                if way == "one fact" and has_peer:
                    add("the peer's one test", called(["-p", "no:kafkalab"], Path(folder)))
    return found


def best(found: Mapping[str, Sequence[Took]], way: str) -> Took:
    """The quickest round."""
    return min(found[way], key=lambda took: took.wall)


def promises(found: Mapping[str, Sequence[Took]]) -> dict[str, tuple[float, float]]:
    """For each promise what was seen, and the most that may be: ratios."""
    stock = best(found, "stock start").wall
    kept = {"prepared start": (best(found, "prepared start").wall / stock, MOST_FOR_A_START)}
    if "the peer's one test" in found:
        ratio = best(found, "one fact").wall / best(found, "the peer's one test").wall
        kept["one fact, of the peer's one test"] = ratio, MOST_OF_PEER
    for way in (*MOST_OF_STOCK, "all"):
        kept[way] = best(found, way).wall / stock, most(way)
    spent = sum(best(found, "all").processor.values()) / stock
    share = most("all") / MOST_FOR_ALL
    kept["processor time of all"] = spent, MOST_PROCESSOR_TIME * share
    return kept


def show(console: Console, found: Mapping[str, Sequence[Took]]) -> None:
    """Print the table of seconds."""
    stock = best(found, "stock start").wall
    kinds = ("brokers", "workers", "pytest", "others")
    table = Table("way", "best", "worst", "of stock", *kinds, box=None, title=TITLE)
    for way, rounds in found.items():
        took = best(found, way)
        numbers = (took.wall, max(each.wall for each in rounds), took.wall / stock)
        spent = [f"{took.processor[kind]:.1f}" if kind in took.processor else "" for kind in kinds]
        table.add_row(way, *(f"{number:.2f}" for number in numbers), *spent)
    console.print(table)


def main() -> int:
    """Run the bench; the exit code is 1 when a promise does not hold."""
    options = side_by_side.options(__doc__)
    console = Console()
    found = measured(1 if options.smoke else options.rounds)
    show(console, found)
    slack = side_by_side.SMOKE_SLACK if options.smoke else 1.0
    are_kept = True
    for what, (ratio, limit) in promises(found).items():
        holds = ratio <= limit * slack
        are_kept &= holds
        verdict = "holds" if holds else "does not hold"
        console.print(f"{what}: {ratio:.2f}; at most {limit * slack:.2f} {verdict}")
    return 0 if are_kept else 1


if __name__ == "__main__":
    sys.exit(main())
