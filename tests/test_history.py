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


POLLED = Event(Kind.POLL, State.OK, "a", "orders", 0, 0)
COMMITTED = Event(Kind.COMMIT, State.OK, "a", "orders", 0, 1)
REFUSED = Event(Kind.COMMIT, State.FAIL, "a")
OPEN = Event(Kind.COMMIT, State.INFO, "a", "orders", 0, 1)


def test_events_stay_in_the_order_recorded() -> None:
    """Iterating gives them back as they came, and their number is the length."""
    history = history_of(COMMITTED, POLLED, REFUSED)

    assert list(history) == [COMMITTED, POLLED, REFUSED]
    assert len(history) == 3


def test_events_are_found_by_kind_and_state() -> None:
    """A kind alone finds all its states, named states only those; the order is kept."""
    history = history_of(REFUSED, POLLED, COMMITTED, REFUSED, OPEN)

    assert history.of(Kind.COMMIT) == [REFUSED, COMMITTED, REFUSED, OPEN]
    assert history.of(Kind.COMMIT, State.OK, State.INFO) == [COMMITTED, OPEN]
    assert history.of(Kind.CRASH) == []


def test_iterating_sees_what_was_there_at_its_start() -> None:
    """Events that are added meanwhile do not come up in it."""
    history = history_of(COMMITTED, POLLED)

    seen = iter(history)
    history.add(REFUSED)

    assert list(seen) == [COMMITTED, POLLED]
    assert list(history) == [COMMITTED, POLLED, REFUSED]


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
    assert POLLED.place == ("orders", 0)


def test_an_event_without_a_partition_has_no_place() -> None:
    """That is a mistake of the recording, so it is not an AssertionError about Kafka."""
    with pytest.raises(ValueError, match="no partition"):
        _ = REFUSED.place


def test_a_polled_message_becomes_an_event() -> None:
    """Everything that identifies the record is taken over, with who polled it and when."""
    event = polled("a", message(), time=1.5, generation=4)

    assert event == Event(
        *(Kind.POLL, State.OK, "a", "orders", 1, 3, b"user-1", b"paid"),
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


def test_an_answered_commit_becomes_an_event() -> None:
    """It has the place and the offset that was committed, who did it and when."""
    event = committed("a", None, TopicPartition("orders", 1, 3), time=1.5, generation=4)

    assert event == Event(Kind.COMMIT, State.OK, "a", "orders", 1, 3, time=1.5, generation=4)


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
