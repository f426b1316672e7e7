"""A command's own topics and groups in a cluster: made for a moment, deleted at its end."""

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
    """What all names begin with that the block makes in the cluster; at its end they are deleted.

    It is written down before: if this process is killed, `kafkalab clean`, or the next run
    on the lab, finds what is left.

    Args:
        client: client properties.
        cache: the folder in which it is written down.

    Raises:
        KafkaException: the cluster does not answer.
        BrokerError: it could not be written down, or the cluster did not tell what there is.
    """
    from confluent_kafka.admin import AdminClient

    run, ledger = Run.new(cache), Ledger(cache)
    cluster = AdminClient(dict(client)).list_topics(timeout=10).cluster_id or ""
    ledger.enter(run.prefix, run.owner, cluster)
    try:
        yield run.prefix
    finally:
        # Groups whose members are not missed yet stay written down, for the next one to delete.
        if delete_at_once(client, leftovers(client, run.prefix)):
            ledger.strike_out(run.prefix)
