"""Make Kafka clean a log within a lesson: old records, closed segments, quick cleaning."""

from __future__ import annotations

# Seconds. Retention and compaction run on a timer, every 0.1 to 0.2 s in the lab; under
# heavy load a round was seen to take some seconds.
CLEANING_LIMIT = 30.0

DAY_MS = 24 * 60 * 60 * 1000

# 2024-01-01. With fixed timestamps, records are as old as a lesson needs them.
LONG_AGO_MS = 1_704_067_200_000

# A record that is more than segment.ms (7 days) younger than the segment's first record begins
# a new segment. So a lesson closes a segment with a timestamp, and does not wait.
NEXT_SEGMENT_MS = 8 * DAY_MS

# Records of LONG_AGO_MS are older than the default retention, a week.
KEEP_FOR_EVER = {"retention.ms": "-1"}

COMPACT_SOON = {
    "cleanup.policy": "compact",
    # Clean as soon as anything can be cleaned; by default half the log must be dirty.
    "min.cleanable.dirty.ratio": "0.01",
}
