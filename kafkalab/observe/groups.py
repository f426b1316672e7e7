"""Consumer groups: an observer that is no member describes them; a Group runs members."""

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
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kafkalab.clients import LONGEST_REQUEST
from kafkalab.contracts import ClientConfig, Place
from kafkalab.observe.children import Child, Say
from kafkalab.observe.history import Event, History, Kind, State, committed, poll_failed, polled
from kafkalab.observe.topics import ADMIN_LIMIT
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
    from confluent_kafka.admin import AdminClient, ConsumerGroupDescription

Result = TypeVar("Result")

# Lessons cannot wait for the defaults: the group notices a dead member after 45 s, and a member
# learns of a rebalance with its next heartbeat, within 3 s. Under KIP-848 the broker sets both.
_CLASSIC: ClientConfig = {
    "group.protocol": "classic",
    # The shortest that every broker accepts (group.min.session.timeout.ms). One second is enough
    # until a loaded machine sends heartbeats late; tests that wait for a death set it themselves.
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 150,
}
EAGER: ClientConfig = {**_CLASSIC, "partition.assignment.strategy": "range"}
"""classic; every member gives up all its partitions at each rebalance"""
COOPERATIVE: ClientConfig = {**_CLASSIC, "partition.assignment.strategy": "cooperative-sticky"}
"""classic; members give up only the partitions that move (KIP-429)"""
KIP_848: ClientConfig = {"group.protocol": "consumer"}
"""the broker assigns, and answers heartbeats with the assignment"""

PROTOCOLS: Mapping[str, ClientConfig] = {
    "eager": EAGER,
    "cooperative": COOPERATIVE,
    "KIP-848": KIP_848,
}

# One for each protocol, for tests in which it does not matter how many partitions move.
CLASSIC_AND_KIP_848 = {"classic": EAGER, "KIP-848": KIP_848}

# Seconds. A rebalance takes 0.1 to 0.5, and after a death one session timeout more; the rest is
# for a machine under heavy load.
STABLE_LIMIT = 30.0
COMMAND_LIMIT = 30.0
# Seconds that a poll waits for a record; a command may wait as long until its turn.
POLL = 0.02

# Seconds. Joining takes 0.1, a second for a broker's first group, several on a loaded machine.
JOIN_LIMIT = 30.0

# Seconds. Leaving takes a few milliseconds; a consumer that cannot leave is closed all the same.
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

    # On a cluster that has just started the first group may come before its coordinator is ready,
    # and with a second broker the coordinator may become another one.
    passing = (
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    )

    def refusal() -> KafkaError | None:
        try:
            answer = admin.alter_consumer_group_offsets(request)[group].result(ADMIN_LIMIT)
        except KafkaException as failure:
            return cast("KafkaError", failure.args[0])
        # The future does not fail: the broker refuses partition by partition.
        (each,) = answer.topic_partitions
        error: KafkaError | None = each.error
        return error

    refused = wait_until(
        refusal,
        lambda error: error is None or error.code() not in passing,
        limit=JOIN_LIMIT,
        what=f"the coordinator of {group}",
    )
    if refused is not None:
        raise KafkaException(refused)


def committed_offset(observer: Consumer, topic: str, partition: int = 0) -> int | None:
    """The committed offset of a consumer's group; None if there is no commit.

    The observer is a consumer that is not subscribed, and so is no member. It is not
    an admin client: librdkafka's crashes when the broker answers that it is not the
    coordinator at present (librdkafka #5040).
    """
    from confluent_kafka import TopicPartition

    (committed,) = observer.committed([TopicPartition(topic, partition)], timeout=ADMIN_LIMIT)
    return int(committed.offset) if committed.offset >= 0 else None


def join(consumers: Sequence[Consumer], topic: str, partitions: int) -> None:
    """Subscribe consumers and poll them until each has partitions, and together they have all.

    The topic must still be empty: the poll that assigns could return a record.

    Raises:
        Expired: that did not happen within JOIN_LIMIT.
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
    """Close a consumer, after its pending callbacks have run; it may be closed already.

    A consumer that gets its assignment only while it closes can hang for ever: it
    asks for the group's protocol when the group may be gone already (librdkafka
    #4041; seen once in fifty runs of the tests of task 1.3).

    Args:
        consumer: the consumer to close.
        static: whether it keeps its place in the group until its session ends. It
            does so if it only closes; to unsubscribe gives the place up.
    """
    from confluent_kafka import KafkaException

    leaves = not static
    if leaves:
        try:
            consumer.unsubscribe()
        except RuntimeError:
            # It is closed already; only unsubscribe() reports that.
            return
        except KafkaException:
            # After a fatal error, such as being fenced, there is nothing to leave.
            leaves = False
    # Runs the callbacks that wait for poll(), even behind many records.
    consumer.consume(MOST_WAITING, 0)
    # A cooperative member that is closed while a fetcher still stops never tells the group that
    # it leaves (seen once in twenty-five runs). Its partitions then wait until its session ends.
    deadline = time.monotonic() + LEAVE_LIMIT
    while leaves and _is_member(consumer) and time.monotonic() < deadline:
        consumer.consume(MOST_WAITING, 0.005)
    consumer.close()


def _is_member(consumer: Consumer) -> bool:
    """Whether a client believes to be a member: it has an id, and an epoch under KIP-848."""
    return bool(consumer.memberid()) and bool(generation_of(consumer))


@dataclass(frozen=True)
class GroupDescription:
    """A group as its coordinator describes it."""

    state: str
    """as in `STABLE` or `EMPTY`; `DEAD` if there is no such group"""
    assignments: tuple[tuple[Place, ...], ...]
    """the partitions of each member"""


def describe_group(admin: AdminClient, group: str) -> GroupDescription:
    """Describe a group and its members, as its coordinator does."""
    from confluent_kafka import KafkaError, KafkaException

    try:
        described = _described(admin, group)
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


def type_of(admin: AdminClient, group: str) -> str:
    """A group's type and assignor, as its coordinator names them: `CONSUMER/uniform`."""
    described = _described(admin, group)
    return f"{described.type.name}/{described.partition_assignor}"


def _described(admin: AdminClient, group: str) -> ConsumerGroupDescription:
    from confluent_kafka import KafkaError, KafkaException

    asked = admin.describe_consumer_groups([group], request_timeout=LONGEST_REQUEST)
    try:
        described: ConsumerGroupDescription = asked[group].result(ADMIN_LIMIT)
    except TimeoutError as late:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from late
    return described


Handle = Callable[["Consumer", "Message"], None]
"""What a member does with a record, in its polling thread."""

OnRebalance = Callable[["Consumer", "list[TopicPartition]"], None]
"""What a member does when partitions come or go, in its polling thread."""


def _nothing(*_: object) -> None:
    pass


class Member:
    """A member of a group: a consumer that polls in a thread of its own.

    The history records what happens to it: each partition that it is assigned or
    gives up, each record, each commit that has ended, each error. All calls of the
    consumer are made in the polling thread, since a consumer is locked while it polls.
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
        tells_generation: bool = True,
    ) -> None:
        self.name = name
        self.assignment: set[Place] = set()
        """the partitions that its callbacks gave it"""
        self._config = config
        self._topics = list(topics)
        self._history = history
        self._tells_generation = tells_generation
        self._handle = handle
        self._told = {Kind.ASSIGN: on_assign, Kind.REVOKE: on_revoke, Kind.LOST: on_lost}
        self._commands: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._keeps_its_place = "group.instance.id" in config
        self._polling = True
        self._running = True
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> Member:
        """Begin to poll, in a thread; joining goes on in the background.

        A member that was closed begins again, like a restarted process.
        """
        self.assignment.clear()
        self._polling = self._running = True
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)
        self._thread.start()
        return self

    def run(self) -> None:
        """Poll, and run the commands given, until the member is closed."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - check() raises it
            self._failure = error

    def do(self, command: Callable[[Consumer], Result]) -> Result:
        """Run a command in the polling thread; return what it returns.

        Raises:
            TimeoutError: it did not run within COMMAND_LIMIT.
        """
        done: Future[Result] = Future()

        def work(consumer: Consumer) -> None:
            try:
                done.set_result(command(consumer))
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                done.set_exception(error)

        self._commands.put(work)
        wait_until(
            lambda: done.done() or self._failure is not None,
            limit=COMMAND_LIMIT,
            what=f"member {self.name} to run a command",
            interval=0.005,
        )
        self.check()
        return done.result()

    def check(self) -> None:
        """Raise the error that ended the polling, if there was one; only once.

        Raises:
            BaseException: what the polling or the member's own code raised.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def listen(self) -> None:
        """Raise the error that ended the thread, if there was one."""
        self.check()

    def hang(self) -> None:
        """Stop polling, as a member does whose code is stuck; heartbeats go on."""
        self.do(lambda _: setattr(self, "_polling", False))

    def wake(self) -> None:
        """Poll again after a hang."""
        self.do(lambda _: setattr(self, "_polling", True))

    def close(self) -> None:
        """Leave the group and stop; return when both are done.

        Raises:
            TimeoutError: it did not stop within COMMAND_LIMIT.
            Exception: the error that ended the polling before, if there was one.
        """
        self._commands.put(lambda _: setattr(self, "_running", False))
        if self._thread is not None:
            self._thread.join(COMMAND_LIMIT)
        self.check()
        if self._thread is not None and self._thread.is_alive():
            raise TimeoutError(f"member {self.name} did not close within {COMMAND_LIMIT:.0f} s")

    def dismiss(self) -> None:
        """Call the member's own callbacks no longer: the lesson is over.

        A commit in such a callback could be refused now: while members leave one after
        another, the group is often between two generations (REBALANCE_IN_PROGRESS). A
        static member gives up its place when it is closed.
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
                # A member that does not poll only waits for commands.
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
        # The client also reports partitions for which there was nothing to commit.
        places: list[TopicPartition | None] = [each for each in offsets if each.offset >= 0]
        if error is not None and not places:
            places = [None]
        now, generation = _now(), self._generation(consumer)
        for place in places:
            told = error if error is not None or place is None else place.error
            self._history.add(committed(self.name, told, place, time=now, generation=generation))

    def _generation(self, consumer: Consumer) -> int | None:
        # While it closes, the group may be gone already: a client that asks can hang (see leave).
        is_asked = self._running and self._tells_generation
        return generation_of(consumer) if is_asked else None

    def _rebalanced(self, kind: Kind) -> OnRebalance:
        def told(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            places = [(each.topic, each.partition) for each in partitions]
            generation = self._generation(consumer)
            if kind is Kind.ASSIGN:
                self._record(kind, places, generation)
                self._tell(kind, consumer, partitions)
                self.assignment |= set(places) if self._failure is None else set()
            else:
                # It still owns them: the last chance to commit, for example.
                self._tell(kind, consumer, partitions)
                self.assignment -= set(places)
                self._record(kind, places, generation)

        return told

    def _tell(self, kind: Kind, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._told[kind](consumer, partitions)
        except BaseException as error:  # noqa: BLE001 - check() raises it
            # The client would turn it into a bare KafkaError, which is no exception and passes
            # every `except` (seen with confluent-kafka 2.16). So it is kept, and ends the polling.
            self._failure, self._running = error, False

    def _record(self, kind: Kind, places: Sequence[Place], generation: int | None) -> None:
        # All events of one callback have one time; an empty one is an event without a place.
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
        """Add to the history what its process has sent."""
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
        """End it with SIGKILL: the group notices only when its session has ended."""
        self._child.kill()
        self.listen()
        self._history.add(Event(Kind.CRASH, State.OK, self.name, time=_now()))
        self.assignment.clear()

    def dismiss(self) -> None:
        """Do nothing: its program has no callbacks of its own."""

    def close(self) -> None:
        """End the process if it still runs."""
        self._child.kill()


class _Telling(History):
    """A history that sends each event to the parent process."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say

    def add(self, event: Event) -> None:
        self._say(event)


def _member_program(say: Say, name: str, config: ClientConfig, topics: Sequence[str]) -> None:
    Member(name, config, topics, _Telling(say)).run()


@dataclass(frozen=True)
class _Owned:
    """Which member owns what: as the coordinator says, and as the members' callbacks said."""

    described: GroupDescription
    told: list[list[Place]]
    """the partitions of each running member, sorted as `known` is"""

    @property
    def known(self) -> list[list[Place]]:
        """The partitions of each member, as the coordinator says."""
        return sorted(sorted(each) for each in self.described.assignments)

    def __repr__(self) -> str:
        """In words, for the error of a wait that fails."""
        seen = f"{self.described.state}, owned were {_shared(self.known)}"
        if self.known == self.told:
            return seen
        return f"{seen}; by the members' own callbacks {_shared(self.told)}"


def _shared(places: Sequence[Sequence[Place]]) -> str:
    """How many partitions these members own together, and how many each owns."""
    each = f" ({' and '.join(str(len(owned)) for owned in places)})" if len(places) > 1 else ""
    owned = {place for owned in places for place in owned}
    return f"{len(owned)} by {_members(len(places))}{each}"


def _members(count: int) -> str:
    return f"{count} member{'' if count == 1 else 's'}"


class Group:
    """A group whose members a test adds, removes, kills, and waits for."""

    def __init__(
        self,
        admin: AdminClient,
        group_id: str,
        topics: Sequence[str],
        partitions: int,
        config: ClientConfig,
        *,
        tells_generation: bool = True,
    ) -> None:
        """A group without members.

        Args:
            admin: the observer; it is no member.
            group_id: the group's name.
            topics: what all members subscribe to.
            partitions: of all topics together.
            config: the settings of all members; it includes one of PROTOCOLS.
            tells_generation: whether events have the generation. The client is asked for it at
                each record, and holds Python's lock meanwhile.
        """
        self.id = group_id
        self.history = History()
        self.partitions = partitions
        self.settings: dict[str, Any] = {**config, "group.id": group_id}
        """of the members that are added from now on"""
        self._admin = admin
        self._tells_generation = tells_generation
        self._topics = topics
        self._names = count(1)
        self._live: list[Member | MemberProcess] = []
        self._forgotten: list[Member] = []

    def add(self, settings: ClientConfig | None = None, **told: Any) -> Member:
        """Add a member in a thread.

        Args:
            settings: in addition to the group's.
            told: `handle`, `on_assign`, `on_revoke`, `on_lost`, as Member takes them.
        """
        name = f"member-{next(self._names)}"
        config = self._config_of(name, settings)
        told = {"tells_generation": self._tells_generation, **told}
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
        """Close a member: on return it has left the group."""
        self._live.remove(member)
        member.close()

    @contextlib.contextmanager
    def bounce(self, member: Member) -> Iterator[None]:
        """Restart a member: it is closed while the block runs, and starts again after it."""
        self.remove(member)
        yield
        self._live.append(member.start())

    def crash(self, member: MemberProcess) -> None:
        """Kill a member's process."""
        self._live.remove(member)
        member.kill()

    def forget(self, member: Member) -> None:
        """No longer expect this member, which hangs, in the group; close it at the end."""
        self._live.remove(member)
        self._forgotten.append(member)

    def hang(self, member: Member) -> None:
        """Stop a member's polling, and expect the group to go on without it."""
        member.hang()
        self.forget(member)

    def wait_for_stable(self, limit: float = STABLE_LIMIT) -> GroupDescription:
        """Wait until the group is stable, and return it as its coordinator describes it.

        Stable means: the coordinator says so; it knows as many members as run here;
        together they own every partition once; and each member's callbacks gave it the
        partitions that the coordinator names.

        Raises:
            Expired: it was not stable within the limit, in seconds.
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

    def wait_for_polls(self, count: int, value: bytes | None = None) -> None:
        """Wait until the members have polled `count` records, all or those of one value.

        Raises:
            Expired: they did not within STABLE_LIMIT.
        """
        wait_until(
            lambda: sum(
                value is None or each.value == value
                for each in self.history.of(Kind.POLL, State.OK)
            ),
            lambda polled: polled == count,
            limit=STABLE_LIMIT,
            what=f"{count} records to be polled",
        )

    def polled_at(self, partition: int) -> list[float]:
        """The times, on the monotonic clock, at which any member polled a record of a partition."""
        polls = self.history.of(Kind.POLL, State.OK)
        return [each.time for each in polls if each.partition == partition]

    def wait_until_told(self, member: Member, kind: Kind) -> None:
        """Wait for a member's callback of a kind: partitions came, went or were lost.

        Raises:
            Expired: there was none within STABLE_LIMIT.
        """
        wait_until(
            lambda: [each for each in self.history.of(kind) if each.actor == member.name],
            bool,
            limit=STABLE_LIMIT,
            what=f"the callback of {member.name} for {kind}",
        )

    def close(self) -> None:
        """Dismiss and close all members that still run, and those that hang."""
        # All are dismissed first: when one closes, the others give up partitions, and their
        # callbacks run. And all are closed, even if one of them raises.
        with contextlib.ExitStack() as stack:
            for each in (*self._live, *self._forgotten):
                each.dismiss()
                stack.callback(each.close)
        self._live.clear()
        self._forgotten.clear()


def generation_of(consumer: Consumer) -> int | None:
    """The group's generation that a member knows, or its epoch under KIP-848.

    None before it has joined. The client shows it only in the metadata for
    transactions: `CGMDv2:`, then 32 bits.
    """
    metadata: Any = consumer.consumer_group_metadata()
    if metadata is None:
        return None
    (generation,) = struct.unpack_from("<i", metadata, len(b"CGMDv2:"))
    return int(generation) if generation >= 0 else None


def _now() -> float:
    return time.monotonic()
