"""What the benches share: arms that run in turn, medians, ratios to the first arm, a promise."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from kafkalab.brokers import Broker, Topology
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.runs import Run
from kafkalab.cli.setup import Bar
from kafkalab.config import Settings

SMOKE_ROUNDS = 3
# A factor on a promise in smoke form, for processes that take less than a second: it is small
# enough to notice a loss of speed.
SMOKE_SLACK = 1.25

Arms = Mapping[str, Callable[[], float]]
"""different ways to do the same; each returns the seconds that it takes"""


def options(doc: str | None) -> argparse.Namespace:
    """The options of a bench: `rounds`, and `smoke`."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help=f"{SMOKE_ROUNDS} rounds, of which the best counts: for CI, where other work runs, too",
    )
    return parser.parse_args()


def embedded() -> EmbeddedBackend:
    """The embedded backend, prepared."""
    backend = EmbeddedBackend(Settings.from_environment().cache)
    with Bar() as bar:
        backend.prepare(bar)
    return backend


@contextlib.contextmanager
def running_broker() -> Iterator[Broker]:
    """One broker, in a run's folder: if the bench is killed, the next run removes it."""
    backend = embedded()
    run = Run.new(backend.cache, "embedded")
    run.open()
    broker = backend.launch(Topology(), run.folder / "bench")
    try:
        yield broker
    finally:
        broker.close()
        run.close()


def seconds_of(work: Callable[[], None]) -> float:
    """Seconds that a piece of work takes, with setting up and cleaning up."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def measure(arms: Arms, rounds: int) -> dict[str, list[float]]:
    """Seconds of each arm, one figure for each round; a first round warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds + 1):
        for name, run in arms.items():
            seconds[name].append(run())
    return {name: figures[1:] for name, figures in seconds.items()}


def show(console: Console, seconds: Mapping[str, Sequence[float]]) -> None:
    """Print each arm's median, minimum and maximum, and its ratio to the first arm."""
    first = next(iter(seconds))
    table = Table("way", "median s", "min", "max", f"of {first}", box=None)
    for name, figures in seconds.items():
        median = statistics.median(figures)
        ratio = median / statistics.median(seconds[first])
        numbers = (median, min(figures), max(figures), ratio)
        table.add_row(name, *(f"{number:.2f}" for number in numbers))
    console.print(table)


def judge(
    console: Console,
    seconds: Mapping[str, Sequence[float]],
    arm: str,
    most: float,
    *,
    smoke: bool,
) -> int:
    """Print whether an arm keeps its promise against the first arm; 0 when it does.

    The arms are compared round by round. The median counts; in smoke form the best round.
    """
    first = next(iter(seconds))
    ratios = [one / other for one, other in zip(seconds[arm], seconds[first], strict=True)]
    ratio = min(ratios) if smoke else statistics.median(ratios)
    verdict = "holds" if ratio <= most else "does not hold"
    console.print(f"{arm} is {ratio:.2f} of {first}; at most {most:.2f} {verdict}")
    return 0 if ratio <= most else 1
