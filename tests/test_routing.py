"""Task 1.2's reference where it needs no broker."""

from __future__ import annotations

from collections import Counter
from unittest.mock import MagicMock

import confluent_kafka
import pytest
from confluent_kafka import KafkaError
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from kafkalab.chi_squared import chance_of
from kafkalab.contracts.routing import Distribution, KeyedRecord, PublishFailed, Report
from kafkalab.solutions import Solutions

reference = Solutions(None).routing

# What Java's client computes, as signed numbers: from UtilsTest of Apache Kafka.
OF_JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), OF_JAVA.items())
def test_murmur2_is_javas(key: bytes, signed: int) -> None:
    """The hash is the one that Java's own tests name."""
    assert reference.murmur2(key) == signed % 2**32


@given(key=st.binary(), partitions=st.integers(1, 10_000))
def test_partition_functions_agree_with_the_clients(key: bytes, partitions: int) -> None:
    """Both functions are what confluent-kafka computes in C."""
    assert reference.murmur2_partition(key, partitions) == confluent_kafka.murmur2(key, partitions)
    assert reference.crc32_partition(key, partitions) == confluent_kafka.consistent(key, partitions)


@pytest.mark.parametrize("function", [reference.crc32_partition, reference.murmur2_partition])
def test_a_partition_needs_a_key_and_partitions(function: object) -> None:
    """No partitions, and no key, are errors that say so."""
    assert callable(function)
    with pytest.raises(ValueError, match="at least one partition, not 0"):
        function(b"key", 0)
    with pytest.raises(TypeError, match="without a key"):
        function(None, 3)


def test_only_bytes_and_text_are_keys() -> None:
    """A number is refused: there are too many ways to write it."""
    with pytest.raises(TypeError, match="bytes or text, not int"):
        reference.encode_key(7)  # type: ignore[arg-type]


def test_publishing_nothing_needs_no_broker() -> None:
    """No records, no reports, and no waiting for a broker that is not there."""
    assert reference.publish({"bootstrap.servers": "127.0.0.1:1", "log_level": "0"}, []) == []


def test_what_comes_after_the_limit_is_not_sent() -> None:
    """A slow source may give a record when the call has given up already."""
    producer, refused = MagicMock(), list[tuple[str, KafkaError]]()
    records = [KeyedRecord("t", "late", b"x")]

    reference.send_by(
        producer,
        records,
        lambda *_: None,
        lambda record, error: refused.append((record.key, error)),
        limit=0,
    )

    producer.produce.assert_not_called()
    assert [(key, error.code()) for key, error in refused] == [("late", KafkaError._TIMED_OUT)]


@given(placed=st.lists(st.integers(0, 5), max_size=200))
def test_a_distribution_adds_up(placed: list[int]) -> None:
    """Counts are those of the records, empty partitions included; shares add up to 1, or to 0."""
    seen = reference.distribution(placed, 6)

    assert list(seen.counts) == [Counter(placed)[partition] for partition in range(6)]
    assert seen.total == len(placed)
    assert sum(seen.shares) == pytest.approx(1 if placed else 0)
    assert 1 <= seen.skew <= 6


def test_chi_square_tells_even_from_skewed() -> None:
    """An even spread has statistic 0 and p-value 1; all in one partition is next to impossible."""
    assert Distribution((5, 5, 5)).chi_square() == pytest.approx((0, 1))
    assert Distribution((30, 0, 0)).chi_square()[1] < 1e-10


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=200).filter(any))
def test_chi_square_is_what_scipy_says(counts: list[int]) -> None:
    """Statistic and p-value, for any counts."""
    expected = chisquare(counts)

    statistic, p_value = Distribution(tuple(counts)).chi_square()

    assert statistic == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("freedom", [1, 2, 3, 999, 1000])
@pytest.mark.parametrize("statistic", [0.0, 1e-9, 0.5, 30.0, 1050.0, 1e6])
def test_the_chance_is_what_scipy_says(statistic: float, freedom: int) -> None:
    """Also far out, and for as many partitions as there are."""
    expected = chi2.sf(statistic, freedom)

    assert chance_of(statistic, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("counts", [(0, 0), (5,)], ids=["no records", "one partition"])
def test_chi_square_needs_something_to_compare(counts: tuple[int, ...]) -> None:
    """Without records, or with one partition, there is nothing to compare."""
    with pytest.raises(ValueError, match="at least two partitions"):
        Distribution(counts).chi_square()


def test_a_partition_that_is_not_there_is_refused() -> None:
    """A record cannot have landed where there is no partition."""
    with pytest.raises(ValueError, match="partition 3 is not among 0 to 2"):
        reference.distribution([3], 3)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (b"user-0", "with the key 'user-0'"),
        (b"", "with the key ''"),
        (b"\xff\x00", r"with the key '\xff\x00'"),
        (None, "without a key"),
    ],
)
def test_a_failure_names_the_first_record_plainly(key: bytes | None, told: str) -> None:
    """By its key as text, not as Python writes bytes."""
    error = confluent_kafka.KafkaError(confluent_kafka.KafkaError._MSG_TIMED_OUT, "too late")
    reports = [Report("t", b"good", 0, 0, 0), Report("t", key, None, None, None, error)]

    assert str(PublishFailed(reports)) == (
        f"1 of 2 records were not acknowledged; the first of them, {told} for t: too late"
    )
