"""What is read from librdkafka itself."""

from __future__ import annotations

import pytest

from kafkalab.librdkafka import librdkafka_defaults


@pytest.mark.parametrize(
    ("key", "default"), [("auto.commit.interval.ms", "5000"), ("compression.codec", "none")]
)
def test_of_two_levels_the_global_default_counts(key: str, default: str) -> None:
    """The topic's is of the legacy consumer, 60 s, or says that it inherits."""
    assert librdkafka_defaults()[key] == default
