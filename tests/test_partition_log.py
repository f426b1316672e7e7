"""Task 1.3's component, beyond what its facts ask for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.brokers import Termination
from kafkalab.brokers.embedded import EmbeddedBroker
from kafkalab.contracts.partition_log import LogRecord, ReadFailed
from kafkalab.contracts.routing import KeyedRecord
from kafkalab.solutions import Solutions

reference = Solutions(None).partition_log
publish = Solutions(None).routing.publish

KEYS = st.sampled_from([None, b"", b"k"])
NUMBERS = st.integers(0, 3)

NEW_YEAR_MS = 1_704_067_200_000


def record(
    value: bytes | None, *, offset: int = 17, timestamp: int | None = NEW_YEAR_MS
) -> LogRecord:
    """A record of user-1 in orders-4."""
    return LogRecord("orders", 4, offset, b"user-1", value, timestamp)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (b"", '""'),
        (b"null", '"null"'),
        ("Jürgen, 東京".encode(), '"Jürgen, 東京"'),
        (b'say "hi"\\', r'"say \"hi\"\\"'),
        (b"two\nlines\t\x1b[31mred", r'"two\nlines\t\x1b[31mred"'),
        ("\u202eright to left".encode(), r'"\u202eright to left"'),
        (b"\xff\x00", "0xff00"),
        (b"0xff00", '"0xff00"'),
        (b"x" * 1000, f'"{"x" * 200}"...(1000 bytes)'),
    ],
    ids=[
        "null",
        "empty",
        "the word null",
        "text",
        "quotes",
        "control",
        "rtl",
        "binary",
        "hex",
        "long",
    ],
)
def test_a_value_is_shown_unmistakably(value: bytes | None, shown: str) -> None:
    """Each kind of value has a form of its own."""
    line = reference.log_line(record(value))

    assert line == f'orders-4 @17 2024-01-01T00:00:00.000Z key="user-1" value={shown} headers=[]'


@pytest.mark.parametrize(
    ("timestamp", "shown"),
    [
        (None, "no-timestamp"),
        (0, "1970-01-01T00:00:00.000Z"),
        (8_617_033_685_227, "2243-01-24T04:28:05.227Z"),
        (2**62, f"{2**62}ms"),
    ],
    ids=["none", "zero", "distant", "beyond the calendar"],
)
def test_any_timestamp_is_shown(timestamp: int | None, shown: str) -> None:
    """A producer may write any number as a timestamp: the line shows it."""
    assert f" {shown} " in reference.log_line(record(b"x", timestamp=timestamp))


def test_a_line_stays_short_where_all_is_escaped() -> None:
    """A character that takes ten to be shown makes no line of thousands."""
    line = reference.log_line(record("\U000e0001".encode() * 250_000))

    assert len(line) < 2_000
    assert line.endswith("...(1000000 bytes) headers=[]")


def test_headers_are_shown_in_order() -> None:
    """Headers keep their order, and may repeat a name."""
    headers = (("trace", b"1"), ("trace", None), ("a\n", b"\xff"))

    line = reference.log_line(record(b"x")._replace(headers=headers))

    assert line.endswith(r'headers=["trace": "1", "trace": null, "a\n": 0xff]')


@pytest.mark.parametrize(
    "line",
    [
        "",
        "not json",
        "[]",
        "{}",
        reference.to_json(record(b"x")).replace('"offset"', '"place"'),
        reference.to_json(record(b"x")).replace('"orders"', "7"),
        reference.to_json(record(b"x")).replace('{"text": "x"}', '{"text": 5}'),
        reference.to_json(record(b"x")).replace('{"text": "x"}', "{}"),
    ],
    ids=[
        "empty",
        "no JSON",
        "a list",
        "empty object",
        "no offset",
        "a number as topic",
        "a number as text",
        "neither text nor base64",
    ],
)
def test_what_is_no_record_is_refused(line: str) -> None:
    """A line that to_json did not write is refused in words."""
    with pytest.raises(ValueError, match="not a record as to_json writes it"):
        reference.from_json(line)


def test_the_order_check_names_what_it_found() -> None:
    """A record that came again is named with its place, and with its key."""
    numbered = [record(b'{"sequence": %d}' % n, offset=n) for n in (0, 1, 0)]

    seen = reference.check_order(numbered)

    assert {each.where for each in seen.violations} == {"orders-4", "key b'user-1' of orders"}
    assert seen.compared == 4, "two neighbours in the partition, two of the key"


def out_of_order(numbers: Sequence[tuple[str, int]]) -> tuple[list[str], int]:
    """Where a number is no greater than the one before it there; and how many have one before."""
    before = [[n for w, n in numbers[:at] if w == where] for at, (where, _) in enumerate(numbers)]
    compared = [(w, n, b[-1]) for (w, n), b in zip(numbers, before, strict=True) if b]
    return [where for where, number, last in compared if number <= last], len(compared)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 1), st.integers(0, 3), KEYS, NUMBERS)
    )
)
def test_the_order_check_finds_all_that_is_out_of_order(
    rows: list[tuple[str, int, int, bytes | None, int]],
) -> None:
    """Each record is compared with the one before it, of its partition and of its key."""
    log = [LogRecord(*place, key, b"%d" % number, None) for *place, key, number in rows]

    seen = reference.check_order(log, lambda record: int(record.value))

    partitions = out_of_order([(f"{topic}-{part}", offset) for topic, part, offset, *_ in rows])
    keys = out_of_order([(f"key {k!r} of {row[0]}", n) for *row, k, n in rows if k is not None])
    assert [each.where for each in seen.violations] == partitions[0] + keys[0]
    assert seen.compared == partitions[1] + keys[1]


@pytest.mark.parametrize(
    "code",
    # The last two: the client knows of no leader, and the leader is gone since a moment.
    [KafkaError.LEADER_NOT_AVAILABLE, KafkaError._UNKNOWN_PARTITION, KafkaError._TIMED_OUT],
)
def test_a_partition_without_a_leader_is_told(
    real_broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Where no leader answers within the limit the reading fails, in the contract's own words."""

    class Leaderless(Consumer):
        def list_topics(self, topic: str, **_: object) -> Any:
            # The short limit below is for the leader: a loaded machine takes longer to connect.
            return super().list_topics(topic, timeout=30)

        def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
            raise KafkaException(KafkaError(code))

    config = real_broker.client_properties()
    publish(config, [KeyedRecord("seen", "a", b"there")])
    monkeypatch.setattr("kafkalab.tasks.partition_log.Consumer", Leaderless)

    with pytest.raises(ReadFailed, match=r"^waited 0\.\d s for a leader of seen-0 that answers"):
        next(reference.read_to_end(config, ["seen"], limit=0.2))


def test_a_topic_that_is_refused_is_not_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cluster refuses to tell is raised as the client's own error."""
    refused = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)

    class Refused(Consumer):
        def list_topics(self, topic: str, **_: object) -> Any:
            return SimpleNamespace(topics={topic: SimpleNamespace(error=refused)})

    monkeypatch.setattr("kafkalab.tasks.partition_log.Consumer", Refused)

    with pytest.raises(KafkaException) as raised:
        next(reference.read_to_end({"bootstrap.servers": "127.0.0.1:1"}, ["hidden"]))
    assert raised.value.args[0] is refused


def test_following_goes_on_as_records_arrive(real_broker: EmbeddedBroker) -> None:
    """Who follows a topic gets what is there, then what comes, and ends when it is quiet."""
    config = real_broker.client_properties()
    publish(config, [KeyedRecord("seen", "a", b"there")])

    following = reference.follow(config, ["seen"], quiet=1)
    first = next(following)
    publish(config, [KeyedRecord("seen", "b", b"came")])
    second = next(following)
    started = time.monotonic()
    rest = list(following)

    assert (first.value, second.value, rest) == (b"there", b"came", [])
    assert time.monotonic() - started >= 1, "it waited as long as it was told to"


def test_following_nothing_ends_at_once() -> None:
    """An empty list of topics has no record to wait for."""
    started = time.monotonic()

    records = list(reference.follow({"bootstrap.servers": "127.0.0.1:1"}, [], quiet=60))

    assert records == []
    # Seconds: closing a client takes some on a loaded machine.
    assert time.monotonic() - started < 30


def test_an_unknown_topic_is_told_and_not_created(real_broker: EmbeddedBroker) -> None:
    """Reading a topic that does not exist fails at once, by its name."""
    config = real_broker.client_properties()

    for _ in range(2):
        with pytest.raises(ReadFailed, match=r"^nowhere cannot be read: .*Unknown topic"):
            next(reference.read_to_end(config, ["nowhere"]))


def test_a_silent_cluster_ends_the_reading(real_broker: EmbeddedBroker) -> None:
    """When nothing is heard any more the reading fails within its limit, naming what is left."""
    config = {**real_broker.client_properties(), "fetch.wait.max.ms": 20}
    publish(config, [KeyedRecord("seen", None, b"x" * 1000)] * 2000)
    reading = reference.read_to_end({**config, "fetch.message.max.bytes": 1000}, ["seen"], limit=1)

    next(reading)
    for node_id in real_broker.node_ids:
        real_broker.kill(node_id, Termination.ABRUPT)

    with pytest.raises(ReadFailed, match=r"^nothing came for 1 s before the end of seen-\d"):
        list(reading)


@pytest.mark.parametrize("way", ["read_to_end", "follow"])
def test_a_reading_goes_on_where_the_log_starts_anew(real_broker: EmbeddedBroker, way: str) -> None:
    """If records are deleted before they are read, the reading goes on with those that are left.

    Whatever auto.offset.reset the config has: with `latest` the rest would be lost.
    """
    config = real_broker.client_properties()
    admin = AdminClient(config)
    records = [KeyedRecord("seen", "a", b"%d" % number) for number in range(2000)]
    publish({**config, "batch.num.messages": 10}, records)
    frugal = {"fetch.message.max.bytes": 1000, "queued.max.messages.kbytes": 1}
    reading = getattr(reference, way)({**config, **frugal, "auto.offset.reset": "latest"}, ["seen"])

    first = next(reading)
    left = TopicPartition("seen", first.partition, 1990)
    admin.delete_records([left])[left].result(20)
    values = [each.value for each in reading_to(reading, b"1999")]

    assert values[-10:] == [b"%d" % number for number in range(1990, 2000)]


def reading_to(reading: Iterator[LogRecord], last: bytes) -> Iterator[LogRecord]:
    """What is read up to a value, and with it."""
    for each in reading:
        yield each
        if each.value == last:
            return
