"""A command's own topics and groups in a cluster; they are deleted at the command's end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.leftovers import delete_at_once, leftovers
from kafkalab.brokers.runs import Run


@contextlib.contextmanager
def borrowed_prefix(client: Mapping[str, Any], cache: Path) -> Iterator[str]:
    """Yield a prefix for names in the cluster; at the block's end, delete all names with it.

    The prefix is first entered in the ledger: if this process is killed, `kafkalab clean`, or
    the next run on the lab, finds what is left.

    Args:
        client: client properties.
        cache: the folder of the ledger.

    Raises:
        KafkaException: the cluster does not answer.
        BrokerError: the ledger could not be written, or the cluster did not list its topics and
            groups.
    """
    from confluent_kafka.admin import AdminClient

    run, ledger = Run.new(cache), Ledger(cache)
    cluster = AdminClient(dict(client)).list_topics(timeout=10).cluster_id or ""
    ledger.enter(run.prefix, run.owner, cluster)
    try:
        yield run.prefix
    finally:
        # A group cannot be deleted while the cluster still counts members. Then the prefix stays
        # in the ledger, and a later run deletes the group.
        if delete_at_once(client, leftovers(client, run.prefix)):
            ledger.strike_out(run.prefix)
