"""What the streams carry: one tail of all watched topics, and regular looks at topics and groups.

A slow reader blocks no other: each has a short queue, which drops and counts its oldest events.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from kafkalab.contracts import Place
from kafkalab.contracts.partition_log import LogRecord
from kafkalab.contracts.rebalance import LagUnknown
from kafkalab.observe.group_looks import Look, Onlooker, UnknownGroup
from kafkalab.observe.topics import topic_ids
from kafkalab.tasks.partition_log import as_data, looker, read_by, record_of
from kafkalab.tasks.rebalance import log_offsets_by
from kafkalab.web.clients import ANSWER_LIMIT, Kafka
from kafkalab.web.members import Change, Members
from kafkalab.web.positions import Positions
from kafkalab.web.problems import Problem

MOST_READERS = 64
MOST_WAITING = 25
"""events in a reader's queue: about those of five seconds"""
MOST_SHOWN = 300
"""records of a topic in one event"""
LONGEST_SHOWN = 200
"""characters of a key, a value or a header's value"""
MOST_BACK = MOST_SHOWN
"""records of the past that a reader gets, of all its topics together"""

# Seconds. Five events a second are as many as an eye can follow.
TAIL_EVERY = 0.2
TAIL_BATCH = 5000
LOOK_EVERY = 1.0
# A broker that answers does so in milliseconds.
LOOK_LIMIT = 2.0
# After this number of looks, a new onlooker finds the topics that a group has committed in.
LOOKS_OF_ONE = 10

MOST_LOOKS = 600
MOST_CHANGES = 2000
MOST_GROUPS = 16
"""groups whose past is kept"""


ListTopics = Callable[[], list[dict[str, Any]]]


@dataclass(frozen=True)
class Message:
    """One event of the stream, written once for all readers."""

    event: str
    data: str
    """JSON"""
    topic: str = ""
    """the topic of an event with records"""
    count: int = 0
    """the number of its records, shown or left out"""
    ends: Mapping[Place, int] | None = None
    """for an event with records: the next offset of each partition"""
    replaces: str = ""
    """it replaces a waiting message with the same value here; empty: none"""


class Reader:
    """One stream: the topics and groups that it wants, and the messages that wait for it."""

    def __init__(self, topics: Sequence[str], groups: Sequence[str]) -> None:
        """Make a reader, in the thread of its event loop.

        Args:
            topics: the topics whose records it wants.
            groups: the groups that it wants to watch.
        """
        self.topics = frozenset(topics)
        self.groups = frozenset(groups)
        self.positions: dict[Place, int] = {}
        """the next offset of each partition, after what was sent; the sender updates it"""
        self._loop = asyncio.get_running_loop()
        self._there = asyncio.Event()
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._skipped: dict[str, int] = defaultdict(int)
        self._is_over = False

    def put(self, message: Message) -> None:
        """Add a message to the queue, from any thread; a full queue drops its oldest."""
        with self._lock:
            if message.replaces:
                others = [each for each in self._waiting if each.replaces != message.replaces]
                self._waiting = deque(others)
            elif len(self._waiting) >= MOST_WAITING:
                self._drop_one()
            self._waiting.append(message)
        self._wake()

    def end(self) -> None:
        """End the stream, from any thread."""
        self._is_over = True
        self._wake()

    async def next(self, limit: float) -> list[Message] | None:
        """The waiting messages, with counts of the dropped ones; None when the stream ends.

        Args:
            limit: seconds to wait for a message; after them the list is empty.
        """
        try:
            async with asyncio.timeout(limit):
                await self._there.wait()
        except TimeoutError:
            return []
        with self._lock:
            self._there.clear()
            messages, self._waiting = list(self._waiting), deque()
            skipped, self._skipped = self._skipped, defaultdict(int)
        if self._is_over:
            return None
        told = [records_message(topic, [], skipped=count) for topic, count in skipped.items()]
        return told + messages

    def _drop_one(self) -> None:
        for each in self._waiting:
            if not each.replaces:
                self._waiting.remove(each)
                if each.topic:
                    self._skipped[each.topic] += each.count
                    self.positions.update(each.ends or {})
                return

    def _wake(self) -> None:
        # A closed loop raises an error, and needs no waking.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._there.set)


class Past:
    """The looks and changes of one group, as far back as they are kept."""

    def __init__(self) -> None:
        self.looks: deque[dict[str, Any]] = deque(maxlen=MOST_LOOKS)
        self.changes: deque[dict[str, Any]] = deque(maxlen=MOST_CHANGES)


class Hub:
    """Tails topics and looks at groups for all readers, in two threads."""

    def __init__(self, kafka: Kafka, members: Members, list_topics: ListTopics) -> None:
        """Make a hub that is not started yet.

        Args:
            kafka: the cluster to watch.
            members: the server's own; their groups are always watched, since a reader may ask
                for their past later.
            list_topics: lists the topics as the API does.
        """
        members.tell = self.tell
        self._members = members
        self._list_topics = list_topics
        self._kafka = kafka
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._positions = Positions()
        self._ids: dict[str, str] = {}
        self._topics: list[dict[str, Any]] = []
        self._is_gone = False
        self._pasts: dict[str, Past] = {}
        self._onlookers: dict[str, tuple[Onlooker, int]] = {}
        self._ended = threading.Event()
        self._look_now = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start both threads."""
        for work in (self._tail, self._watch):
            self._threads.append(threading.Thread(target=work, name=work.__name__, daemon=True))
            self._threads[-1].start()

    def end_streams(self) -> None:
        """End all streams, also those that begin later; from any thread, or a signal handler."""
        self._ended.set()
        self._look_now.set()
        for each in tuple(self._readers):
            each.end()

    def close(self) -> None:
        """End all streams, and both threads."""
        self.end_streams()
        for each in self._threads:
            each.join(LOOK_LIMIT + ANSWER_LIMIT)

    # Readers

    def join(self, reader: Reader, back: int, last: Mapping[Place, int]) -> list[Message]:
        """Add a reader, which gets what comes from now on; return its first messages.

        Args:
            reader: the reader.
            back: how many of the newest records of each partition it gets.
            last: where it stopped before, partition by partition; this has priority over back.

        Raises:
            Problem: there are too many readers, or the server ends.
            KafkaException: Kafka does not answer.
        """
        with self._lock:
            if len(self._readers) >= MOST_READERS or self._ended.is_set():
                raise Problem(503, f"The server has {MOST_READERS} streams, or is about to end.")
        topics = self._list_topics()
        counts = {row["name"]: row["partitions"] for row in topics}
        places = [
            (topic, number)
            for topic in sorted(reader.topics)
            for number in range(counts.get(topic, 0))
        ]
        admin = self._kafka.admin
        starts = log_offsets_by(admin, places, OffsetSpec.earliest(), ANSWER_LIMIT)  # type: ignore[no-untyped-call]
        ends = log_offsets_by(admin, places, OffsetSpec.latest(), ANSWER_LIMIT)  # type: ignore[no-untyped-call]
        with self._lock:
            now = self._positions.tail(ends)
            self._readers.add(reader)
            self._topics = topics
        if self._ended.is_set():
            reader.end()
        self._look_now.set()
        told = [Message("topics", as_json(topics), replaces="topics")]
        known = {topic for topic, _ in last}
        wanted = {}
        for place, end in now.items():
            # A partition that the stream did not know is new: it begins at its start.
            begin = last.get(place, 0 if place[0] in known else end - back)
            wanted[place] = (max(begin, starts[place] or 0), end)
        reader.positions = {place: begin for place, (begin, _) in wanted.items()}
        return told + self._past_records(wanted)

    def leave(self, reader: Reader) -> None:
        """Remove a reader."""
        with self._lock:
            self._readers.discard(reader)
            wanted = self._wanted_topics()
            unwanted = [each for each in self._positions.places if each[0] not in wanted]
            self._positions.leave(unwanted)

    def look_soon(self) -> None:
        """Look at once, since something has changed; from any thread."""
        self._look_now.set()

    def past_of(self, group: str) -> Past:
        """The past of a group; empty if no stream has watched it."""
        with self._lock:
            return self._pasts.get(group) or Past()

    def tell(self, change: Change) -> None:
        """Send a member's change to the readers of its group, and keep it; from any thread."""
        data = {
            "group": change.group,
            "time": change.time,
            "member": change.member,
            "kind": change.kind,
            "partitions": [list(each) for each in change.partitions],
        }
        self._past(change.group).changes.append(data)
        self._put(Message("change", as_json(data)), lambda reader: change.group in reader.groups)
        self._look_now.set()

    def _wanted_topics(self) -> set[str]:
        return {topic for reader in self._readers for topic in reader.topics}

    def _put(self, message: Message, wants: Callable[[Reader], bool] = lambda _: True) -> None:
        with self._lock:
            readers = [each for each in self._readers if wants(each)]
        for each in readers:
            each.put(message)

    def _past(self, group: str) -> Past:
        with self._lock:
            if group not in self._pasts:
                while len(self._pasts) >= MOST_GROUPS:
                    del self._pasts[next(iter(self._pasts))]
                self._pasts[group] = Past()
            return self._pasts[group]

    def _past_records(self, wanted: Mapping[Place, tuple[int, int]]) -> list[Message]:
        """The newest records before the tail, MOST_BACK at most, as messages."""
        spans = {place: span for place, span in wanted.items() if span[0] < span[1]}
        if not spans:
            return []
        most = max(1, MOST_BACK // len(spans))
        cut = {place: (max(begin, end - most), end) for place, (begin, end) in spans.items()}
        with self._kafka.reader() as reader:
            found = sorted(read_by(reader, cut, ANSWER_LIMIT))
        messages = []
        for topic in sorted({topic for topic, _ in spans}):
            records = [each for each in found if each.topic == topic]
            expected = {place: begin for place, (begin, _) in cut.items() if place[0] == topic}
            ends = {place: spans[place][1] for place in expected}
            gaps = _gaps(expected, records, ends)
            left_out = sum(cut[each][0] - spans[each][0] for each in expected)
            messages.append(records_message(topic, records, gaps, ends, left_out))
        return messages

    # The tail

    def _tail(self) -> None:
        while not self._ended.is_set():
            try:
                with closing(looker(self._kafka.config)) as consumer:
                    self._tail_with(consumer)
            except KafkaException:
                # A client that cannot go on is replaced by a new one, a little later.
                self._ended.wait(TAIL_EVERY)

    def _tail_with(self, consumer: Consumer) -> None:
        """Hand out new records until a watched topic is deleted: then a new client is needed."""
        with self._lock:
            self._positions.with_new_client()
        while not (self._ended.is_set() or self._positions.is_client_old):
            with self._lock:
                changed = self._positions.changed()
            if changed is not None:
                consumer.assign(
                    [TopicPartition(*place, offset) for place, offset in changed.items()]
                )
            # It waits even while nothing is assigned.
            batch = consumer.consume(TAIL_BATCH, TAIL_EVERY)
            if batch:
                self._hand_out(batch)

    def _hand_out(self, batch: Sequence[Any]) -> None:
        """Give each reader the records of its topics, and the gaps between them."""
        records: dict[str, list[LogRecord]] = defaultdict(list)
        ends: dict[str, dict[Place, int]] = defaultdict(dict)
        for each in batch:
            error = each.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                # The client goes on by itself when the leader is back.
                continue
            place = (each.topic(), each.partition())
            ends[place[0]][place] = each.offset() + (error is None)
            if error is None:
                records[place[0]].append(record_of(each))
        with self._lock:
            before = {topic: self._positions.go_on(each) for topic, each in ends.items()}
            readers = list(self._readers)
        for topic, expected in before.items():
            if not expected:
                continue
            found = [
                each
                for each in records[topic]
                if each.offset >= expected.get((topic, each.partition), each.offset + 1)
            ]
            reached = {place: ends[topic][place] for place in expected}
            gaps = _gaps(expected, found, reached)
            message = records_message(topic, found, gaps, reached)
            for reader in readers:
                if topic in reader.topics:
                    reader.put(message)

    # The looks

    def _watch(self) -> None:
        while not self._ended.is_set():
            self._look_now.wait(LOOK_EVERY)
            self._look_now.clear()
            with self._lock:
                groups = {group for reader in self._readers for group in reader.groups}
                is_watched = bool(self._readers)
            groups.update(self._members.groups())
            if not (is_watched or groups) or self._ended.is_set():
                continue
            try:
                self._look_at_topics()
            except (KafkaException, LagUnknown, TimeoutError):
                self._tell_gone(True)
                continue
            self._tell_gone(False)
            self._onlookers = {
                name: each for name, each in self._onlookers.items() if name in groups
            }
            for group in sorted(groups):
                # Its topic may have just been deleted; the next look comes in a second.
                with contextlib.suppress(KafkaException, LagUnknown, TimeoutError):
                    self._look_at_group(group)

    def _tell_gone(self, is_gone: bool) -> None:
        if is_gone != self._is_gone:
            self._is_gone = is_gone
            data = as_json({"time": time.time()})
            self._put(Message("gone" if is_gone else "back", data))

    def _look_at_topics(self) -> None:
        topics = self._list_topics()
        if topics != self._topics:
            self._topics = topics
            self._put(Message("topics", as_json(topics), replaces="topics"))
        with self._lock:
            wanted = self._wanted_topics()
        names = sorted(wanted.intersection(row["name"] for row in topics))
        ids = topic_ids(self._kafka.admin, names, LOOK_LIMIT)
        places = {
            (row["name"], each)
            for row in topics
            if row["name"] in ids
            for each in range(row["partitions"])
        }
        with self._lock:
            # Deleted and created again since the last look: a different topic with the same name.
            others = {name for name, id_ in ids.items() if self._ids.get(name, id_) != id_}
            self._ids = ids
            lost = {
                place
                for place in self._positions.places
                if place[0] in wanted and (place not in places or place[0] in others)
            }
            self._positions.lose(lost)
            # A partition that is not tailed yet has just been created. A reader may have left.
            wanted &= self._wanted_topics()
            self._positions.tail({place: 0 for place in places if place[0] in wanted})

    def _look_at_group(self, group: str) -> None:
        onlooker, looks = self._onlookers.get(group, (None, 0))
        if onlooker is None or looks >= LOOKS_OF_ONE:
            onlooker, looks = (
                Onlooker(
                    self._kafka.config, group, self._members.topics_of(group), limit=LOOK_LIMIT
                ),
                0,
            )
        self._onlookers[group] = (onlooker, looks + 1)
        try:
            data = look_as_data(group, onlooker.look())
        except UnknownGroup:
            self._onlookers.pop(group)
            data = unknown_as_data(group)
        self._past(group).looks.append(data)
        self._put(
            Message("group", as_json(data), replaces=f"group {group}"),
            lambda reader: group in reader.groups,
        )


def look_as_data(group: str, look: Look) -> dict[str, Any]:
    """A look at a group, in the API's shape."""
    return {
        "group": group,
        "state": look.state,
        "protocol": look.protocol.lower(),
        "assignor": look.assignor,
        "members": [
            {
                "name": each.client,
                "id": each.id,
                "partitions": [list(place) for place in each.partitions],
            }
            for each in look.members
        ],
        "partitions": [
            {
                "topic": each.topic,
                "partition": each.partition,
                "start": each.start,
                "committed": each.committed,
                "end": each.end,
                "lag": each.lag,
            }
            for each in look.partitions
        ],
        "time": look.clock,
    }


def unknown_as_data(group: str) -> dict[str, Any]:
    """The look at a group that does not exist (yet); Kafka calls it dead."""
    return {
        "group": group,
        "state": "DEAD",
        "protocol": "",
        "assignor": "",
        "members": [],
        "partitions": [],
        "time": time.time(),
    }


def records_message(
    topic: str,
    records: Sequence[LogRecord],
    gaps: Iterable[tuple[Place, int, int]] = (),
    ends: Mapping[Place, int] | None = None,
    skipped: int = 0,
) -> Message:
    """Records of a topic as an event; it shows the newest, MOST_SHOWN at most.

    Args:
        topic: its name.
        records: in order within each partition.
        gaps: offsets without a record, as place, from, and to.
        ends: the next offset of each partition.
        skipped: how many records were left out before.
    """
    shown = records[-MOST_SHOWN:]
    data = {
        "topic": topic,
        "records": [_shown(each) for each in shown],
        "skipped": skipped + len(records) - len(shown),
        "gaps": [{"partition": place[1], "from": since, "to": to} for place, since, to in gaps],
        "ends": {str(place[1]): end for place, end in (ends or {}).items()},
    }
    return Message("records", as_json(data), topic, skipped + len(records), ends)


def _shown(record: LogRecord) -> dict[str, Any]:
    data = as_data(record)
    is_cut = False

    def cut(content: dict[str, str] | None) -> dict[str, str] | None:
        nonlocal is_cut
        if content is None:
            return None
        ((kind, text),) = content.items()
        if len(text) <= LONGEST_SHOWN:
            return content
        is_cut = True
        return {kind: text[:LONGEST_SHOWN]}

    data["key"], data["value"] = cut(data["key"]), cut(data["value"])
    data["headers"] = [[name[:LONGEST_SHOWN], cut(value)] for name, value in data["headers"][:20]]
    return {**data, "cut": True} if is_cut else data


def _gaps(
    expected: Mapping[Place, int], records: Iterable[LogRecord], ends: Mapping[Place, int]
) -> list[tuple[Place, int, int]]:
    """Offsets without a record for a reader, as place, from, and to."""
    gaps = []
    following = dict(expected)
    for each in records:
        place = (each.topic, each.partition)
        if each.offset > following[place]:
            gaps.append((place, following[place], each.offset))
        following[place] = each.offset + 1
    gaps += [
        (place, following[place], end) for place, end in ends.items() if end > following[place]
    ]
    return gaps


def as_json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))
