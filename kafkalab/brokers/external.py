"""The external backend: a cluster that others have started and use.

It makes, uses and deletes only topics, groups and transactional ids with the run's
prefix in their names (see `names`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafkalab.brokers import Steps, Termination, Topology
from kafkalab.brokers.capabilities import of_cluster
from kafkalab.brokers.client_properties import ClientProperties, read_client_properties
from kafkalab.brokers.errors import (
    AccessRefused,
    BadClientProperties,
    BrokerError,
    NotOurs,
    TooOld,
    Unreachable,
)
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.leftovers import delete_leftovers, leftovers
from kafkalab.brokers.rights import require_rights, speaks_in_part
from kafkalab.brokers.runs import Run

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient

# Seconds. A handshake with TLS and SCRAM takes 0.1 s; the rest is for a slow network.
CONNECT_LIMIT = 15.0
# Seconds between two checks of the client's errors.
CONNECT_STEP = 0.5
# Seconds for one request to a cluster that has answered before.
ASK_LIMIT = 10.0

REQUESTS: Mapping[int, str] = {
    0: "Produce",
    1: "Fetch",
    2: "ListOffsets",
    8: "OffsetCommit",
    9: "OffsetFetch",
    10: "FindCoordinator",
    11: "JoinGroup",
    12: "Heartbeat",
    13: "LeaveGroup",
    14: "SyncGroup",
    15: "DescribeGroups",
    16: "ListGroups",
    19: "CreateTopics",
    20: "DeleteTopics",
    21: "DeleteRecords",
    22: "InitProducerId",
    24: "AddPartitionsToTxn",
    25: "AddOffsetsToTxn",
    26: "EndTxn",
    28: "TxnOffsetCommit",
    32: "DescribeConfigs",
    37: "CreatePartitions",
    42: "DeleteGroups",
    44: "IncrementalAlterConfigs",
}
"""the requests that lessons send, by their numbers in Kafka's protocol guide"""

KNOWN_REQUEST = re.compile(r"ApiKey \S+ \((\d+)\) Versions ")


class ExternalBroker:
    """A cluster of others (see `kafkalab.brokers.Broker`); a run leaves it as it was."""

    def __init__(
        self,
        properties: ClientProperties,
        nodes: Mapping[int, str],
        capabilities: frozenset[str],
        version: str,
        cluster: str,
    ) -> None:
        """Attach to a cluster.

        Args:
            properties: the properties that each client needs.
            nodes: for each node id the `host:port` that it advertises.
            capabilities: the capabilities that its settings allow.
            version: the version of its Kafka as the user named it; empty if unknown.
            cluster: the cluster's id; empty if the cluster does not report one.
        """
        self._version = version
        self.cluster = cluster
        self._properties = properties
        self._nodes = dict(sorted(nodes.items()))
        self._capabilities = capabilities

    @property
    def bootstrap(self) -> str:
        return ",".join(self._nodes.values())

    @property
    def node_ids(self) -> tuple[int, ...]:
        return tuple(self._nodes)

    @property
    def running_ids(self) -> tuple[int, ...]:
        return self.node_ids

    @property
    def version(self) -> str:
        return self._version

    @property
    def capabilities(self) -> frozenset[str]:
        return self._capabilities

    def client_properties(self) -> dict[str, str]:
        return {
            **self._properties.librdkafka,
            # The advertised addresses, so that clients use one name only for each node.
            "bootstrap.servers": self.bootstrap,
            "log_level": "0",
        }

    def kill(self, node_id: int, how: Termination) -> None:  # noqa: ARG002 - as the Protocol has it
        raise _not_ours(f"end node {node_id}")

    def start(self, node_id: int) -> None:
        raise _not_ours(f"start node {node_id}")

    def log_dir(self, node_id: int) -> Path:
        raise NotImplementedError(f"the files of node {node_id} are not readable from here")

    def log_tail(self, lines: int = 15) -> str:  # noqa: ARG002 - as the Protocol has it
        return ""

    def check_alive(self) -> None:
        """Do nothing: whether the cluster answers is checked only after a fact has failed."""

    def state(self) -> dict[str, Any]:
        return {
            "nodes": [
                {"node_id": node_id, "address": address} for node_id, address in self._nodes.items()
            ],
            "capabilities": sorted(self._capabilities),
            "version": self.version,
            "cluster": self.cluster,
            "start_seconds": 0.0,
            "notes": [],
        }

    def close(self) -> None:
        """Do nothing: the cluster goes on."""


class ExternalBackend:
    """Connects to a cluster (see `kafkalab.brokers.Backend`)."""

    name = starts = "external"

    def __init__(
        self,
        bootstrap: str,
        config_file: Path | None,
        kafka_version: str,
        cache: Path | None = None,
    ) -> None:
        """Store the arguments; files are read, and the cluster is asked, only when needed.

        Args:
            bootstrap: `host:port`, comma separated; "" if the file names the servers.
            config_file: a Java client's properties file.
            kafka_version: the cluster's version; "" if unknown. A client cannot ask the
                cluster for it.
            cache: the folder of the ledger, in which `prepare` enters the names that it makes
                for its check; None to enter nothing.
        """
        self.kafka_version = kafka_version
        self._bootstrap = bootstrap
        self._config_file = config_file
        self._cache = cache

    @cached_property
    def properties(self) -> ClientProperties:
        """The properties with which clients reach the cluster.

        Raises:
            NoBootstrap, BadClientProperties: see `read_client_properties`.
        """
        return read_client_properties(self._config_file, self._bootstrap)

    @cached_property
    def broker(self) -> ExternalBroker:
        """The cluster; the first access connects to it.

        Raises:
            BrokerError: the cluster did not answer, or the properties are wrong.
        """
        admin, nodes = connect(self.properties)
        settings = broker_settings(admin, min(nodes))
        require_kafka_4(settings)
        return ExternalBroker(
            self.properties,
            nodes,
            of_cluster(settings),
            self.kafka_version,
            cluster_id(admin),
        )

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the cluster's own settings allow; it asks for them once.

        Raises:
            BrokerError: the cluster did not answer.
        """
        return self.broker.capabilities

    def describe(self) -> str:
        servers = self.properties.librdkafka["bootstrap.servers"]
        ignored = self.properties.left_out
        without = f", without {', '.join(ignored)} of {self._config_file}" if ignored else ""
        return f"your cluster at {servers}{without}"

    def prepare(self, steps: Steps) -> None:  # noqa: ARG002 - it takes only a second
        if self._cache is None:
            require_rights(self.broker.client_properties())
            return
        run, ledger = Run.new(self._cache, self.name), Ledger(self._cache)
        ledger.enter(run.prefix, run.owner, self.broker.cluster)
        try:
            require_rights(self.broker.client_properties(), run.prefix)
        finally:
            ledger.strike_out(run.prefix)

    def launch(self, topology: Topology, home: Path) -> ExternalBroker:  # noqa: ARG002
        raise _not_ours("start a broker of its own for one test")

    def shared(self, home: Path) -> ExternalBroker:  # noqa: ARG002 - as the Protocol has it
        return self.broker

    def attach(self, state: Mapping[str, Any]) -> ExternalBroker:
        nodes = {row["node_id"]: row["address"] for row in state["nodes"]}
        capabilities = frozenset(state["capabilities"])
        return ExternalBroker(
            self.properties, nodes, capabilities, state["version"], state["cluster"]
        )

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:
        """Delete the topics and groups of a run, and nothing else.

        Raises:
            BrokerError: some could not be deleted; the text says how to delete them.
        """
        client = self.broker.client_properties()
        delete_leftovers(client, leftovers(client, prefix), tell)
        return True


def connect(properties: ClientProperties) -> tuple[AdminClient, dict[int, str]]:
    """A connected client, and for each node id the address that it advertises.

    Raises:
        BadClientProperties: librdkafka does not accept the properties.
        AccessRefused: the cluster refuses the login with them.
        Unreachable: nothing that could be Kafka answers.
        ClusterRefuses: the server does not support all requests of lessons.
    """
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    servers = properties.librdkafka["bootstrap.servers"]
    told: list[KafkaError] = []
    # A client only logs some of its errors. This logger has no parent, so nothing is printed.
    log = logging.Logger("kafkalab.connecting")
    log.addHandler(ear := _Ear())
    config: dict[str, Any] = {
        **properties.librdkafka,
        "error_cb": told.append,
        "log_level": 7,
        # With this, the log names the requests that a server supports.
        "debug": "feature",
    }
    try:
        admin = AdminClient(config, logger=log)
    # The last two come from the Python client, which checks some properties itself.
    except (KafkaException, ImportError, ValueError) as error:
        why = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise BadClientProperties(
            f"librdkafka does not accept these properties: "
            f"{' '.join(properties.hide_secrets(why).split()).rstrip('.')}.",
            suspect="a value of the file given with --kafkalab-config.",
            remedy="correct it.",
        ) from None
    waited = 0.0
    # The client reports when all servers have failed.
    while waited < CONNECT_LIMIT and KafkaError._ALL_BROKERS_DOWN not in map(_code, told):
        try:
            brokers = admin.list_topics(timeout=CONNECT_STEP).brokers
        except KafkaException:
            brokers = {}
        if not brokers:
            waited += CONNECT_STEP
            admin.poll(0)
            continue
        admin.poll(0)
        _require_requests(ear.requests)
        return admin, {node_id: _address(each) for node_id, each in brokers.items()}
    texts = [error.str() for error in told if _code(error) != KafkaError._ALL_BROKERS_DOWN]
    raise _why_not(
        set(map(_code, told)),
        [properties.hide_secrets(each) for each in texts + ear.heard],
        servers,
    )


class _Ear(logging.Handler):
    """Keeps the errors that a client logs, and the requests that the server supports."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.requests: set[int] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno > logging.DEBUG:
            self.heard.append(text)
        elif known := KNOWN_REQUEST.search(text):
            self.requests.add(int(known[1]))


def _require_requests(known: set[int]) -> None:
    """Refuse a server that does not support all requests of lessons.

    It does not just send the requests: librdkafka aborts the process if the server does not
    support deleting groups.

    Args:
        known: the numbers of the requests that the server supports; empty if it did not say.

    Raises:
        ClusterRefuses: some requests are missing.
    """
    unknown = [name for number, name in REQUESTS.items() if number not in known]
    if known and unknown:
        raise speaks_in_part(f"does not know {', '.join(unknown)}")


def broker_settings(admin: AdminClient, node_id: int) -> dict[str, str] | None:
    """The settings of a node; None if this user may not read them."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource, ResourceType

    resource = ConfigResource(ResourceType.BROKER, str(node_id))
    asked = admin.describe_configs([resource], request_timeout=ASK_LIMIT)[resource]
    try:
        return {name: entry.value for name, entry in asked.result().items()}
    except KafkaException:
        return None


def cluster_id(admin: AdminClient) -> str:
    """The id of a cluster; empty if the cluster does not report one."""
    from confluent_kafka import KafkaException

    try:
        return admin.list_topics(timeout=ASK_LIMIT).cluster_id or ""
    except KafkaException:
        return ""


def require_kafka_4(settings: Mapping[str, str] | None) -> None:
    """Refuse a cluster with a setting that no longer exists in Kafka 4.0.

    Args:
        settings: the settings of a node; None if this user may not read them. Then nothing is
            refused.

    Raises:
        TooOld: the cluster is older than 4.0.
    """
    protocol = (settings or {}).get("inter.broker.protocol.version")
    if protocol:
        raise TooOld(
            f"Your cluster runs Kafka {protocol.partition('-')[0]}, and lessons need 4.0 or newer.",
            suspect="--kafkalab-bootstrap names another cluster than you meant.",
            remedy="name a newer one, or use --kafkalab-backend=embedded.",
        )


def _code(error: KafkaError) -> int:
    return int(error.code())


def _address(broker: Any) -> str:
    host = f"[{broker.host}]" if ":" in broker.host else broker.host
    return f"{host}:{broker.port}"


def _why_not(codes: set[int], texts: Sequence[str], servers: str) -> BrokerError:
    """The error that explains why a client could not connect.

    Args:
        codes: the codes of librdkafka's errors.
        texts: the texts of these errors, then the client's log.
        servers: the addresses that the client tried.
    """
    from confluent_kafka import KafkaError

    text = _short(next(iter(texts), f"nothing came in {CONNECT_LIMIT:.0f} s"))
    if any("OAUTHBEARER token" in each for each in texts):
        return AccessRefused(
            f"No token for the cluster at {servers} ({text}).",
            suspect="a wrong sasl.oauthbearer.token.endpoint.url, client id or client secret, or "
            "an issuer's certificate that this machine does not trust.",
            remedy="correct them, or name the authority in https.ca.location, in the file given "
            "with --kafkalab-config.",
        )
    if KafkaError._AUTHENTICATION in codes:
        return AccessRefused(
            f"The cluster at {servers} does not let this user in ({text}).",
            suspect="a wrong user name, password or sasl.mechanism.",
            remedy="correct the file given with --kafkalab-config.",
        )
    # The texts differ, depending on which side closes the connection first, and when.
    if KafkaError._SSL in codes or any(
        re.search("SSL[ _](handshake|connection|alert)", each, re.I) for each in texts
    ):
        return AccessRefused(
            f"No TLS with {servers} ({text}).",
            suspect="a port without TLS, a truststore without the cluster's authority, a host name "
            "that is not in its certificate, or that it asks for a certificate of yours.",
            remedy="correct security.protocol, ssl.truststore.* or ssl.keystore.* in the file "
            "given with --kafkalab-config.",
        )
    # The server closes the connection at the first request.
    if any("APIVERSION_QUERY" in each and "Disconnected" in each for each in texts):
        return AccessRefused(
            f"{servers} takes connections and hangs up ({text}).",
            suspect="a port with TLS or SASL, and a client without.",
            remedy="correct security.protocol in the file given with --kafkalab-config.",
        )
    return Unreachable(
        f"No Kafka answers at {servers} ({text}).",
        suspect="a wrong address, a cluster that is down, or a firewall.",
        remedy="check --kafkalab-bootstrap, or the servers that the file of --kafkalab-config "
        "names.",
    )


def _short(text: str) -> str:
    """librdkafka's text without the connection's name before it and the timings after it."""
    bare = re.sub(r"^.*?(?:/bootstrap|/\d+): ", "", text)
    return re.sub(r" \(after .*", "", bare).rstrip(".")


def _not_ours(what: str) -> NotOurs:
    return NotOurs(
        f"The external backend does not {what}: the cluster belongs to others.",
        suspect="a test that needs a broker of its own.",
        remedy="use --kafkalab-backend=embedded for it.",
    )
