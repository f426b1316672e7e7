"""History: what clients did and saw is kept in order, and told from confluent-kafka's messages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import KafkaError, Message, TopicPartition

from kafkalab.observe.history import (
    Event,
    History,
    Kind,
    State,
    acknowledged,
    committed,
    poll_failed,
    polled,
)


def message(offset: int = 3, partition: int = 1) -> Message:
    return Message("orders", partition, offset, b"user-1", b"paid")


def history_of(*events: Event) -> History:
    history = History()
    for event in events:
        history.add(event)
    return history


INVOKED = Event(Kind.SEND, State.INVOKE, "p", "orders")
SENT = Event(Kind.SEND, State.OK, "p", "orders", 0, 0)
POLLED = Event(Kind.POLL, State.OK, "a", "orders", 0, 0)
OPEN = Event(Kind.SEND, State.INFO, "p", "orders", 0)


def test_events_stay_in_the_order_recorded() -> None:
    """Iterating gives them back as they came, and their number is the length."""
    history = history_of(SENT, POLLED, INVOKED)

    assert list(history) == [SENT, POLLED, INVOKED]
    assert len(history) == 3


def test_events_are_found_by_kind_and_state() -> None:
    """A kind alone finds all its states, named states only those; the order is kept."""
    history = history_of(INVOKED, POLLED, SENT, INVOKED, OPEN)

    assert history.of(Kind.SEND) == [INVOKED, SENT, INVOKED, OPEN]
    assert history.of(Kind.SEND, State.OK, State.INFO) == [SENT, OPEN]
    assert history.of(Kind.CRASH) == []


def test_iterating_sees_what_was_there_at_its_start() -> None:
    """Events that are added meanwhile do not come up in it."""
    history = history_of(SENT, POLLED)

    seen = iter(history)
    history.add(INVOKED)

    assert list(seen) == [SENT, POLLED]
    assert list(history) == [SENT, POLLED, INVOKED]


def test_threads_record_side_by_side() -> None:
    """Nothing is lost, and each thread's events keep their order."""
    history = History()

    def record(actor: str) -> None:
        for offset in range(200):
            history.add(Event(Kind.POLL, State.OK, actor, "orders", 0, offset))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(record, "abcd"))

    for actor in "abcd":
        mine = [event.offset for event in history if event.actor == actor]
        assert mine == list(range(200))


def test_an_event_has_a_place() -> None:
    """Its place is its topic and partition, partition 0 as well."""
    assert SENT.place == ("orders", 0)


def test_an_event_without_a_partition_has_no_place() -> None:
    """That is a mistake of the recording, so it is not an AssertionError about Kafka."""
    with pytest.raises(ValueError, match="no partition"):
        _ = INVOKED.place


def test_a_polled_message_becomes_an_event() -> None:
    """Everything that identifies the record is taken over, with who polled it and when."""
    event = polled("a", message(), epoch=2, time=1.5, generation=4)

    assert event == Event(
        *(Kind.POLL, State.OK, "a", "orders", 1, 3, b"user-1", b"paid"),
        epoch=2,
        time=1.5,
        generation=4,
    )


def test_an_error_out_of_poll_becomes_an_event() -> None:
    """It has the error's name, and no place."""
    error = KafkaError(KafkaError._MAX_POLL_EXCEEDED)

    event = poll_failed("a", error, time=1.5, generation=4)

    assert event == Event(
        Kind.POLL, State.FAIL, "a", value=b"_MAX_POLL_EXCEEDED", time=1.5, generation=4
    )


def test_a_delivery_report_without_an_error_is_ok() -> None:
    """It carries the offset at which the record stands."""
    event = acknowledged("p", None, message())

    assert event == Event(Kind.SEND, State.OK, "p", "orders", 1, 3, b"user-1", b"paid")


def test_a_delivery_report_without_an_acknowledgement_has_no_offset() -> None:
    """With acks=0 nobody tells the offset; librdkafka's sign for that is -1001."""
    event = acknowledged("p", None, message(offset=-1001))

    assert (event.state, event.offset) == (State.OK, None)


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("_MSG_TIMED_OUT", State.INFO),
        ("_PURGE_INFLIGHT", State.INFO),
        ("_TRANSPORT", State.INFO),
        ("_SSL", State.INFO),
        ("_BAD_MSG", State.INFO),
        ("REQUEST_TIMED_OUT", State.INFO),
        ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", State.INFO),
        ("_PURGE_QUEUE", State.FAIL),
        ("NOT_ENOUGH_REPLICAS", State.FAIL),
        ("MSG_SIZE_TOO_LARGE", State.FAIL),
        ("TOPIC_AUTHORIZATION_FAILED", State.FAIL),
    ],
)
def test_an_error_tells_whether_the_record_may_be_in_the_log(code: str, state: State) -> None:
    """Unknown is not failed; and the offset in a report with an error means nothing."""
    error = KafkaError(getattr(KafkaError, code))

    event = acknowledged("p", error, message())

    assert event == Event(Kind.SEND, state, "p", "orders", 1, None, b"user-1", b"paid")


def test_a_send_that_never_got_a_partition_is_recorded() -> None:
    """Where it failed before the partitioner had decided, the event has no partition."""
    error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)

    event = acknowledged("p", error, message(partition=-1))

    assert event.partition is None


def test_an_answered_commit_becomes_an_event() -> None:
    """It has the place and the offset that was committed, who did it and when."""
    event = committed("a", None, TopicPartition("orders", 1, 3), epoch=2, time=1.5, generation=4)

    assert event == Event(
        Kind.COMMIT, State.OK, "a", "orders", 1, 3, epoch=2, time=1.5, generation=4
    )


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("UNKNOWN_MEMBER_ID", State.FAIL),
        ("ILLEGAL_GENERATION", State.FAIL),
        ("_NO_OFFSET", State.FAIL),
        ("_TIMED_OUT", State.INFO),
        ("_TRANSPORT", State.INFO),
        ("REQUEST_TIMED_OUT", State.INFO),
    ],
)
def test_an_error_tells_whether_a_commit_may_count(code: str, state: State) -> None:
    """Where the answer was lost it may; and the client does not always tell what it was about."""
    event = committed("a", KafkaError(getattr(KafkaError, code)), None)

    assert event == Event(Kind.COMMIT, state, "a", value=code.encode())
