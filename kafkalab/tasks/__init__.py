"""The reference components, one file for each task: each keeps the contract of its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkalab.contracts.delivery import Delivery
    from kafkalab.contracts.partition_log import PartitionLog
    from kafkalab.contracts.rebalance import Rebalance
    from kafkalab.contracts.routing import Routing
    from kafkalab.contracts.topics import Topics
    from kafkalab.tasks import delivery, partition_log, rebalance, routing, topics

    # Here the type checker compares each component with its contract.
    _1: Topics = topics
    _2: Routing = routing
    _3: PartitionLog = partition_log
    _4: Rebalance = rebalance
    _5: Delivery = delivery
