"""Consumer groups: seen and set by an observer that is no member, and run member by member."""

from __future__ import annotations

import contextlib
import queue
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalab.contracts import ClientConfig, Place
from kafkalab.observe.children import Child, Say
from kafkalab.observe.history import (
    Event,
    History,
    Kind,
    State,
    committed,
    poll_failed,
    polled,
)
from kafkalab.observe.topics import ADMIN_LIMIT
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
    from confluent_kafka.admin import AdminClient

Result = TypeVar("Result")

# Lessons cannot wait for defaults: a member that dies is missed after 45 s, a change of the
# group is heard of with the next heartbeat, after 3 s. Under KIP-848 the broker sets both.
_CLASSIC: ClientConfig = {
    "group.protocol": "classic",
    # The shortest that any broker takes (group.min.session.timeout.ms). One second would do
    # until a loaded machine is late with its heartbeats; who waits for a death asks for it.
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 150,
}
EAGER: ClientConfig = {**_CLASSIC, "partition.assignment.strategy": "range"}
"""classic, and everybody gives up everything at each rebalance"""
COOPERATIVE: ClientConfig = {**_CLASSIC, "partition.assignment.strategy": "cooperative-sticky"}
"""classic, and only what moves is given up (KIP-429)"""
KIP_848: ClientConfig = {"group.protocol": "consumer"}
"""the broker assigns, and tells with its heartbeats"""

PROTOCOLS: Mapping[str, ClientConfig] = {
    "eager": EAGER,
    "cooperative": COOPERATIVE,
    "KIP-848": KIP_848,
}

# Seconds. A rebalance takes 0.1 to 0.5, after a death a session more; the rest is for a
# machine under heavy load.
STABLE_LIMIT = 30.0
COMMAND_LIMIT = 30.0
# How long a poll waits for a record, and so a command for its turn.
POLL = 0.02

# Joining takes 0.1 s, on a broker's first group a second, several on a loaded machine.
JOIN_LIMIT = 30.0

# Leaving takes a few milliseconds; who cannot leave is closed all the same.
LEAVE_LIMIT = 5.0

# More records than a test of ours ever left waiting.
MOST_WAITING = 100_000


def commit_offset(
    admin: AdminClient, group: str, topic: str, offset: int, partition: int = 0
) -> None:
    """Set a group's committed offset; the group must have no member.

    Raises:
        KafkaException: the broker refused it.
    """
    from confluent_kafka import (
        ConsumerGroupTopicPartitions,
        KafkaError,
        KafkaException,
        TopicPartition,
    )

    request = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition, offset)])]

    def refusal() -> KafkaError | None:
        answer = admin.alter_consumer_group_offsets(request)[group].result(ADMIN_LIMIT)
        # The future itself does not tell: it is refused partition by partition.
        (each,) = answer.topic_partitions
        error: KafkaError | None = each.error
        return error

    refused = wait_until(
        refusal,
        # The first group of a private broker may come before its coordinator has loaded.
        lambda error: error is None or error.code() != KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        limit=JOIN_LIMIT,
        what=f"the coordinator of {group}",
    )
    if refused is not None:
        raise KafkaException(refused)


def committed_offset(observer: Consumer, topic: str, partition: int = 0) -> int | None:
    """The committed offset of a consumer's group; None where there is no commit.

    The observer is a consumer that is not subscribed, and so no member. An admin
    client is not asked: librdkafka's crashes when the broker answers that it is
    not the coordinator just now (librdkafka #5040).
    """
    from confluent_kafka import TopicPartition

    (committed,) = observer.committed([TopicPartition(topic, partition)], timeout=ADMIN_LIMIT)
    return int(committed.offset) if committed.offset >= 0 else None


def join(consumers: Sequence[Consumer], topic: str, partitions: int) -> None:
    """Subscribe consumers and poll them until each has partitions, and together they have all.

    Records must not be there yet: the poll that assigns could return one.

    Raises:
        Expired: it did not come to that within JOIN_LIMIT.
    """
    for consumer in consumers:
        consumer.subscribe([topic])

    def poll_each() -> list[int]:
        for consumer in consumers:
            consumer.poll(0.02)
        return [len(consumer.assignment()) for consumer in consumers]

    wait_until(
        poll_each,
        lambda counts: all(counts) and sum(counts) == partitions,
        limit=JOIN_LIMIT,
        what=f"{len(consumers)} members to share {partitions} partitions of {topic}",
        interval=0,
    )


def leave(consumer: Consumer, *, static: bool = False) -> None:
    """Close a consumer, after it was told what has happened to it; closed already is fine.

    Told of an assignment only while it closes, a consumer can hang for ever: it
    asks for the group's protocol when the group may be gone already (librdkafka
    #4041; seen once in fifty runs of the tests of task 1.3).

    Args:
        consumer: what is to be closed.
        static: whether it keeps its place in the group for as long as its session
            lasts. Closing alone lets it; who unsubscribes gives the place up.
    """
    from confluent_kafka import KafkaException

    leaves = not static
    if leaves:
        try:
            consumer.unsubscribe()
        except RuntimeError:
            # It is closed already; close() itself would say nothing.
            return
        except KafkaException:
            # After a fatal error, such as being fenced, there is nothing to leave.
            leaves = False
    # Serves what waits for poll(), behind however many records.
    consumer.consume(MOST_WAITING, 0)
    # Closed while a fetcher still stops, a cooperative member never tells the group that it
    # leaves: seen once in twenty-five runs, and then its partitions waited for its session.
    deadline = time.monotonic() + LEAVE_LIMIT
    while leaves and _is_member(consumer) and time.monotonic() < deadline:
        consumer.consume(MOST_WAITING, 0.005)
    consumer.close()


def _is_member(consumer: Consumer) -> bool:
    """Whether a client takes itself for a member: it has an id, and an epoch under KIP-848."""
    return bool(consumer.memberid()) and bool(generation_of(consumer))


@dataclass(frozen=True)
class GroupDescription:
    """A group as its coordinator describes it."""

    state: str
    """as in `STABLE` or `EMPTY`; `DEAD` where there is no such group"""
    assignments: tuple[tuple[Place, ...], ...]
    """for each member its partitions"""


def describe_group(admin: AdminClient, group: str) -> GroupDescription:
    """What the coordinator says of a group and its members."""
    from confluent_kafka import KafkaError, KafkaException

    asked = admin.describe_consumer_groups([group], request_timeout=ADMIN_LIMIT)
    try:
        described = asked[group].result(ADMIN_LIMIT)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return GroupDescription("DEAD", ())
        raise
    return GroupDescription(
        described.state.name,
        tuple(
            tuple((each.topic, each.partition) for each in member.assignment.topic_partitions)
            for member in described.members
        ),
    )


Handle = Callable[["Consumer", "Message"], None]
"""What a member does with a record, in its polling thread."""

OnRebalance = Callable[["Consumer", "list[TopicPartition]"], None]
"""What a member does when partitions come or go, in its polling thread."""


def _nothing(*_: object) -> None:
    pass


class Member:
    """A member of a group: a consumer that polls in a thread of its own.

    What happens to it goes into the history: each partition that it is assigned
    or gives up, each record, each commit that was answered, each error. Whatever
    is asked of the consumer is done inside the polling thread, since a consumer
    is locked while it polls.
    """

    def __init__(
        self,
        name: str,
        config: ClientConfig,
        topics: Sequence[str],
        history: History,
        *,
        handle: Handle = _nothing,
        on_assign: OnRebalance = _nothing,
        on_revoke: OnRebalance = _nothing,
        on_lost: OnRebalance = _nothing,
    ) -> None:
        self.name = name
        self.assignment: set[Place] = set()
        """what it was told to be its own"""
        self._config = config
        self._topics = list(topics)
        self._history = history
        self._handle = handle
        self._told = {Kind.ASSIGN: on_assign, Kind.REVOKE: on_revoke, Kind.LOST: on_lost}
        self._commands: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._keeps_its_place = "group.instance.id" in config
        self._polling = True
        self._running = True
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> Member:
        """Begin to poll, in a thread; the joining goes on in the background.

        A member that was closed begins anew, as a process does that is restarted.
        """
        self.assignment.clear()
        self._polling = self._running = True
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self._thread.start()
        return self

    def run(self) -> None:
        """Poll and do as commanded until the member is closed."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - a thread has nobody else to tell
            self._failure = error

    def do(self, command: Callable[[Consumer], Result]) -> Result:
        """Have something done by the polling thread; return what it returns.

        Raises:
            TimeoutError: the member did not come to it within COMMAND_LIMIT.
        """
        done: Future[Result] = Future()

        def work(consumer: Consumer) -> None:
            try:
                done.set_result(command(consumer))
            except BaseException as error:  # noqa: BLE001 - it is the asker's
                done.set_exception(error)

        self._commands.put(work)
        wait_until(
            lambda: done.done() or self._failure is not None,
            limit=COMMAND_LIMIT,
            what=f"member {self.name} to do as it was told",
            interval=0.005,
        )
        self.check()
        return done.result()

    def check(self) -> None:
        """Tell what ended the polling, if anything did, once.

        Raises:
            BaseException: what the polling or the member's own code raised.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def listen(self) -> None:
        """Hear what a process says, or how a thread has ended; here the latter."""
        self.check()

    def hang(self) -> None:
        """Stop polling, as a member does whose code is stuck; heartbeats go on."""
        self.do(lambda _: setattr(self, "_polling", False))

    def wake(self) -> None:
        """Poll again after a hang."""
        self.do(lambda _: setattr(self, "_polling", True))

    def close(self) -> None:
        """Leave the group and stop; return when it has.

        Raises:
            TimeoutError: it did not within COMMAND_LIMIT.
            Exception: what ended the polling before, if anything did.
        """
        self._commands.put(lambda _: setattr(self, "_running", False))
        if self._thread is not None:
            self._thread.join(COMMAND_LIMIT)
        self.check()
        if self._thread is not None and self._thread.is_alive():
            raise TimeoutError(f"member {self.name} did not close within {COMMAND_LIMIT:.0f} s")

    def dismiss(self) -> None:
        """The lesson is over: tell the member's own code nothing any more.

        What it would do when it gives partitions up, such as to commit, can be
        refused now: while members leave one after another, the group is often
        between two generations (REBALANCE_IN_PROGRESS). A static member will
        give up its place when it is closed.
        """
        self._told = dict.fromkeys(self._told, _nothing)
        self._keeps_its_place = False

    def _run(self) -> None:
        from kafkalab.observe.commits import CommitsTold

        consumer = CommitsTold(
            self._config, lambda error, offsets: self._committed(consumer, error, offsets)
        )
        try:
            consumer.subscribe(
                self._topics,
                on_assign=self._rebalanced(Kind.ASSIGN),
                on_revoke=self._rebalanced(Kind.REVOKE),
                on_lost=self._rebalanced(Kind.LOST),
            )
            while self._running:
                self._obey(consumer)
                if self._polling and self._running:
                    self._poll(consumer)
        finally:
            leave(consumer, static=self._keeps_its_place)

    def _obey(self, consumer: Consumer) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                # Who does not poll has nothing else to do than to wait for commands.
                self._commands.get(block=not self._polling, timeout=POLL)(consumer)

    def _poll(self, consumer: Consumer) -> None:
        message = consumer.poll(POLL)
        if message is None:
            return
        now, generation = _now(), self._generation(consumer)
        error = message.error()
        if error is not None:
            self._history.add(poll_failed(self.name, error, time=now, generation=generation))
            return
        self._history.add(polled(self.name, message, time=now, generation=generation))
        self._handle(consumer, message)

    def _committed(
        self, consumer: Consumer, error: KafkaError | None, offsets: Sequence[TopicPartition]
    ) -> None:
        # The client also tells of partitions for which there was nothing to commit.
        places: list[TopicPartition | None] = [each for each in offsets if each.offset >= 0]
        if error is not None and not places:
            places = [None]
        now, generation = _now(), self._generation(consumer)
        for place in places:
            told = error if error is not None or place is None else place.error
            self._history.add(committed(self.name, told, place, time=now, generation=generation))

    def _generation(self, consumer: Consumer) -> int | None:
        # While it closes the group may be gone already, which is not to be asked (see leave).
        return generation_of(consumer) if self._running else None

    def _rebalanced(self, kind: Kind) -> OnRebalance:
        def told(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            places = [(each.topic, each.partition) for each in partitions]
            generation = self._generation(consumer)
            if kind is Kind.ASSIGN:
                self._record(kind, places, generation)
                self._tell(kind, consumer, partitions)
                self.assignment |= set(places) if self._failure is None else set()
            else:
                # Its last chance, such as to commit: it still owns them.
                self._tell(kind, consumer, partitions)
                self.assignment -= set(places)
                self._record(kind, places, generation)

        return told

    def _tell(self, kind: Kind, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._told[kind](consumer, partitions)
        except BaseException as error:  # noqa: BLE001 - a thread has nobody else to tell
            # Through the client it would come out as a bare KafkaError, which is no exception
            # and passes every `except` (seen with confluent-kafka 2.16). It ends the polling.
            self._failure, self._running = error, False

    def _record(self, kind: Kind, places: Sequence[Place], generation: int | None) -> None:
        # One time for all that one callback told; an empty one is an event without a place.
        told: Sequence[tuple[str, int | None]] = places or [("", None)]
        now = _now()
        for topic, partition in told:
            self._history.add(
                Event(
                    kind,
                    State.OK,
                    self.name,
                    topic=topic,
                    partition=partition,
                    time=now,
                    generation=generation,
                )
            )


class MemberProcess:
    """A member in a process of its own, which can be killed."""

    def __init__(
        self, name: str, config: ClientConfig, topics: Sequence[str], history: History
    ) -> None:
        self.name = name
        self.assignment: set[Place] = set()
        self._history = history
        self._child = Child(_member_program, name, dict(config), list(topics))
        self._heard = 0

    def listen(self) -> None:
        """Take what it said into the history."""
        said = self._child.said()
        for event in said[self._heard :]:
            if event.partition is not None:
                if event.kind is Kind.ASSIGN:
                    self.assignment.add(event.place)
                elif event.kind in (Kind.REVOKE, Kind.LOST):
                    self.assignment.discard(event.place)
            self._history.add(event)
        self._heard = len(said)

    def kill(self) -> None:
        """SIGKILL: nothing is said to the group, which misses it after its session."""
        self._child.kill()
        self.listen()
        self._history.add(Event(Kind.CRASH, State.OK, self.name, time=_now()))
        self.assignment.clear()

    def dismiss(self) -> None:
        """Its program tells nobody but us."""

    def close(self) -> None:
        """End the process if it still runs."""
        self._child.kill()


class _Telling(History):
    """A history that is kept by somebody else."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def add(self, event: Event) -> None:
        self._say(event)


def _member_program(say: Say, name: str, config: ClientConfig, topics: Sequence[str]) -> None:
    Member(name, config, topics, _Telling(say)).run()


@dataclass(frozen=True)
class _Owned:
    """What a group's coordinator says, and what its members were told."""

    described: GroupDescription
    told: list[list[Place]]
    """of each member that lives here, sorted as `known` is"""

    @property
    def known(self) -> list[list[Place]]:
        """What each member owns in the coordinator's words."""
        return sorted(sorted(each) for each in self.described.assignments)

    def __repr__(self) -> str:
        """In words: a wait that ends in vain shows it."""
        seen = f"{self.described.state}, owned were {_shared(self.known)}"
        if self.known == self.told:
            return seen
        return f"{seen}; the members themselves know of {_shared(self.told)}"


def _shared(places: Sequence[Sequence[Place]]) -> str:
    """How many partitions some members own together, and how many each."""
    each = f" ({' and '.join(str(len(owned)) for owned in places)})" if len(places) > 1 else ""
    owned = {place for owned in places for place in owned}
    return f"{len(owned)} by {_members(len(places))}{each}"


def _members(count: int) -> str:
    return f"{count} member{'' if count == 1 else 's'}"


class Group:
    """A group whose members are ours: added, removed, killed, and waited for."""

    def __init__(
        self,
        admin: AdminClient,
        group_id: str,
        topics: Sequence[str],
        partitions: int,
        config: ClientConfig,
    ) -> None:
        """A group without members.

        Args:
            admin: the observer; it is no member.
            group_id: the group's name.
            topics: what all members subscribe to.
            partitions: of all topics together.
            config: the settings of all members, one of PROTOCOLS among them.
        """
        self.id = group_id
        self.history = History()
        self.partitions = partitions
        self.settings: dict[str, Any] = {**config, "group.id": group_id}
        """of all members that are still to be added"""
        self._admin = admin
        self._topics = topics
        self._names = count(1)
        self._live: list[Member | MemberProcess] = []
        self._forgotten: list[Member] = []

    def add(self, settings: ClientConfig | None = None, **told: Any) -> Member:
        """Add a member in a thread.

        Args:
            settings: in addition to those of all.
            told: `handle`, `on_assign`, `on_revoke`, `on_lost`, as Member takes them.
        """
        name = f"member-{next(self._names)}"
        config = self._config_of(name, settings)
        member = Member(name, config, self._topics, self.history, **told).start()
        self._live.append(member)
        return member

    def add_process(self, settings: ClientConfig | None = None) -> MemberProcess:
        """Add a member in a process of its own."""
        name = f"member-{next(self._names)}"
        config = self._config_of(name, settings)
        member = MemberProcess(name, config, self._topics, self.history)
        self._live.append(member)
        return member

    def _config_of(self, name: str, settings: ClientConfig | None) -> ClientConfig:
        return {**self.settings, "client.id": name, **(settings or {})}

    def remove(self, member: Member) -> None:
        """Close a member: it leaves the group, and is gone on return."""
        self._live.remove(member)
        member.close()

    @contextlib.contextmanager
    def bounce(self, member: Member) -> Iterator[None]:
        """Restart a member: it is gone while the block runs, and begins anew at its end."""
        self.remove(member)
        yield
        self._live.append(member.start())

    def crash(self, member: MemberProcess) -> None:
        """Kill a member's process."""
        self._live.remove(member)
        member.kill()

    def forget(self, member: Member) -> None:
        """Expect no longer that the group has this member, who hangs; it is closed at the end."""
        self._live.remove(member)
        self._forgotten.append(member)

    def wait_for_stable(self, limit: float = STABLE_LIMIT) -> GroupDescription:
        """Wait until the group is stable, and return it as its coordinator describes it.

        Stable means: the coordinator says so; it knows as many members as live
        here; together they have every partition once; and each was told what
        the coordinator says of it.

        Raises:
            Expired: it did not come to that within the limit, in seconds.
        """

        def look() -> _Owned:
            for each in self._live:
                each.listen()
            told = sorted(sorted(each.assignment) for each in self._live)
            return _Owned(describe_group(self._admin, self.id), told)

        def stable(seen: _Owned) -> bool:
            owned = [place for places in seen.known for place in places]
            return (
                seen.described.state == "STABLE"
                and seen.known == seen.told
                and len(owned) == len(set(owned)) == self.partitions
            )

        what = (
            f"{self.id} to be stable, all {self.partitions} partitions owned by "
            f"{_members(len(self._live))}"
        )
        return wait_until(look, stable, limit=limit, what=what).described

    def close(self) -> None:
        """Dismiss and close all members that still live, and those that hang."""
        # All of them are dismissed before the first is closed, which has the others give up
        # partitions; and all are closed, whatever one of them raises.
        with contextlib.ExitStack() as stack:
            for each in (*self._live, *self._forgotten):
                each.dismiss()
                stack.callback(each.close)
        self._live.clear()
        self._forgotten.clear()


def generation_of(consumer: Consumer) -> int | None:
    """The group's generation that a member knows, or its epoch under KIP-848.

    None before it has joined. The client tells it only in the metadata that it
    hands to transactions: `CGMDv2:`, then 32 bits.
    """
    metadata: Any = consumer.consumer_group_metadata()
    if metadata is None:
        return None
    (generation,) = struct.unpack_from("<i", metadata, len(b"CGMDv2:"))
    return int(generation) if generation >= 0 else None


def _now() -> float:
    return time.monotonic()
