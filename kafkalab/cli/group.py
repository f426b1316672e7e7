"""`kafkalab group watch`: which member owns which partition, and how that changes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

import msgspec
import typer
from confluent_kafka.admin import AdminClient
from rich.console import Group as Parts
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kafkalab import typed
from kafkalab.brokers.cluster import Cluster, cluster_of, refused_by
from kafkalab.brokers.errors import ClusterRefuses
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.lag import GroupArgument, TopicsOption, named, told_in_one_line
from kafkalab.cli.options import EITHER_NAME, BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.cli.topics import partitions_of
from kafkalab.clients import LAB_CLIENT, LAB_CONSUMER
from kafkalab.contracts import Place
from kafkalab.contracts.rebalance import Change
from kafkalab.observe.checks import Span, spans
from kafkalab.observe.group_looks import Look, Onlooker
from kafkalab.observe.groups import PROTOCOLS, Group, Member, describe_group
from kafkalab.observe.history import Event, Kind
from kafkalab.readable import readable
from kafkalab.tasks.rebalance import ownerless
from kafkalab.waiting import Expired, wait_until

app = typer.Typer(
    help="Consumer groups: their members, and what each owns.",
    context_settings=EITHER_NAME,
    no_args_is_help=True,
)

# Seconds between two looks, so that a learner can see what moved.
EVERY = 0.5
# One for each letter, and about as many as fit into a terminal.
MOST_MEMBERS = 26


class Step(NamedTuple):
    """A part of the scenario."""

    members: int
    began: float
    """seconds on the monotonic clock"""
    stable: float
    """when each partition had its owner again, on the same clock"""


@app.callback()
def _of_groups() -> None:
    """Make typer treat `watch` as a subcommand, though it is the only one."""


@app.command()
def watch(
    group: GroupArgument,
    topic: TopicsOption = None,
    consumers: Annotated[
        str | None,
        typer.Option(help="Play a scenario with own members: their number in each step."),
    ] = None,
    step: Annotated[
        float, typer.Option(min=0.5, max=600, help="Seconds that each step lasts.")
    ] = 4.0,
    protocol: Annotated[
        str, typer.Option(help=f"The protocol of own members: {', '.join(PROTOCOLS)}.")
    ] = "cooperative",
    as_json: Annotated[
        bool, typer.Option("--json", help="As JSON: one object for each look.")
    ] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Watch a group from outside: members, partitions, lag, until Ctrl-C.

    With --consumers it adds and removes members, and draws which of them owned what.
    Example: kafkalab group watch demo --topic orders --consumers 1,2,3,2
    """
    counts = None if consumers is None else _counts(consumers)
    protocols = {name.lower(): name for name in PROTOCOLS}
    if protocol.lower() not in protocols:
        raise WrongValue(f"--protocol {protocol}: one of {', '.join(PROTOCOLS)}")
    cluster = cluster_of(bootstrap, config, cache)
    with one_line(f"to watch the group {named(group)}"), told_in_one_line():
        try:
            if counts is None:
                _watch(Onlooker(cluster.properties, group, topic or ()), group, as_json=as_json)
            else:
                topics = topic or ["user-events"]
                _play(cluster, group, topics, counts, step, protocols[protocol.lower()])
        except KeyboardInterrupt:
            raise typer.Exit(typed.ENDED_BY_CTRL_C) from None


def _counts(given: str) -> list[int]:
    """The number of members in each step of the scenario.

    Raises:
        WrongValue: these are no numbers, or too many members.
    """
    parts = given.split(",")
    counts = [int(each) for each in parts if each.strip().isdecimal()]
    if len(counts) != len(parts) or not all(1 <= each <= MOST_MEMBERS for each in counts):
        raise WrongValue(f"--consumers {given}: numbers from 1 to {MOST_MEMBERS}, as in 1,2,3,2")
    return counts


# From outside


def _watch(onlooker: Onlooker, group: str, *, as_json: bool) -> None:
    with output.redrawn() as redraw:

        def look() -> bool:
            seen = onlooker.look()
            if as_json:
                typer.echo(msgspec.json.encode(seen).decode())
            else:
                redraw(_drawn(group, seen))
            return False

        wait_until(look, limit=math.inf, what="Ctrl-C", interval=EVERY)


def _drawn(group: str, look: Look) -> RenderableType:
    at = time.strftime("%H:%M:%S", time.localtime(look.clock))
    how = " ".join(filter(None, (look.protocol.lower(), look.assignor)))
    heading = f"{named(group)} at {at}: {look.state.lower().replace('_', ' ')}, {how}"
    owners = {
        place: number for number, each in enumerate(look.members) for place in each.partitions
    }
    table = Table(box=None, pad_edge=False)
    for name in ("partition", "owner", "committed", "end", "lag"):
        table.add_column(name, justify="left" if name in ("partition", "owner") else "right")
    for row in look.partitions:
        number = owners.get(row.place)
        owner = Text("no member", "red") if number is None else _name_of(look, number)
        told = ("none" if each is None else str(each) for each in (row.committed, row.end, row.lag))
        table.add_row(f"{row.topic}-{row.partition}", owner, *told)
    idle = [_name_of(look, at) for at, each in enumerate(look.members) if not each.partitions]
    parts: list[RenderableType] = [Text(readable(heading), "bold"), table]
    parts += [Text.assemble(name, " owns nothing") for name in idle]
    return Parts(*parts)


def _name_of(look: Look, number: int) -> Text:
    member = look.members[number]
    name = member.instance or member.client
    if sum(name == (each.instance or each.client) for each in look.members) > 1:
        # Members of one program have the same client.id: the end of the member's id differs.
        name = f"{name} ...{member.id[-4:]}"
    return Text(readable(name), output.COLOURS[number % len(output.COLOURS)])


# A scenario


def _play(
    cluster: Cluster,
    group: str,
    topics: Sequence[str],
    counts: Sequence[int],
    seconds: float,
    protocol: str,
) -> None:
    """Add and remove members for each step, and draw which member owned which partition.

    Raises:
        BrokerError: the group has members of others, or did not become stable.
    """
    partitions = sum(len(partitions_of(cluster, topic)) for topic in topics)
    admin = AdminClient(cluster.properties)
    if describe_group(admin, group).assignments:
        raise ClusterRefuses(
            f"The group {named(group)} has members that are not ours.",
            suspect="another program that uses this group.",
            remedy="name a new group for the scenario.",
        )
    config = {
        **cluster.properties,
        **LAB_CLIENT,
        **LAB_CONSUMER,
        **PROTOCOLS[protocol],
        "log_level": 0,
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 500,
    }
    ours = Group(admin, group, list(topics), partitions, config)
    members: list[Member] = []
    steps: list[Step] = []
    output.line(f"{named(group)}, {protocol}, {partitions} partitions", style="bold")
    try:
        for count in counts:
            steps.append(_step(ours, members, count))
            _tell(steps[-1], members)
            ends = time.monotonic() + seconds
            wait_until(
                lambda ends=ends: time.monotonic() >= ends,  # type: ignore[misc]
                limit=seconds + 60,
                what="the step to end",
            )
        ended = time.monotonic()
    except Expired as error:
        raise refused_by("to make the group stable", readable(str(error))) from error
    finally:
        # Events of closing belong to no step.
        events = list(ours.history)
        ours.close()
    _draw(events, steps, ended)


def _step(ours: Group, members: list[Member], count: int) -> Step:
    began = time.monotonic()
    while len(members) < count:
        members.append(ours.add())
    while len(members) > count:
        ours.remove(members.pop())
    ours.wait_for_stable()
    return Step(count, began, time.monotonic())


def _tell(step: Step, members: Sequence[Member]) -> None:
    count = "1 member" if step.members == 1 else f"{step.members} members"
    owned = "; ".join(
        f"{_letter(each.name)} {', '.join(str(p) for _, p in sorted(each.assignment)) or 'nothing'}"
        for each in members
    )
    output.line(f"{count}, stable after {step.stable - step.began:.2f} s: {owned}")


def _letter(member: str) -> str:
    """A, B, ... for member-1, member-2, ..."""
    return chr(ord("A") + (int(member.rpartition("-")[2]) - 1) % MOST_MEMBERS)


def _draw(events: Sequence[Event], steps: Sequence[Step], ended: float) -> None:
    """Print a row for each partition: its owner over time, and how long it had none."""
    owned = spans(sorted(events, key=lambda event: event.time))
    places = sorted({each.assigned.place for each in owned})
    gaps = _seconds_without_owner(events, ended)
    labels = {place: f"{place[0]}-{place[1]}" for place in places}
    label = max(map(len, labels.values()), default=0)
    behind = "  no owner for"
    room = max(20, min(100, output.width() - label - len(behind) - 3))
    began, slice_ = steps[0].began, (ended - steps[0].began) / room
    marks = [" "] * (room + 3)
    for step in steps:
        at = int((step.began - began) / slice_)
        for offset, letter in enumerate(str(step.members)):
            marks[at + offset] = letter
    parts = [Text(f"{'members':<{label}} {''.join(marks[:room])}{behind}", "dim")]
    for place in places:
        line = Text(f"{labels[place]:<{label}} ")
        theirs = [each for each in owned if each.assigned.place == place]
        for number in range(room):
            line.append_text(_at(theirs, began + number * slice_, slice_))
        line.append(f"  {gaps.get(place, 0.0) * 1000:.0f} ms")
        parts.append(line)
    output.picture(Parts(*parts))
    output.line(
        "A letter is the owner; . is a time without an owner, or in which the owner changed. "
        "No owner for: between the first assignment and the end.",
        style="dim",
    )


def _at(theirs: Sequence[Span], since: float, seconds: float) -> Text:
    """The owner's letter, if one member owned the partition all of the time; else a dot."""
    for each in theirs:
        until = each.ended.time if each.ended else math.inf
        if each.assigned.time <= since and until >= since + seconds:
            letter = _letter(each.assigned.actor)
            return Text(letter, output.COLOURS[(ord(letter) - ord("A")) % len(output.COLOURS)])
    return Text(".")


def _seconds_without_owner(events: Iterable[Event], ended: float) -> dict[Place, float]:
    changes = [
        Change(event.actor, event.kind.value, (event.place,), event.time)
        for event in events
        if event.kind in (Kind.ASSIGN, Kind.REVOKE, Kind.LOST) and event.partition is not None
    ]
    found: dict[Place, float] = {}
    for gap in ownerless(changes):
        place = (gap.topic, gap.partition)
        found[place] = found.get(place, 0.0) + (gap.until or ended) - gap.since
    return found
