"""Task 1.4: how far is a group behind?"""

from __future__ import annotations

import pytest
from confluent_kafka import OFFSET_INVALID, TopicPartition
from confluent_kafka.admin import AdminClient

from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.groups import commit_offset
from kafkalab.observe.lag import LAG_LIMIT, lag_of
from kafkalab.observe.records import init_transactions, poll_until, send, wait_for_end
from kafkalab.waiting import wait_until

AUTO_COMMIT = {"enable.auto.commit": True, "auto.commit.interval.ms": 20}


@pytest.mark.fact("lag-is-end-minus-committed", scope="any client")
def test_lag_is_the_end_minus_the_commit(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """Lag is the end of the log minus the committed offset: only a commit lowers it.

    What was read and not committed counts as not done. A twin in another group
    commits by itself: when it has no lag, the reader had the time to have none.
    """
    name, reader, observer = topic(), consumer(), consumer()
    commit_offset(admin, group, name, 0)

    send(producer(), name, [b"a", b"b", b"c"])
    produced = lag_of(observer, [(name, 0)])
    twin = consumer({"group.id": f"{group}-twin", **AUTO_COMMIT})
    for each in (reader, twin):
        each.assign([TopicPartition(name, 0)])
        *_, last = poll_until(each, lambda records: len(records) == 3, what="three records")
    wait_until(
        lambda: (twin.poll(0), lag_of(twin, [(name, 0)])[name, 0])[1],
        lambda lag: lag == 0,
        limit=LAG_LIMIT,
        what="the twin to commit",
    )
    polled = lag_of(observer, [(name, 0)])
    reader.commit(message=last, asynchronous=False)
    committed = lag_of(observer, [(name, 0)])

    lags = [each[name, 0] for each in (produced, polled, committed)]
    steps = ("three records written", "all three polled", "commit() called")
    evidence.table(
        "Lag, step by step",
        [{"after": step, "lag": lag} for step, lag in zip(steps, lags, strict=True)],
    )
    assert lags == [3, 3, 0], (
        "The lag stays 3 while records are polled, and falls to 0 with the commit."
    )


@pytest.mark.control("lag-is-end-minus-committed", changes="the group has no commit")
def test_without_a_commit_there_is_no_lag(
    topic: TopicMaker, producer: ProducerMaker, consumer: ConsumerMaker, evidence: Evidence
) -> None:
    """Without a commit there is no lag: librdkafka gives -1001 as the offset, which means none."""
    name, observer = topic(), consumer()
    send(producer(), name, [b"a", b"b", b"c"])

    (answer,) = observer.committed([TopicPartition(name, 0)], timeout=20)
    lag = lag_of(observer, [(name, 0)])[name, 0]

    evidence.table(
        "Without a commit",
        [{"offset that the client gives as committed": answer.offset, "lag": lag}],
    )
    assert answer.offset == OFFSET_INVALID == -1001, "The client gives -1001 for no commit."
    assert lag is None, "There is no lag, which is neither 0 nor 1004."


def lag_by_isolation(consumer: ConsumerMaker, topic: str) -> dict[str, int | None]:
    """The lag of partition 0 as readers of committed records see it, and as others do."""
    return {
        level: lag_of(consumer({"isolation.level": level}), [(topic, 0)])[topic, 0]
        for level in ("read_committed", "read_uncommitted")
    }


@pytest.mark.fact("lag-under-a-transaction", scope="librdkafka, whose default is read_committed")
def test_an_open_transaction_hides_records_from_the_lag(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """An open transaction hides its records, and all after them, from a read_committed lag.

    So a lag of 0 does not say that there are no records.
    """
    name, writer = topic(), producer({"transactional.id": topic.name()})
    commit_offset(admin, group, name, 0)
    send(producer(), name, [b"a", b"b"])

    init_transactions(writer)
    writer.begin_transaction()
    send(writer, name, [b"open"] * 7)
    send(producer(), name, [b"plain"] * 3)

    lag = lag_by_isolation(consumer, name)
    evidence.table(
        "Lag of 2 plain records, 7 of an open transaction, and 3 plain ones after them",
        [lag],
        look="A reader of committed records sees a smaller lag than there are records.",
    )
    writer.abort_transaction(20)
    assert lag == {"read_committed": 2, "read_uncommitted": 12}, (
        "The lag of committed records is 2, and that of all records is 12."
    )


@pytest.mark.control("lag-under-a-transaction", changes="the transaction is committed")
def test_after_the_commit_both_see_the_same_lag(
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    group: str,
    evidence: Evidence,
) -> None:
    """After the commit both lags are the same, and count the marker, too: lag is in offsets."""
    name, writer = topic(), producer({"transactional.id": topic.name()})
    commit_offset(admin, group, name, 0)
    send(producer(), name, [b"a", b"b"])
    init_transactions(writer)
    writer.begin_transaction()
    send(writer, name, [b"open"] * 7)
    send(producer(), name, [b"plain"] * 3)

    writer.commit_transaction(20)
    wait_for_end(consumer(), name, 13)

    lag = lag_by_isolation(consumer, name)
    evidence.table("Lag after the commit (the commit marker takes one offset)", [lag])
    assert lag == {"read_committed": 13, "read_uncommitted": 13}, (
        "Both lags are 13: twelve records and a marker."
    )
