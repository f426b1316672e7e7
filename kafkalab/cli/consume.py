"""`kafkalab consume` and `kafkalab distribution`: a topic's partition logs, and their sizes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from confluent_kafka import Consumer, TopicPartition
from rich.table import Table

from kafkalab.brokers.cluster import cluster_of, refused_by
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.options import BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.cli.topics import partitions_of
from kafkalab.contracts import Place
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord, ReadFailed
from kafkalab.contracts.rebalance import Change
from kafkalab.tasks.delivery import SETTINGS, at_least_once
from kafkalab.tasks.partition_log import (
    follow_from,
    log_line,
    read_between,
    read_to_end,
    record_of,
    spans_of,
    to_json,
)
from kafkalab.tasks.rebalance import RebalanceListener
from kafkalab.tasks.routing import distribution as counted

if TYPE_CHECKING:
    from confluent_kafka import Message

# The numbers of a terminal's colours: rich would be too slow for a million lines.
SGR = {"cyan": 36, "magenta": 35, "green": 32, "yellow": 33, "blue": 34, "red": 31}

FROM = re.compile(r"(?P<word>oldest|newest)(?:-(?P<back>\d+))?|(?P<offset>\d+)")
AGO = re.compile(r"(?P<count>\d+(?:\.\d+)?)(?P<unit>[smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

WIDEST_BAR = 30


def consume(
    topics: Annotated[list[str], typer.Argument(help="The topics to read.")],
    begin: Annotated[
        str,
        typer.Option("--from", help="oldest, newest, newest-10 (of each partition), or an offset."),
    ] = "oldest",
    at: Annotated[
        str | None,
        typer.Option(help="Begin at a time, as in 2026-11-27T14:30, or 10m for 10 minutes ago."),
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this one. May be given more than once.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max", min=1, help="Stop after so many records.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as records come, until Ctrl-C.")
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(help="Join this group, follow, and commit what was shown: partitions move."),
    ] = None,
    uncommitted: Annotated[
        bool, typer.Option("--uncommitted", help="Records of open and aborted transactions, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Each record as a line of JSON.")] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Show the records of topics, partition by partition, each with its partition and offset.

    Without --group no other consumer is disturbed. It stops at the end that the log had when
    it began. Example: kafkalab consume orders --from newest-10 --follow
    """
    if group is not None and (begin != "oldest" or at or partition):
        raise WrongValue(
            "--group begins at the group's commit: leave out --from, --at and --partition"
        )
    if at is not None and begin != "oldest":
        raise WrongValue("--from and --at both say where to begin: leave one of them out")
    asked = FROM.fullmatch(begin)
    if asked is None or (asked["word"] == "oldest" and asked["back"]):
        raise WrongValue(f"--from {begin}: oldest, newest, newest-10 or an offset")
    since = None if at is None else _moment(at)
    cluster = cluster_of(bootstrap, config, cache)
    level = "read_uncommitted" if uncommitted else "read_committed"
    properties = {**cluster.impatient, "isolation.level": level}
    show = _Shown(as_json=as_json, at_once=follow or group is not None)
    with one_line(f"to read {', '.join(topics)}"):
        known = {(topic, each) for topic in topics for each in partitions_of(cluster, topic)}
        if group is not None:
            _as_member(properties, group, topics, show, most)
            return
        chosen = _chosen(topics, known, partition)
        try:
            spans = spans_of(properties, topics)
            starts = {
                place: _start(asked, *spans[place]) if since is None else spans[place][1]
                for place in sorted(chosen)
            }
            if since is not None:
                starts |= _starts_at(properties, starts, since)
            records = (
                follow_from(properties, starts, quiet=math.inf)
                if follow
                else read_between(
                    properties, {place: (start, spans[place][1]) for place, start in starts.items()}
                )
            )
            _show(records, show, most)
        except ReadFailed as error:
            raise refused_by(f"to read {', '.join(topics)}", str(error)) from error


def _show(records: Iterator[LogRecord], show: _Shown, most: int | None) -> None:
    with closing(records):  # type: ignore[type-var]
        for number, record in enumerate(records, 1):
            show(record)
            if number == most:
                return


class _Shown:
    """Prints records: a line of JSON, or one in the colour of its partition."""

    def __init__(self, *, as_json: bool, at_once: bool) -> None:
        """Begin.

        Args:
            as_json: whether to print JSON, for programs.
            at_once: whether to print each record at once, without waiting for more.
        """
        self._as_json = as_json
        self._at_once = at_once
        self._has_colours = output.has_colours()

    def __call__(self, record: LogRecord) -> None:
        text = to_json(record) if self._as_json else log_line(record)
        if self._has_colours and not self._as_json:
            colour = SGR[output.COLOURS[record.partition % len(output.COLOURS)]]
            text = f"\x1b[{colour}m{text}\x1b[0m"
        output.one_of_many(text, at_once=self._at_once)


def _chosen(
    topics: Sequence[str], known: set[Place], partitions: Sequence[int] | None
) -> set[Place]:
    """The partitions to read.

    Raises:
        BrokerError: a topic does not have all of them.
    """
    if not partitions:
        return known
    chosen = {(topic, each) for topic in topics for each in partitions}
    if strange := sorted(chosen - known):
        topic, partition = strange[0]
        count = sum(name == topic for name, _ in known)
        raise refused_by(
            f"to read {topic}", f"there is no partition {partition}: it has {count}, from 0 on"
        )
    return chosen


def _start(asked: re.Match[str], start: int, end: int) -> int:
    """The offset to begin at, in a log from `start` to `end`."""
    if asked["offset"]:
        return min(max(int(asked["offset"]), start), end)
    if asked["word"] == "oldest":
        return start
    return max(start, end - int(asked["back"] or 0))


def _moment(given: str) -> int:
    """A time in milliseconds since the epoch; one without a zone is in this machine's zone.

    Raises:
        WrongValue: it is no time.
    """
    try:
        if ago := AGO.fullmatch(given):
            when = datetime.now() - timedelta(**{UNITS[ago["unit"]]: float(ago["count"])})
        else:
            when = datetime.fromisoformat(given)
        return int(when.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise WrongValue(
            f"--at {given}: a time as in 2026-11-27T14:30, or how long ago, as in 10m, 2h, 3d"
        ) from None


def _starts_at(
    properties: Mapping[str, Any], places: Mapping[Place, int], since: int
) -> dict[Place, int]:
    """The first offset from that time on, for the partitions that have one."""
    settings = {**properties, "group.id": "kafkalab-partition-log", "enable.auto.commit": False}
    with closing(Consumer(settings)) as looker:
        asked = [TopicPartition(*place, since) for place in places]
        found = looker.offsets_for_times(asked, timeout=READ_LIMIT)
    return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


# As a member


def _as_member(
    properties: Mapping[str, Any],
    group: str,
    topics: Sequence[str],
    show: _Shown,
    most: int | None,
) -> None:
    """Read as one more member of a group, and commit what was shown."""
    output.note(f"You are a member of {group} now: partitions move to you, and others wait for it.")
    changes: list[Change] = []
    listener = RebalanceListener("you", changes)
    shown = told = 0

    def process(message: Message) -> None:
        nonlocal shown
        show(record_of(message))
        shown += 1

    def stop() -> bool:
        nonlocal told
        for change in changes[told:]:
            names = ", ".join(f"{topic}-{each}" for topic, each in sorted(change.partitions))
            output.note(f"{change.kind}: {names or 'nothing'}")
        told = len(changes)
        return shown == most

    consumer = Consumer(
        {
            **properties,
            "group.id": group,
            "auto.offset.reset": "earliest",
            **SETTINGS["at_least_once"],
        }
    )
    consumer.subscribe(
        list(topics),
        on_assign=listener.on_assign,
        on_revoke=listener.on_revoke,
        on_lost=listener.on_lost,
    )
    at_least_once(consumer, process, stop)


# How they fill


def distribution(
    topic: Annotated[str, typer.Argument(help="The topic whose records to count.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Count the records of each partition, by reading all of them.

    Counting by offsets would be quicker, but wrong: transactions and compaction leave gaps.
    Example: kafkalab distribution orders
    """
    cluster = cluster_of(bootstrap, config, cache)
    with one_line(f"to read {topic}"):
        partitions = len(partitions_of(cluster, topic))
        try:
            records = read_to_end(cluster.impatient, [topic])
            found = counted((record.partition for record in records), partitions)
        except ReadFailed as error:
            raise refused_by(f"to read {topic}", str(error)) from error
        if as_json:
            rows = [
                {"partition": number, "records": count, "share": share}
                for number, (count, share) in enumerate(
                    zip(found.counts, found.shares, strict=True)
                )
            ]
            told = {"topic": topic, "records": found.total, "skew": found.skew}
            typer.echo(json.dumps({**told, "partitions": rows}, indent=2))
            return
        table = Table(box=None, pad_edge=False)
        for heading in ("partition", "records", "share"):
            table.add_column(heading, justify="right")
        table.add_column("")
        room = max(0, min(WIDEST_BAR, output.width() - 30))
        most = max(found.shares) or 1.0
        bar = "█" if output.can_show("█") else "#"
        for number, (count, share) in enumerate(zip(found.counts, found.shares, strict=True)):
            colour = output.COLOURS[number % len(output.COLOURS)]
            length = round(room * share / most)
            table.add_row(str(number), str(count), f"{share:.0%}", f"[{colour}]{bar * length}[/]")
        output.picture(table)
        output.line(
            f"{found.total} records, counted by reading them. The fullest partition has "
            f"{found.skew:.2f} times the mean."
        )
