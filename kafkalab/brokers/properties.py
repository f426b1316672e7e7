"""Make the configuration of each node from a Topology; all backends that start nodes use it.

Sources of the names: Apache Kafka's broker configuration documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kafkalab.brokers import Topology

CLUSTER_ID = "kafkalab-cluster-id-00"
"""the cluster id of every Kafka that kafkalab starts, so that formatted data can be copied"""

LAB_SETTINGS: Mapping[str, str] = {
    # A lab serves a few clients: more threads would only slow the start.
    "num.network.threads": "1",
    "num.io.threads": "2",
    "background.threads": "2",
    "group.coordinator.threads": "1",
    "share.coordinator.threads": "1",
    # By default each record of the controller waits 25 ms for others, to be written together.
    "controller.quorum.append.linger.ms": "0",
    # A mistyped topic name must fail, not create a topic.
    "auto.create.topics.enable": "false",
    # By default a new group waits 3 s for more members; in a lab no more will come.
    "group.initial.rebalance.delay.ms": "0",
    # One partition for each internal topic: 50 would be slow to create and load.
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A low minimum lets a lesson choose sessions of a second; clients still have their default.
    "group.min.session.timeout.ms": "500",
    # KIP-848: the broker sets these intervals, not the client. With the defaults (5 s
    # heartbeats, 45 s sessions) each step of a rebalance would take seconds.
    "group.consumer.min.heartbeat.interval.ms": "50",
    "group.consumer.heartbeat.interval.ms": "100",
    "group.consumer.min.session.timeout.ms": "500",
    "group.consumer.session.timeout.ms": "1000",
    # By default the broker assigns at most once a second, to limit its load; a lab has little.
    "group.consumer.min.assignment.interval.ms": "0",
    "group.consumer.assignment.interval.ms": "0",
    # Timers check retention and compaction: let them run often, and soon after the start.
    "log.retention.check.interval.ms": "200",
    "log.initial.task.delay.ms": "100",
    "log.cleaner.backoff.ms": "100",
    # 2 MiB is the cleaner's minimum; the default of 128 MiB would be most of the heap.
    "log.cleaner.dedupe.buffer.size": "2097152",
    # Delete a topic's files at once, not after a minute.
    "log.segment.delete.delay.ms": "100",
    # By default the broker looks for expired transactions every 10 s.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
}

# Kafka 4.0 refuses a broker that comes back until its old session is over, 9 s by default, even
# after a graceful stop. A start from a prepared data folder looks to Kafka like such a return.
# Not shorter than this: on a loaded machine a broker can stall for a second.
SETTINGS_FOR_4_0: Mapping[str, str] = {
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

# A node that was killed and restarts with its data must wait for the same reason.
SETTINGS_FOR_KEPT_DATA = SETTINGS_FOR_4_0

# Only for tests that kill nodes and start them again: on a loaded machine a broker can stall for
# a second, and with these settings its partitions then have no leader.
RESTART_SETTINGS: Mapping[str, str] = {
    # Kafka refuses a node that comes back until its old session is over: 9 s by default.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "200",
}


@dataclass(frozen=True)
class Endpoint:
    """The addresses of one node.

    `client` is the address for clients on this machine (host:port). `bind`, `peer`
    and `controller` are the listeners from the node's own view: inside a container
    they differ from `client`.
    """

    node_id: int
    client: str
    bind: str
    controller: str
    controller_bind: str
    peer: str | None = None
    peer_bind: str | None = None


def lab_settings(kafka_version: str) -> dict[str, str]:
    """The lab's settings for a version of Kafka.

    An older Kafka ignores settings that it does not know: before 4.3 there was no
    `group.consumer.assignment.interval.ms`, and each change was assigned at once.
    """
    is_4_0 = kafka_version.startswith("4.0.")
    return {**LAB_SETTINGS, **(SETTINGS_FOR_4_0 if is_4_0 else {})}


def node_properties(
    topology: Topology, endpoints: Sequence[Endpoint], node_id: int, kafka_version: str
) -> dict[str, str]:
    """All server properties of one node, the topology's own settings last.

    The quorum is static (`controller.quorum.voters`), so a prepared data folder
    does not contain ports, and a node can start with it on any port.
    """
    me = next(endpoint for endpoint in endpoints if endpoint.node_id == node_id)
    is_controller = node_id in topology.controller_ids
    listeners = {"PLAINTEXT": me.bind}
    advertised = {"PLAINTEXT": me.client}
    if me.peer and me.peer_bind:
        listeners["PEER"] = me.peer_bind
        advertised["PEER"] = me.peer
    if is_controller:
        listeners["CONTROLLER"] = me.controller_bind
    voters = (
        f"{endpoint.node_id}@{endpoint.controller}"
        for endpoint in endpoints
        if endpoint.node_id in topology.controller_ids
    )
    return {
        "process.roles": "broker,controller" if is_controller else "broker",
        "node.id": str(node_id),
        "controller.quorum.voters": ",".join(voters),
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(f"{name}://{address}" for name, address in listeners.items()),
        "advertised.listeners": ",".join(
            f"{name}://{address}" for name, address in advertised.items()
        ),
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in {**listeners, "CONTROLLER": ""}
        ),
        "inter.broker.listener.name": "PEER" if "PEER" in listeners else "PLAINTEXT",
        **lab_settings(kafka_version),
        **topology.settings,
    }


def as_properties_file(properties: Mapping[str, str]) -> str:
    """The text of a Java properties file, ASCII only, as java.util.Properties reads it."""
    return "".join(f"{key}={_escaped(value)}\n" for key, value in properties.items())


def _escaped(value: str) -> str:
    r"""The value with backslashes, line ends and leading blanks escaped, and non-ASCII as \uXXXX.

    Java reads such files as Latin-1, so a folder's name in UTF-8 would be read wrongly.
    """
    text = value.translate({ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r"})
    blanks = len(text) - len(text.lstrip(" \t\f"))
    text = "".join(f"\\{blank}" for blank in text[:blanks]) + text[blanks:]
    return "".join(each if each.isascii() else _as_utf_16(each) for each in text)


def _as_utf_16(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def as_environment(properties: Mapping[str, str]) -> dict[str, str]:
    """The environment variables from which an `apache/kafka` image reads its properties.

    `.` becomes `_`, `_` becomes `__`, `-` becomes `___` (KIP-975).
    """

    def variable(key: str) -> str:
        return "KAFKA_" + key.replace("_", "__").replace("-", "___").replace(".", "_").upper()

    return {variable(key): value for key, value in properties.items()}
