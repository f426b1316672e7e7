"""The capabilities of brokers besides serving clients: name, meaning, backends and remedy.

A test names what it needs, `@pytest.mark.needs("restart")`; if that is missing, it is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

STARTED = frozenset({"embedded", "container"})
"""the backends that start a broker of their own, with a lab's settings"""


class Capability(NamedTuple):
    """One row of the table."""

    meaning: str
    remedy: str
    """what to do if it is missing"""
    backends: frozenset[str] = STARTED
    """the backends with brokers that always have it"""
    settings: Mapping[str, str | int] | None = None
    """the settings with which an external cluster has it, too: a text is the value, a number is
    the highest value; None: such a cluster never has it"""


def _where(settings: Mapping[str, str | int], meaning: str) -> Capability:
    bounds = [
        f"{name}={value}" if isinstance(value, str) else f"{name} of at most {value}"
        for name, value in settings.items()
    ]
    return Capability(meaning, f"use a cluster with {' and '.join(bounds)}", settings=settings)


CAPABILITIES: Mapping[str, Capability] = {
    "private_broker": Capability(
        "a broker is started for one test alone",
        "use --kafkalab-backend=embedded or container, which can start one more",
    ),
    "restart": Capability(
        "a node can be ended and started again",
        "use --kafkalab-backend=embedded or container",
    ),
    "log_dirs": Capability(
        "the broker's files can be read",
        "use --kafkalab-backend=embedded, whose files are on this machine",
        frozenset({"embedded"}),
    ),
    "jars": Capability(
        "Java's own client is there",
        "use --kafkalab-backend=embedded, which includes Java's client",
        frozenset({"embedded"}),
    ),
    "broker_settings": Capability(
        "the broker's settings can be read",
        "have DescribeConfigs on the cluster granted",
        settings={},
    ),
    "no_auto_create": _where(
        {"auto.create.topics.enable": "false"}, "asking for a topic does not create it"
    ),
    # The session timeout that lessons use for classic members.
    "short_sessions": _where(
        {"group.min.session.timeout.ms": 1000}, "a dead classic member is removed after a second"
    ),
    # KIP-848: at the defaults, 5 s and 45 s, a fact would take a minute.
    "quick_heartbeats": _where(
        {
            "group.consumer.heartbeat.interval.ms": 500,
            "group.consumer.session.timeout.ms": 2000,
        },
        "groups of KIP-848 react, and remove dead members, within two seconds",
    ),
    "quick_retention": _where(
        {"log.retention.check.interval.ms": 1000}, "old segments are deleted within a second"
    ),
    "quick_compaction": _where(
        {"log.cleaner.backoff.ms": 1000}, "the cleaner looks for work each second"
    ),
    # Kafka's default; a fact can wait that long.
    "quick_aborts": _where(
        {"transaction.abort.timed.out.transaction.cleanup.interval.ms": 10_000},
        "a transaction that takes too long is aborted within ten seconds",
    ),
}
"""numbers in the settings are milliseconds"""


def of_backend(name: str) -> frozenset[str]:
    """The capabilities of every broker that a backend starts."""
    return frozenset(word for word, each in CAPABILITIES.items() if name in each.backends)


def of_cluster(settings: Mapping[str, str] | None) -> frozenset[str]:
    """The capabilities of an external cluster with these settings; none if they are unknown."""
    if settings is None:
        return frozenset()
    return frozenset(
        word
        for word, each in CAPABILITIES.items()
        if each.settings is not None
        and all(_is_within(settings.get(name), bound) for name, bound in each.settings.items())
    )


def _is_within(value: str | None, bound: str | int) -> bool:
    if isinstance(bound, str):
        return value == bound
    # A cluster may show only some of its settings: a missing one counts as not met.
    return value is not None and int(value) <= bound
