"""`kafkalab deliver`: runs a strategy of task 1.5 with a failure, and shows what was lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from kafkalab.brokers.borrowed import borrowed_prefix
from kafkalab.brokers.cluster import Cluster, cluster_of, refused_by
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.options import BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.config import Settings
from kafkalab.contracts.routing import KeyedRecord, PublishFailed
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.observe.checks import fate_of
from kafkalab.observe.children import ChildFailed, children, load_once
from kafkalab.observe.delivery_bench import (
    AFTER_COMMIT,
    AFTER_PROCESSING,
    BEFORE_COMMIT,
    BEFORE_PROCESSING,
    LAST,
    TOO_SLOW,
    WHEN_COMMITTED,
    Job,
    run_failing,
)
from kafkalab.solutions import Solutions
from kafkalab.tasks.partition_log import read_to_end
from kafkalab.tasks.routing import publish
from kafkalab.tasks.topics import provision
from kafkalab.waiting import Expired

FAILURES = {
    "before-processing": BEFORE_PROCESSING,
    "after-processing": AFTER_PROCESSING,
    "before-commit": BEFORE_COMMIT,
    "after-commit": AFTER_COMMIT,
    "clock-commits": WHEN_COMMITTED,
    "too-slow": TOO_SLOW,
}
"""by the names that are typed"""

_ALL = ("before-processing", "after-processing", "before-commit", "after-commit", "too-slow")
STRATEGIES = {
    "at-most-once": _ALL,
    "at-least-once": _ALL,
    "auto-commit": ("before-processing", "after-processing", "clock-commits", "too-slow"),
    "exactly-once": _ALL,
}
"""each with the failures that it can meet; auto-commit never calls commit(), where it could fail"""

RECORDS = [b"0", b"1", b"2", b"3", b"4", LAST]

# Milliseconds between automatic commits: one commits while a record is processed, one does not.
QUICK_CLOCK, SLOW_CLOCK = 10, 600_000


def deliver(
    strategy: Annotated[
        str | None, typer.Argument(help=f"{', '.join(STRATEGIES)}; all if you name none.")
    ] = None,
    failure: Annotated[
        str | None, typer.Option("--fail", help=f"{', '.join(FAILURES)}; all if you name none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: a list.")] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Let a processor fail at record 2, and another go on: what is lost, or repeated?

    It makes topics and groups of its own, and deletes them at the end.
    Example: kafkalab deliver at-least-once --fail before-commit
    """
    pairs = _pairs(strategy, failure)
    cluster = cluster_of(bootstrap, config, cache)
    with one_line("to deliver records"):
        rows = _run(cluster, pairs, Settings.from_environment(cache=cache).cache)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _show(rows)


def _pairs(strategy: str | None, failure: str | None) -> list[tuple[str, str]]:
    """The pairs of strategy and failure that were asked for.

    Raises:
        WrongValue: a name is unknown, or the strategy cannot meet the failure.
    """
    if strategy is not None:
        strategy = strategy.replace("_", "-")
        if strategy not in STRATEGIES:
            raise WrongValue(f"there is no strategy {strategy}: one of {', '.join(STRATEGIES)}")
    if failure is not None and failure not in FAILURES:
        raise WrongValue(f"--fail {failure}: one of {', '.join(FAILURES)}")
    pairs = [
        (name, each)
        for name, failures in STRATEGIES.items()
        for each in failures
        if strategy in (None, name) and failure in (None, each)
    ]
    if not pairs:
        raise WrongValue(
            f"--fail {failure}: {strategy} cannot meet it; one of "
            f"{', '.join(STRATEGIES[strategy or ''])}"
        )
    return pairs


def _run(cluster: Cluster, pairs: Sequence[tuple[str, str]], cache: Path) -> list[dict[str, Any]]:
    """What became of the records, for each strategy and failure."""
    load_once(__name__, "kafkalab.tasks.delivery")
    with borrowed_prefix(cluster.properties, cache) as prefix:
        try:
            jobs = {pair: _job(cluster, prefix, *pair) for pair in pairs}
            with children() as start:
                seen = run_failing(start, jobs)
        except (ChildFailed, Expired, PublishFailed, AssertionError) as error:
            raise refused_by("to deliver records", str(error)) from error
        for pair, job in jobs.items():
            if job.copy:
                # An aborted transaction takes back what was processed: committed output counts.
                seen[pair] = [each.value for each in read_to_end(cluster.properties, [job.copy])]
    return [_row(*pair, seen[pair]) for pair in pairs]


def _job(cluster: Cluster, prefix: str, strategy: str, failure: str) -> Job:
    name = f"{prefix}{strategy}-{failure}"
    names = [name, f"{name}-copy"] if strategy == "exactly-once" else [name]
    for each in provision(cluster.properties, [TopicDefinition(each) for each in names]):
        if each.error:
            raise refused_by("to create a topic", each.error)
    publish(cluster.properties, [KeyedRecord(name, b"key", value) for value in RECORDS])
    clock = QUICK_CLOCK if failure == "clock-commits" else SLOW_CLOCK
    return Job(
        Solutions(None).delivery,
        strategy.replace("-", "_"),
        cluster.properties,
        name,
        name,
        copy=names[-1] if len(names) > 1 else "",
        settings={"auto.commit.interval.ms": clock} if strategy == "auto-commit" else {},
        failure=FAILURES[failure],
    )


def _row(strategy: str, failure: str, seen: Sequence[bytes | None]) -> dict[str, Any]:
    fate = fate_of(RECORDS, seen)
    firsts = list(dict.fromkeys(seen))
    return {
        "strategy": strategy,
        "failure": failure,
        "lost": len(fate.lost),
        "repeated": len(fate.repeated),
        "in_order": firsts == [each for each in RECORDS if each in firsts],
        "processed": [(value or b"").decode() for value in seen],
    }


def _show(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("strategy", "failure"):
        table.add_column(heading)
    for heading in ("lost", "repeated"):
        table.add_column(heading, justify="right")
    table.add_column("in order")
    table.add_column("processed")
    for row in rows:
        table.add_row(
            row["strategy"],
            row["failure"],
            f"[{'red' if row['lost'] else 'green'}]{row['lost']}[/]",
            f"[{'yellow' if row['repeated'] else 'green'}]{row['repeated']}[/]",
            "yes" if row["in_order"] else "no",
            " ".join(row["processed"]),
        )
    output.picture(table)
    if any(row["strategy"] == "exactly-once" for row in rows):
        output.line(
            "For exactly-once it shows the records that a reader of committed records gets.",
            style="dim",
        )
