"""Task 1.3, the component: the log line, the order check and the progress.

They are kafkalab's own or, with `--kafkalab-solutions`, yours. The reader stands in
test_task_1_3_reader.py.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from functools import partial

import pytest
from confluent_kafka import KafkaException, TopicPartition
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kafkalab.brokers import Broker
from kafkalab.contracts.partition_log import LogRecord
from kafkalab.demo import user_events
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.log_cleaning import LONG_AGO_MS
from kafkalab.observe.records import (
    BY_KEY,
    Record,
    poll_until,
    send,
)
from kafkalab.observe.refusals import error_kind, must_raise
from kafkalab.solutions import Solutions


@pytest.mark.fact("a-line-tells-everything", scope="the component partition_log")
def test_a_line_tells_everything(solutions: Solutions, evidence: Evidence) -> None:
    """A log line has topic, partition, offset, key, value, time and headers, in one line."""
    headers = (("zug", b"first"), ("Straße", "zwölf".encode()), ("zug", None))
    value = b"paid, " * 20 + b"at last"
    record = LogRecord("orders", 63, 17, "Jürgen".encode(), value, LONG_AGO_MS, headers)

    line = solutions.partition_log.log_line(record)

    evidence.note(line)
    for part in ("orders", "63", "17", "Jürgen", "paid", "at last", "2024-01-01", "Straße"):
        assert part in line, (
            f"The line has {part!r}: topic, partition, offset, key, time, each header's name, and "
            f"the whole value of {len(value)} bytes, which is not long."
        )
    shown = re.findall("zug|first|Straße|zwölf", line)
    assert shown == ["zug", "first", "Straße", "zwölf", "zug"], (
        "The line has each header, name and value, in their order."
    )
    assert len(line.splitlines()) == 1, "A record takes one line."
    named = record._replace(headers=(("a\nb\u2028", b"1"),))
    assert solutions.partition_log.log_line(named).isprintable(), (
        "A header's name is shown with printable characters only, as keys and values are."
    )


@pytest.mark.fact("a-line-shows-any-time", scope="the component partition_log")
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_line_shows_any_time(
    solutions: Solutions, evidence: Evidence, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """A line has the time as a date in UTC, in every time zone; 0 is a time, and None is none.

    A producer may write any number of milliseconds; the calendar ends earlier.
    """
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    times = {0: "1970-01-01T00:00:00.000Z", 1_700_000_000_123: "2023-11-14T22:13:20.123Z"}
    times[2**62] = str(2**62)

    try:
        lines = {
            each: solutions.partition_log.log_line(LogRecord("t", 0, 0, None, None, each))
            for each in (*times, None)
        }
    finally:
        monkeypatch.undo()
        time.tzset()

    evidence.table("Lines", [{"milliseconds": each, "line": lines[each]} for each in lines])
    for each, shown in times.items():
        assert shown in lines[each], f"The line of the time {each} has {shown}."
    assert "1970" not in lines[None], "A record without a time is not shown with one."


# A loaded machine is slow, which says nothing about the code.
AT_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.fact("a-line-is-unmistakable", scope="the component partition_log")
@pytest.mark.parametrize("place", ["key", "value", "header"])
@AT_ANY_SPEED
@example(first=None, second=b"")
@example(first=None, second=b"null")
@example(first=None, second=b"None")
@example(first=b"\xff", second=b"0xff")
@example(first=b"\xff", second="\ufffd".encode())
@example(first=b"\n", second=b"\\n")
@example(first="\u2028".encode(), second="\u00a0".encode())
@given(first=st.none() | st.binary(max_size=12), second=st.none() | st.binary(max_size=12))
def test_different_contents_make_different_lines(
    solutions: Solutions, place: str, first: bytes | None, second: bytes | None
) -> None:
    """Different keys, values and headers make different lines of printable characters.

    Null is not empty, binary is not text, and a line end in a value cannot
    pretend to be a record.
    """
    lines = [
        solutions.partition_log.log_line(
            LogRecord(
                "t",
                0,
                0,
                content if place == "key" else None,
                content if place == "value" else None,
                LONG_AGO_MS,
                (("name", content),) if place == "header" else (),
            )
        )
        for content in (first, second)
    ]

    assert (lines[0] == lines[1]) == (first == second), (
        f"With {first!r} and {second!r} as their {place}, two records have one line only if those "
        f"are the same; the lines are {lines}."
    )
    assert [line for line in lines if not line.isprintable()] == [], (
        "A line has only characters that str.isprintable() takes for printable: no control "
        "characters, no line ends and no separators such as U+2028."
    )


LONG = {
    "text": (b"x" * 1_000_000, "xxxxx"),
    "binary": (b"\xff" * 1_000_000, ""),
    # Two bytes a character, so that one of them lies over every even number of bytes.
    "Polish": (("x" + "ż" * 499_999 + "y").encode(), "żżżżż"),
}


@pytest.mark.fact("a-long-value-is-cut", scope="the component partition_log")
@pytest.mark.parametrize("kind", LONG)
def test_a_long_value_is_cut(solutions: Solutions, evidence: Evidence, kind: str) -> None:
    """If a value is long, the line has its beginning and its size, and cuts no character in two.

    A long key, and a long value of a header, are cut in the same way.
    """
    long, shown = LONG[kind]
    record = LogRecord("t", 0, 0, b"k", b"v", LONG_AGO_MS)
    records = {
        "value": record._replace(value=long),
        "key": record._replace(key=long),
        "header": record._replace(headers=(("h", long),)),
    }

    for place, each in records.items():
        line = solutions.partition_log.log_line(each)

        evidence.note("A long {}: {}", place, line)
        assert len(line) < 2_000, f"The line with a long {place} is short enough to read."
        assert "1000000" in line, f"The line has the {place}'s size in bytes."
        assert shown in line, f"The line has the {place}'s beginning, as text where it is text."


@pytest.mark.fact("json-round-trips", scope="the component partition_log")
@AT_ANY_SPEED
# A float of seconds, and with some numbers one of milliseconds, is not that time any more.
@example(key=b"\xff", value=b"", headers=[("a", None)], timestamp=97_800_499_171_543)
@example(key=None, value=None, headers=[], timestamp=2**53 + 1)
@given(
    key=st.none() | st.binary(),
    value=st.none() | st.binary() | st.text().map(str.encode),
    headers=st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3),
    timestamp=st.none() | st.integers(0, 2**62),
)
def test_json_round_trips(
    solutions: Solutions,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    timestamp: int | None,
) -> None:
    """If a record is written as a line of JSON and read again, it is the same record."""
    record = LogRecord("t", 1, 2, key, value, timestamp, tuple(headers))

    line = solutions.partition_log.to_json(record)

    # Not by splitlines(), which takes U+2028 in a text for a line end, and no reader of files does.
    assert not {"\n", "\r"} & set(line), "A record takes one line."
    assert isinstance(json.loads(line), dict), "The line is a JSON object."
    # By the text of both: True, 1 and 1.0 are equal, and only one of them is an offset.
    assert repr(solutions.partition_log.from_json(line)) == repr(record), (
        "The line gives the same record again."
    )


@pytest.mark.fact("other-json-is-refused", scope="the component partition_log")
def test_other_lines_are_refused(solutions: Solutions, evidence: Evidence) -> None:
    """If a line is not of the form that to_json writes, from_json raises ValueError.

    An importer that skips bad lines catches that one, and dies of any other.
    """
    log = solutions.partition_log
    record = LogRecord("t", 1, 2, b"k", b"v", LONG_AGO_MS, (("h", b"x"),))
    whole = json.loads(log.to_json(record))
    others = ["", "no JSON", "null", "7", "[]", "{}", '"text"', log.to_json(UNKIND_IN_LOG)[:-1]]
    broken = [json.dumps({key: whole[key] for key in whole if key != lacks}) for lacks in whole]
    broken += [json.dumps({**whole, key: {"?": [[]]}}) for key in whole]

    said = {line: error_kind(partial(log.from_json, line), ValueError) for line in others + broken}

    evidence.table("Lines that are no records", [{"line": n, "error": e} for n, e in said.items()])
    for line in others:
        assert said[line] == "ValueError", f"The line {line!r} is refused by a ValueError."
    for line in broken:
        # A name that is there for people only may be left out.
        outcome = "the same record" if said[line] == repr(record) else said[line]
        assert outcome in ("the same record", "ValueError"), (
            f"Of the line {line!r}, in which something is missing or odd, from_json() makes no "
            f"other record than the one that was written: it raises ValueError."
        )


UNKIND_IN_LOG = LogRecord("t", 0, 0, b"\xff", None, None)


def swap_in_a_key(records: Sequence[LogRecord]) -> list[LogRecord]:
    """The records with two values of one key exchanged."""
    first, second = [at for at, each in enumerate(records) if each.key == b"user-1"][3:5]
    swapped = list(records)
    swapped[first] = records[first]._replace(value=records[second].value)
    swapped[second] = records[second]._replace(value=records[first].value)
    return swapped


@pytest.mark.fact("order-is-checked-where-it-holds", scope="the component partition_log")
def test_order_is_checked_where_it_holds(
    broker: Broker,
    topic: TopicMaker,
    producer: ProducerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """The order check finds what breaks the order of a key or a partition, and nothing else."""
    name, records = topic(partitions=3), user_events(users=3, per_user=10)
    sent = [Record(each.value, str(each.key).encode()) for each in records]
    send(producer(), name, sent, partition=BY_KEY)
    read_back = list(solutions.partition_log.read_to_end(broker.client_properties(), [name]))
    interleaved = sorted(read_back, key=lambda each: (each.offset, each.partition))
    swapped = swap_in_a_key(read_back)
    repeated = [*read_back, read_back[0]]

    check = solutions.partition_log.check_order
    seen = {
        "as read": check(read_back),
        "interleaved across partitions": check(interleaved),
        "two records of a key swapped": check(swapped),
        "the first record again at the end": check(repeated),
    }

    evidence.table(
        "Violations",
        [
            {"log": n, "violations": len(c.violations), "compared": c.compared}
            for n, c in seen.items()
        ],
        look="The log as read and the interleaved one have no violation, the other two have.",
    )
    assert all(each.compared > 0 for each in seen.values()), "Each check has compared something."
    assert seen["as read"].violations == (), "The log as it was read is in order."
    assert seen["interleaved across partitions"].violations == (), (
        "The order across partitions does not count."
    )
    assert seen["two records of a key swapped"].violations, (
        "A swap of two records of a key is found."
    )
    assert seen["the first record again at the end"].violations, (
        "A step back in a partition is found."
    )


@pytest.mark.fact("the-order-check-names-what-broke", scope="the component partition_log")
def test_the_order_check_names_what_broke(solutions: Solutions, evidence: Evidence) -> None:
    """The order check counts what it compares, and names each disorder once by what it broke.

    Topics are apart, records without a key have no order of a key, and gaps are
    no disorder.
    """

    def at(
        topic: str, offset: int, key: bytes | None, number: int, partition: int = 0
    ) -> LogRecord:
        return LogRecord(topic, partition, offset, key, b"%d" % number, LONG_AGO_MS)

    logs = {
        "two topics, alike": [at("a", 5, b"k", 5), at("b", 0, b"k", 0), at("a", 9, b"k", 6)],
        # The second has no number: only records with a key must have one.
        "no keys": [
            at("a", 0, None, 5),
            at("a", 1, None, 3)._replace(value=None),
            at("a", 2, None, 4),
        ],
        "empty keys": [at("a", 0, b"", 5), at("a", 1, b"", 3)],
        "a key in two partitions": [at("a", 0, b"k", 5), at("a", 0, b"k", 3, partition=1)],
        # The third is more than the one just before it, and less than the first.
        "both broken": [at("orders", number, b"k", number) for number in (7, 5, 6)],
        "one that comes twice": [at("a", 1, b"k", 1), at("a", 1, None, 1)],
        "nothing": [],
    }
    without: list[LogRecord] = []

    def number_of(record: LogRecord) -> int:
        if record.value is None:
            without.append(record)
        return int(record.value or b"0")

    named = {
        name: solutions.partition_log.check_order(log, number_of) for name, log in logs.items()
    }

    seen = {
        name: (sorted(each.name for each in checked.violations), checked.compared)
        for name, checked in named.items()
    }
    evidence.table(
        "What the check says",
        [{"log": name, "violations": v, "compared": c} for name, (v, c) in seen.items()],
    )
    partition, key = "disorder in a partition", "disorder of a key"
    assert seen["two topics, alike"] == ([], 2), (
        "Only records of one topic are compared, here two, by partition and by key: another "
        "topic has the same numbers and keys. Gaps are fine."
    )
    assert without == [], "A record without a key is not asked for its number: it may have none."
    assert seen["no keys"] == ([], 2), "Records without a key are compared in their partition only."
    assert seen["empty keys"] == ([key], 2), "An empty key is a key."
    assert seen["a key in two partitions"] == ([key], 1), (
        "A key's records are compared in whatever partitions they are."
    )
    assert seen["both broken"] == ([partition, key], 4), (
        "A record that breaks both is named twice, and the next is compared with it alone."
    )
    for each in named["both broken"].violations:
        assert "orders" in each.where, "A violation says where, with its topic."
        assert {"7", "5"} <= set(re.findall(r"\d+", each.text)), (
            "A violation's text has what was expected and what was seen: here 7, and then 5."
        )
    assert seen["one that comes twice"] == ([partition], 1), (
        "The same offset again is a disorder in the partition."
    )
    assert seen["nothing"] == ([], 0), "Without records nothing is compared."


@pytest.mark.fact("progress-tells-position-from-commit", scope="the component partition_log")
def test_progress_tells_position_from_commit(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """progress() gives each partition's position and commit, and None if nothing is committed.

    None is not 0: a group that committed 0 begins at 0, and a group without a
    commit where `auto.offset.reset` says.
    """
    name, reader = topic(partitions=3), consumer()
    for partition in (0, 1):
        send(producer(), name, [b"a", b"b", b"c"], partition=partition)
    reader.assign([TopicPartition(name, partition, 0) for partition in range(3)])
    poll_until(reader, lambda records: len(records) == 6, what="six records")
    reader.commit(
        offsets=[TopicPartition(name, 0, 2), TopicPartition(name, 2, 0)], asynchronous=False
    )

    rows = solutions.partition_log.progress(reader)

    evidence.table(
        "Progress",
        [
            {"partition": r.partition, "position": r.position, "committed": r.committed}
            for r in rows
        ],
        look="None is not zero: nothing was read there, or nothing was committed.",
    )
    seen = {each.partition: (each.position, each.committed) for each in rows}
    assert seen[0] == (3, 2), "Partition 0 is read to 3, and 2 is committed."
    assert seen[1] == (3, None), "Partition 1 is read to 3, and nothing is committed."
    assert seen[2] == (None, 0), (
        "For partition 2 offset 0 is committed, which is not None; nothing was read there."
    )


@pytest.mark.fact("progress-only-asks", scope="the component partition_log")
def test_progress_only_asks(
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """progress() leaves the consumer as it is, and has a row for each partition, in order.

    Its rows are those of the consumer's partitions, sorted by topic and number.
    """
    names, reader = sorted([topic(partitions=2), topic(partitions=2)]), consumer()
    none = solutions.partition_log.progress(reader)
    for name in names:
        send(producer(), name, [b"a", b"b"], partition=1)
    places = [TopicPartition(name, partition, 0) for name in names for partition in (1, 0)]
    reader.assign(places[::-1])
    poll_until(reader, lambda records: len(records) == 4, what="four records")

    rows = solutions.partition_log.progress(reader)

    for name in names:
        send(producer(), name, [b"c"], partition=1)
    more = poll_until(reader, lambda records: len(records) == 2, what="two records more")
    evidence.table("Progress", rows, ("topic", "partition", "position", "committed"))
    assert none == [], "A consumer without partitions has no rows."
    assert [(each.topic, each.partition) for each in rows] == [
        (name, partition) for name in names for partition in (0, 1)
    ], "There is a row for each partition, by topic and number."
    assert {each.committed for each in rows} == {None}, "Asking commits nothing."
    assert [each.value() for each in more] == [b"c", b"c"], "The consumer reads on where it was."


# Seconds. The first is enough; where a loaded machine takes half as long again, the next is tried.
LIMITS = 0.3, 1.0, 5.0


@pytest.mark.fact("progress-gives-up-within-its-limit", scope="the component partition_log")
def test_progress_gives_up_within_its_limit(
    consumer: ConsumerMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """If no broker answers, progress() raises the client's error within its limit."""
    reader = consumer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
    reader.assign([TopicPartition("orders", 0)])

    for limit in LIMITS:
        began = time.monotonic()
        with must_raise(
            KafkaException,
            sentence="If no broker answers, progress() raises the client's KafkaException.",
        ) as failed:
            solutions.partition_log.progress(reader, limit=limit)
        seconds = time.monotonic() - began
        if seconds < 1.5 * limit:
            break

    evidence.note("A limit of {} s, after {} s: {}", limit, round(seconds, 1), failed.value)
    assert seconds < 1.5 * limit, (
        f"The error comes soon after the limit of {limit} s, which is for the whole call; "
        f"it came after {seconds:.1f} s."
    )
