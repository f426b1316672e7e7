"""How far a group is behind: `kafkalab lag`."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kafkalab import typed
from kafkalab.brokers.cluster import cluster_of
from kafkalab.brokers.errors import ClusterRefuses
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.options import BootstrapOption, CacheOption, ConfigOption
from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import LagUnknown
from kafkalab.observe.group_looks import Look, Onlooker, Standing, UnknownGroup, rates
from kafkalab.readable import readable, shortened
from kafkalab.waiting import wait_until

# Seconds between two looks; by default a member commits every 5 s.
EVERY = 1.0

# Seconds to read the first uncommitted record of each partition. For 1,000 partitions this takes
# 0.1 s; large batches come one by one, and records that come too late are left out.
AGE_LIMIT = 1.0

# Seconds of looks from which the trend is computed: the time of six automatic commits.
LATELY = 30.0

# Offsets a second that are shown as no change: less than one record in LATELY.
STILL = 1 / LATELY

# Seconds: the clocks of two machines may differ by so much; only beyond that a record is shown as
# one in the future.
CLOCKS_DIFFER = 1.0

# Characters of a name from outside in one line; Kafka's own limit for topics is 249.
LONGEST_NAME = 60

IN_OFFSETS = (
    "Lag is in offsets, not records: transaction markers and deleted records have offsets, too."
)
BY_TIMESTAMP = (
    "Seconds: the age of the first record not committed yet, from its timestamp, which its "
    "producer may have set, and this machine's clock; none if no record is left."
)

GroupArgument = Annotated[str, typer.Argument(help="The group's name.", show_default=False)]
TopicsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        help="Only this topic; may be repeated. Without it, those that the group has committed "
        "in, or is assigned.",
        show_default=False,
    ),
]


def lag(
    group: GroupArgument,
    topic: TopicsOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look every second until Ctrl-C, and show the trend.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON: one object for each look.")
    ] = False,
    bootstrap: BootstrapOption = None,
    client_config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Show how far a group is behind: in offsets, and in seconds.

    It looks from outside, and is no member of the group. Only --watch shows a trend.

    Example: kafkalab lag my-group --watch
    """
    cluster = cluster_of(bootstrap, client_config, cache)
    onlooker = Onlooker(cluster.properties, group, topic or ())
    with one_line(f"to look at the group {named(group)}"), told_in_one_line():
        try:
            if watch:
                _watch(onlooker, group, as_json=as_json)
            else:
                show = _print_json if as_json else _print
                show(group, [onlooker.look(read_for=AGE_LIMIT)])
        except KeyboardInterrupt:
            raise typer.Exit(typed.ENDED_BY_CTRL_C) from None


def _watch(onlooker: Onlooker, group: str, *, as_json: bool) -> None:
    looks: list[Look] = []
    with output.redrawn() as redraw:

        def look() -> bool:
            seen = onlooker.look(read_for=AGE_LIMIT)
            looks.append(seen)
            looks[:] = [each for each in looks if each.time >= seen.time - LATELY]
            if as_json:
                _print_json(group, looks)
            else:
                redraw(_drawn(group, looks))
            return False

        wait_until(look, limit=math.inf, what="Ctrl-C", interval=EVERY)


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn an unknown group, an unknown topic or a silent broker into an error of one line.

    Raises:
        ClusterRefuses: one of these happened in the block.
    """
    try:
        yield
    except UnknownGroup as error:
        raise ClusterRefuses(
            f"There is no consumer group {named(str(error))}.",
            suspect="another name, a group that never joined or committed, or one whose offsets "
            "have expired.",
            remedy="start a member of it, or name another: `kafkalab kafka-consumer-groups --list` "
            "shows all groups.",
        ) from error
    except LagUnknown as error:
        raise ClusterRefuses(
            f"Kafka did not give the lag: {shortened(str(error), 300).rstrip('.')}.",
            suspect="a topic that does not exist, or a broker that is gone.",
            remedy="`kafkalab topics list` shows the topics, `kafkalab ps` whether the lab is up.",
        ) from error


def named(name: str) -> str:
    """A name from outside, cut so that it fits into a line."""
    return shortened(name, LONGEST_NAME)


def _print(group: str, looks: Sequence[Look]) -> None:
    output.picture(_drawn(group, looks))


def _print_json(group: str, looks: Sequence[Look]) -> None:
    look, trend = looks[-1], rates(looks)
    ages = _ages(look)
    rows: list[dict[str, Any]] = [
        {
            "topic": each.topic,
            "partition": each.partition,
            "start": each.start,
            "committed": each.committed,
            "end": each.end,
            "high_watermark": each.high,
            "lag": each.lag,
            "seconds": _rounded(ages.get(each.place)),
            "trend": _rounded(trend.get(each.place)),
            "note": note_of(each),
        }
        for each in look.partitions
    ]
    of_all = {
        "group": group,
        "time": _rounded(look.clock),
        "state": look.state,
        "members": len(look.members),
        "lag": look.lag,
        "seconds": _rounded(max(ages.values(), default=None)),
        "trend": _rounded(sum(trend.values())) if trend else None,
        "without_commit": sum(each.committed is None for each in look.partitions),
        "partitions": rows,
    }
    typer.echo(json.dumps(of_all))


def _ages(look: Look) -> dict[Place, float]:
    """The age in seconds, by place; less than 0 if the record's time is in the future."""
    return {
        each.place: look.clock - each.oldest for each in look.partitions if each.oldest is not None
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _drawn(group: str, looks: Sequence[Look]) -> RenderableType:
    """The look as tables; the total comes first, as a terminal may not show all partitions."""
    look, trend = looks[-1], rates(looks)
    ages = _ages(look)
    parts: list[RenderableType] = [
        Text(readable(_heading(group, look)), "bold"),
        Text(_total(look, ages, trend)),
    ]
    for topic, rows in groupby(look.partitions, key=lambda each: each.topic):
        parts += _drawn_topic(topic, list(rows), ages, trend)
    if look.partitions:
        parts += [Text(IN_OFFSETS, "dim"), Text(BY_TIMESTAMP, "dim")]
    return Group(*parts)


def _heading(group: str, look: Look) -> str:
    count = len(look.members)
    members = "1 member" if count == 1 else f"{count or 'no'} members"
    at = time.strftime("%H:%M:%S", time.localtime(look.clock))
    return f"{named(group)} at {at}: {look.state.lower().replace('_', ' ')}, {members}"


def _total(look: Look, ages: Mapping[Place, float], trend: Mapping[Place, float]) -> str:
    count = len(look.partitions)
    if not count:
        return "It has no commits and no assigned partitions, so it has no lag."
    partitions = "1 partition" if count == 1 else f"{count} partitions"
    lag = {None: "none is known", 1: "1 offset"}.get(look.lag, f"{look.lag} offsets")
    words = [f"Lag in total: {lag}, in {partitions}"]
    if ages:
        words.append(f"the oldest uncommitted record is {_age_in_words(max(ages.values()))}")
    if trend:
        words.append(_rate_in_words(sum(trend.values())))
    without = sum(each.committed is None for each in look.partitions)
    if without:
        words.append(f"no commit in {without}")
    return ", ".join(words) + "."


def _age_in_words(age: float) -> str:
    return "in the future" if age < -CLOCKS_DIFFER else f"{max(age, 0):.1f} s old"


def _rate_in_words(rate: float) -> str:
    if abs(rate) < STILL:
        return "no change"
    return f"{'growing' if rate > 0 else 'falling'} by {abs(rate):.1f}/s"


def _drawn_topic(
    topic: str,
    rows: Sequence[Standing],
    ages: Mapping[Place, float],
    trend: Mapping[Place, float],
) -> Iterator[RenderableType]:
    yield Text(readable(topic), "bold cyan")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("", "committed", "end", "lag", "seconds", *(["trend"] if trend else [])):
        table.add_column(name, justify="right", overflow="fold")
    for each in rows:
        rate = trend.get(each.place)
        table.add_row(
            str(each.partition),
            "none" if each.committed is None else str(each.committed),
            "?" if each.end is None else str(each.end),
            _lag_cell(each),
            _age_cell(each, ages),
            *([_rate_cell(rate)] if trend else []),
        )
    yield table
    for each in rows:
        if note := note_of(each):
            yield Text(f"  {each.partition}: {note}", "yellow")


def _lag_cell(standing: Standing) -> str:
    if standing.lag is not None:
        return str(standing.lag)
    return "none" if standing.committed is None else "?"


def _age_cell(standing: Standing, ages: Mapping[Place, float]) -> str:
    if not standing.lag:
        return ""
    if not standing.was_read:
        return "?"
    age = ages.get(standing.place)
    if age is None:
        return "none"
    return "future" if age < -CLOCKS_DIFFER else f"{max(age, 0):.1f}"


def _rate_cell(rate: float | None) -> str:
    if rate is None:
        return ""
    return "0" if abs(rate) < STILL else f"{rate:+.1f}/s"


def note_of(standing: Standing) -> str | None:
    """A note that explains a partition's figures; None if they need none."""
    if standing.end is None or standing.start is None or standing.high is None:
        return "its leader did not report where the log begins and ends"
    if standing.is_before_the_log:
        return (
            f"the commit, {standing.committed}, is before the log's start, {standing.start}: "
            "records were deleted that the group had not read; lag counts from the start"
        )
    if standing.is_behind_the_log:
        return (
            f"the commit, {standing.committed}, is behind the log's end, {standing.high}: the log "
            "was truncated, or the topic was deleted and created again; how much is left is unknown"
        )
    if standing.high > standing.end:
        return (
            f"an open transaction holds back the records from {standing.end} on; the log ends at "
            f"{standing.high}"
        )
    return None
