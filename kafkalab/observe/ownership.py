"""Which member owns which partition: as the coordinator says, and as the callbacks said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafkalab.observe.checks import spans
from kafkalab.observe.groups import Group, GroupDescription, Member
from kafkalab.observe.history import Event, Kind

WHO_WAS_TOLD = (
    "The members' callbacks: on_assign adds partitions, on_revoke takes them away; a member "
    "without a callback has no row"
)
# Shows what that table does not: members without a callback.
MEMBERS_HAVE = "Partitions of each member, the fewest first, as the coordinator says: {}"

# A column that lists partitions by number; it does not count them.
BY_NUMBER = "partitions, by number"

# Each change of a member's ownership, and the name of its callback.
CALLBACKS = {
    Kind.ASSIGN: "on_assign",
    Kind.REVOKE: "on_revoke",
    Kind.LOST: "on_lost",
    Kind.CRASH: "is killed",
}

Since = Callable[[float], float]
"""seconds since a test began, of a time on the monotonic clock, as `Evidence.since` has it"""


def shares(described: GroupDescription) -> list[int]:
    """How many partitions each member has, the fewest first."""
    return sorted(len(each) for each in described.assignments)


def numbers(member: Member) -> list[int]:
    """The partitions that a member owns by its own account, by number."""
    return sorted(partition for _, partition in member.assignment)


def callbacks(group: Group) -> list[list[Event]]:
    """The changes of the members' ownership: one list of events for each callback."""
    told: dict[tuple[str, Kind, float], list[Event]] = {}
    for each in group.history:
        if each.kind in CALLBACKS:
            told.setdefault((each.actor, each.kind, each.time), []).append(each)
    return sorted(told.values(), key=lambda events: events[0].time)


def told_by_callback(group: Group) -> list[tuple[str, str, list[tuple[str, int]]]]:
    """The members' callbacks in order: member, kind, partitions."""
    return [
        (
            first.actor,
            first.kind.value,
            sorted(each.place for each in (first, *more) if each.partition is not None),
        )
        for first, *more in callbacks(group)
    ]


def times_told(group: Group, member: Member) -> int:
    """How many callbacks a member got."""
    return sum(told[0].actor == member.name for told in callbacks(group))


def told_of(group: Group, member: Member, kind: Kind) -> list[int]:
    """The partitions in a member's callbacks of a kind, sorted; with repetitions."""
    return sorted(
        each.partition
        for each in group.history.of(kind)
        if each.actor == member.name and each.partition is not None
    )


def told_rows(group: Group, since: Since) -> list[dict[str, Any]]:
    """The members' callbacks as rows of evidence."""
    return [
        {
            "seconds": since(first.time),
            "member": first.actor,
            "what happened": CALLBACKS[first.kind],
            BY_NUMBER: [each.partition for each in (first, *more) if each.topic],
        }
        for first, *more in callbacks(group)
    ]


def owned_spans(group: Group) -> list[dict[str, object]]:
    """Which member owned each partition, and from when to when, as spans of a picture."""
    events = list(group.history)
    return [
        {
            "row": f"partition {each.assigned.partition}",
            "start": each.assigned.time,
            "end": each.ended.time if each.ended else events[-1].time,
            "what": each.assigned.actor,
        }
        for each in spans(events)
    ]


def group_rows(described: Mapping[str, GroupDescription]) -> list[dict[str, object]]:
    """Groups by their protocols, as rows of evidence."""
    return [
        {
            "protocol": protocol,
            "state": each.state,
            "members": len(each.assignments),
            "partitions in all": sum(shares(each)),
        }
        for protocol, each in described.items()
    ]
