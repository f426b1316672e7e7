"""Consumers of the server's own: they join groups, own partitions, and leave again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from confluent_kafka import KafkaException

from kafkalab.clients import LAB_CONSUMER
from kafkalab.observe.groups import PROTOCOLS, Group, Handle, Member
from kafkalab.observe.history import Event, History
from kafkalab.readable import shortened
from kafkalab.waiting import wait_until
from kafkalab.web.clients import Kafka
from kafkalab.web.problems import Problem

MOST_MEMBERS = 8

# Seconds that all members have to leave when the server ends.
LEAVE_LIMIT = 10.0

Protocol = Literal["eager", "cooperative", "kip848"]
"""as the API has it"""

SETTINGS = {name.lower().replace("-", ""): config for name, config in PROTOCOLS.items()}


@dataclass(frozen=True)
class Change:
    """A change of a member."""

    group: str
    time: float
    """seconds since the epoch, by the server's clock"""
    member: str
    kind: str
    """assign, revoke, lost, join or leave"""
    partitions: tuple[tuple[str, int], ...] = ()


Tell = Callable[[Change], None]


class _Forgetful(History):
    """Keeps nothing: a server runs for days."""

    def add(self, event: Event) -> None:
        pass


@dataclass
class _Ours:
    """A group with members of the server's own."""

    group: Group
    topics: tuple[str, ...]
    protocol: str
    members: dict[str, Member] = field(default_factory=dict)


class Members:
    """The server's own members, in all groups."""

    def __init__(self, kafka: Kafka) -> None:
        """Begin without members.

        Args:
            kafka: the cluster that they join.
        """
        self.tell: Tell = lambda _: None
        """called with each change, in the thread of its member"""
        self._kafka = kafka
        self._groups: dict[str, _Ours] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def add(
        self, group: str, topics: Sequence[str], partitions: int, protocol: str, pace: float | None
    ) -> str:
        """Start a member, and return its name; it joins in the background.

        Args:
            group: its name.
            topics: what it subscribes to; the server's other members of the group must have
                the same.
            partitions: of these topics together.
            protocol: a name of SETTINGS; the server's other members must have the same.
            pace: records a second that it reads; None: as fast as it can.

        Raises:
            Problem: the server has MOST_MEMBERS, or the others differ in topics or protocol.
        """
        with self._lock:
            if self._is_closed:
                raise Problem(503, "The server is about to end.")
            if sum(len(each.members) for each in self._groups.values()) >= MOST_MEMBERS:
                raise Problem(
                    409,
                    f"The server has {MOST_MEMBERS} members, and cannot have more: "
                    "remove one with DELETE first.",
                )
            ours = self._groups.get(group)
            if ours is None or not ours.members:
                ours = self._groups[group] = self._new(group, tuple(topics), partitions, protocol)
            elif (ours.topics, ours.protocol) != (tuple(topics), protocol):
                raise Problem(
                    409,
                    f"The server's members of this group are {ours.protocol}, and read "
                    f"{shortened(', '.join(ours.topics), 200)}: a new one must do the same.",
                )
            name: Future[str] = Future()
            told: dict[str, Any] = {
                f"on_{kind}": self._telling(group, name, kind)
                for kind in ("assign", "revoke", "lost")
            }
            if pace is not None:
                told["handle"] = _slowly(pace)
            member = ours.group.add(**told)
            ours.members[member.name] = member
            name.set_result(member.name)
        self.tell(Change(group, time.time(), member.name, "join"))
        return member.name

    def remove(self, group: str, name: str) -> None:
        """Let a member leave as close() does; on return it is gone.

        Raises:
            Problem: there is no such member.
        """
        with self._lock:
            ours = self._groups.get(group)
            member = ours.members.pop(name, None) if ours else None
            if ours is None or member is None:
                raise Problem(
                    404,
                    f"The server has no member {shortened(name, 60)} in {shortened(group, 60)}.",
                )
        try:
            # A member that had failed raises its error here, and is gone all the same.
            with contextlib.suppress(KafkaException):
                ours.group.remove(member)
        finally:
            self.tell(Change(group, time.time(), name, "leave"))

    def topics_of(self, group: str) -> tuple[str, ...]:
        """The topics that the server's members of a group read; empty if it never had any."""
        ours = self._groups.get(group)
        return ours.topics if ours else ()

    def groups(self) -> list[str]:
        """The groups that have members of the server's own."""
        with self._lock:
            return [name for name, ours in self._groups.items() if ours.members]

    def close(self) -> None:
        """Let all members leave, within LEAVE_LIMIT."""
        with self._lock:
            self._is_closed = True
            groups = [ours.group for ours in self._groups.values() if ours.members]
            self._groups.clear()
        if not groups:
            return
        leaving = [threading.Thread(target=each.close, daemon=True) for each in groups]
        for thread in leaving:
            thread.start()
        deadline = time.monotonic() + LEAVE_LIMIT
        for thread in leaving:
            # A member that hangs ends with the process.
            thread.join(max(0.0, deadline - time.monotonic()))

    def _new(self, group: str, topics: tuple[str, ...], partitions: int, protocol: str) -> _Ours:
        config = {
            **self._kafka.config,
            **LAB_CONSUMER,
            **SETTINGS[protocol],
            "enable.auto.commit": True,
            "auto.commit.interval.ms": 500,
        }
        made = Group(
            self._kafka.admin, group, list(topics), partitions, config, tells_generation=False
        )
        made.history = _Forgetful()
        return _Ours(made, topics, protocol)

    def _telling(self, group: str, name: Future[str], kind: str) -> Any:
        def told(_: object, partitions: Sequence[Any]) -> None:
            places = tuple(sorted((each.topic, each.partition) for each in partitions))
            # The first assignment may come before add() knows the name; this waits for it.
            self.tell(Change(group, time.time(), name.result(), kind, places))

        return told


def _slowly(pace: float) -> Handle:
    """Processing that takes 1 / pace seconds for each record."""

    def handle(*_: object) -> None:
        due = time.monotonic() + 1 / pace
        wait_until(lambda: time.monotonic() >= due, limit=1 / pace + 60, what="the next record")

    return handle
