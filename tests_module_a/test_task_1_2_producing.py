"""Task 1.2: what happens between produce() and the report?

These are facts about Kafka: they use plain clients and hold whatever you write. More
follow in test_task_1_2_routing.py, and those about the component in
test_task_1_2_component.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.records import DeliveryReport, read, send, watermarks
from kafkalab.observe.statistics import Statistics
from kafkalab.waiting import wait_until


class Reports:
    """Gathers delivery reports; the callback only appends."""

    def __init__(self) -> None:
        self._seen: list[object] = []

    def __call__(self, error: KafkaError | None, message: object) -> None:
        self._seen.append((error, message))

    def __len__(self) -> int:
        return len(self._seen)


@pytest.mark.fact("produce-only-enqueues", scope="librdkafka; Java's send() does the same")
def test_produce_only_enqueues(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """`produce()` only puts a record into a queue; nothing is sent until the client sends it.

    Only the delivery report says that the record was taken. If the process ends
    before, what is still in the queue is lost, and no report says so.
    """
    name, reports = topic(), Reports()
    # A minute of lingering: what is in the queue stays there as long as this test.
    lazy = producer({"linger.ms": 60_000})

    for number in range(30):
        lazy.produce(name, b"%d" % number, partition=0, on_delivery=reports)
    lazy.poll(0)

    # Another producer's record is acknowledged after all 30 were produced.
    (sentinel,) = send(producer(), name, [b"sentinel"])
    evidence.table(
        "After 30 times produce()",
        [
            {
                "in the queue": len(lazy),
                "reports": len(reports),
                "offset of the other producer's record": sentinel.offset,
            }
        ],
        look="An offset says how many records stood in the log before.",
    )
    assert sentinel.offset == 0, "Nothing was sent, so the other producer's record is the first."
    assert len(lazy) == 30, "All 30 records are still in the producer's queue."
    assert len(reports) == 0, "No record is reported."


@pytest.mark.control("produce-only-enqueues", changes="the producer is flushed")
def test_flush_sends_and_waits_for_the_reports(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """`flush()` sends what is in the queue, and returns when each record is reported."""
    name, reports = topic(), Reports()
    lazy = producer({"linger.ms": 60_000})

    for number in range(30):
        lazy.produce(name, b"%d" % number, partition=0, on_delivery=reports)
    lazy.flush(20)

    end = watermarks(consumer(), name)[1]
    evidence.table("After flush()", [{"reports": len(reports), "end offset": end}])
    assert len(reports) == 30, "Each of the 30 records is reported."
    assert end == 30, "All 30 records are in the log."


@pytest.mark.fact(
    "full-queue-raises", scope="confluent-kafka (librdkafka); Java's send() blocks instead"
)
def test_a_full_queue_raises_until_reports_are_served(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """If the local queue is full, `produce()` raises BufferError, even if all was acknowledged.

    A record leaves the queue when its report is served, and only `poll()` and
    `flush()` serve reports.
    """
    name, small = topic(), producer({"queue.buffering.max.messages": 10})
    reader = consumer()

    for number in range(10):
        small.produce(name, b"%d" % number, partition=0)
    wait_until(
        lambda: watermarks(reader, name)[1],
        lambda end: end == 10,
        limit=20,
        what="all ten records to be in the log",
    )

    with pytest.raises(BufferError) as refused:
        small.produce(name, b"one more", partition=0)
    evidence.table(
        "After ten times produce()",
        [
            {
                "end offset": watermarks(reader, name)[1],
                "the next produce()": f"raised {refused.typename}: {refused.value}",
            }
        ],
    )


@pytest.mark.control("full-queue-raises", changes="poll() serves the reports first")
def test_polling_makes_room(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """After `poll()` has served reports, there is room in the queue again."""
    name, small = topic(), producer({"queue.buffering.max.messages": 10})
    for number in range(10):
        small.produce(name, b"%d" % number, partition=0)

    served = small.poll(20)
    small.produce(name, b"one more", partition=0)
    small.flush(20)

    end = watermarks(consumer(), name)[1]
    evidence.table(
        "After ten times produce(), and one poll(), which serves the reports that it finds",
        [{"reports served": served, "end offset after one more produce(), and a flush()": end}],
    )
    assert served > 0, "poll() serves reports."
    assert end == 11, "The eleventh record is taken, and is in the log."


def delivery_rows(deliveries: Sequence[DeliveryReport]) -> list[dict[str, object]]:
    """Delivery reports as rows of evidence."""
    return [
        {"partition": e.partition, "offset": e.offset, "error": e.error.name() if e.error else None}
        for e in deliveries
    ]


@pytest.mark.fact("acks-0-has-no-offset", scope="acks=0")
def test_without_acknowledgement_there_is_no_offset(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `acks=0` a delivery report says success, but has no offset.

    The producer does not wait for an answer: the report says that the record
    was sent, not that it is in the log.
    """
    name, hasty = topic(), producer({"acks": 0})

    (delivery,) = send(hasty, name, [b"x"])

    evidence.table("Delivery report", delivery_rows([delivery]))
    assert delivery.error is None, "The report counts as a success."
    assert delivery.offset is None, "The report has no offset."


@pytest.mark.control("acks-0-has-no-offset", changes="acks=all, the default")
def test_an_acknowledged_record_has_an_offset(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """With `acks=all` the delivery report has the record's offset."""
    name, careful = topic(), producer({"acks": "all"})

    (delivery,) = send(careful, name, [b"x"])

    evidence.table("Delivery report", delivery_rows([delivery]))
    assert delivery.offset == 0, "The report has the record's offset."


@pytest.mark.fact("batching-cuts-requests", scope="any client that batches")
def test_batching_cuts_requests(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """Records that wait for each other share requests: 100 records need only a few.

    A request costs a round trip and an answer, whatever it carries. `linger.ms`
    says how long a record waits for others.
    """
    name, statistics, other = topic(), Statistics(), producer()
    # A minute of lingering: longer than this test, on any machine.
    writer = producer({**statistics.settings(), "linger.ms": 60_000})
    # With its first record the writer finds the leader: no later one has to wait for that.
    send(writer, name, [b"first"])

    for number in range(100):
        writer.produce(name, b"%d" % number, partition=0)
        # Meanwhile another producer's record goes to the broker, and its answer comes back.
        send(other, name, [b"meanwhile"])
    writer.flush(20)

    requests = statistics.produce_requests(writer)
    evidence.table(
        "The first record, and 100 that come one after another",
        [{"records": 101, "requests": requests}],
        look="Many records went in few requests.",
    )
    assert requests <= 10, "There is at most one request for ten records."


@pytest.mark.control("batching-cuts-requests", changes="no record waits: each is flushed")
def test_flushing_each_record_needs_a_request_each(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """If you flush after each record, 100 records need 100 requests."""
    name, statistics, other = topic(), Statistics(), producer()
    writer = producer({**statistics.settings(), "linger.ms": 60_000})
    send(writer, name, [b"first"])

    for number in range(100):
        writer.produce(name, b"%d" % number, partition=0)
        writer.flush(20)
        send(other, name, [b"meanwhile"])

    requests = statistics.produce_requests(writer)
    evidence.table(
        "The first record, and 100 that come one after another",
        [{"records": 101, "requests": requests}],
        look="As many requests as records.",
    )
    assert requests >= 100, "No two records share a request."


@pytest.mark.fact("oversize-fails-at-once", scope="librdkafka")
def test_an_oversized_record_fails_in_produce(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A record over the client's own limit, `message.max.bytes`, fails in `produce()` itself.

    There is no delivery report for it: if you look only at reports, you miss
    it.
    """
    writer, name, reports = producer({"message.max.bytes": 10_000}), topic(), Reports()

    with pytest.raises(KafkaException) as refused:
        writer.produce(name, b"x" * 10_001, on_delivery=reports)

    evidence.table(
        "produce() of 10,001 bytes",
        [
            {
                "raised": refused.value.args[0].name(),
                "in the queue": len(writer),
                "calls of on_delivery": len(reports),
            }
        ],
    )
    assert refused.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, (
        "The error says that the record is too large."
    )
    assert len(writer) == 0, "The record is not in the queue."
    assert len(reports) == 0, "No report comes."


@pytest.mark.control("oversize-fails-at-once", changes="the record is under the limit")
def test_a_record_under_the_limit_passes(
    topic: TopicMaker, producer: ProducerMaker, evidence: Evidence
) -> None:
    """A record within `message.max.bytes` is delivered."""
    writer, name = producer({"message.max.bytes": 10_000}), topic()

    (delivery,) = send(writer, name, [b"x" * 9_000])

    evidence.table(
        "Delivery report", [{"bytes": len(delivery.value or b""), "offset": delivery.offset}]
    )
    assert delivery.error is None, "The record is delivered."
    assert delivery.offset == 0, "The record is the first in its partition."


@pytest.mark.fact("headers-are-a-list", scope="any client; confluent-kafka reads [] as None")
def test_headers_are_a_list(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Headers keep their order, may have a name twice, and keep null apart from an empty value.

    They are a list, not a map. A number is no value of a header.
    """
    name, writer = topic(), producer()
    headers: list[tuple[str, str | bytes | None]] = [
        ("trace", b"1"),
        ("trace", b"2"),
        ("empty", b""),
        ("null", None),
        ("a", b"\xff"),
    ]

    writer.produce(name, b"x", headers=headers)
    writer.produce(name, b"y", headers=[])
    with pytest.raises(TypeError) as refused:
        writer.produce(name, b"z", headers=[("number", 1)])  # type: ignore[list-item]
    writer.flush(20)

    first, second = read(consumer(), name)
    seen: Any = first.headers()
    evidence.table(
        "The headers as read, in Python's words",
        [{"name": header, "value": repr(value)} for header, value in seen],
    )
    evidence.note("Sent with headers=[], headers() as read: {}", repr(second.headers()))
    evidence.note(
        "produce() with a header whose value is the number 1 raised {}: {}",
        refused.typename,
        refused.value,
    )
    assert seen == headers, "The headers are read as they were written."
    assert second.headers() is None, (
        "A record that was sent with an empty list is read with None as its headers."
    )
