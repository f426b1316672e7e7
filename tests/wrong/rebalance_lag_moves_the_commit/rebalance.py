"""Reports as committed where the log starts, if the commit lies before that.

`committed` is what the group has committed; only "the lag counts from where the log starts now".
Nobody sees any more that records were deleted before the group had read them, which is lost data.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka.admin import OffsetSpec

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "lag-counts-what-can-be-read"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    rows = right.lag(config, group, topics, limit=limit)
    places = [(row.topic, row.partition) for row in rows]
    starts = right.log_offsets(config, places, OffsetSpec.earliest(), limit)  # type: ignore[no-untyped-call]
    return [
        row if row.committed is None else row._replace(committed=max(row.committed, start or 0))
        for row, start in zip(rows, (starts[place] for place in places), strict=True)
    ]
