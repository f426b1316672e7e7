"""The external backend: a cluster that something else started, and that others use.

Only topics, groups and transactional ids whose names begin with the run's
prefix (see `names`) are made, used and deleted.
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

# A handshake with TLS and SCRAM takes 0.1 s; the rest is for a slow network.
CONNECT_LIMIT = 15.0
# Between two looks at what the client tells of its trouble.
CONNECT_STEP = 0.5
# For one request of many to a cluster that has answered already.
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
"""what lessons ask of a server, by the numbers of Kafka's protocol guide"""

KNOWN_REQUEST = re.compile(r"ApiKey \S+ \((\d+)\) Versions ")


class ExternalBroker:
    """Somebody else's cluster (see `kafkalab.brokers.Broker`): it is used, and left as it was."""

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
            properties: what each client needs.
            nodes: for each node id the `host:port` that it advertises.
            capabilities: what its settings allow.
            version: of its Kafka, as its owner told; empty where nobody did.
            cluster: the id that it tells of itself; empty where it tells none.
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
            # As advertised: so a client asks each node by the name that it is known by.
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
        """Nothing to look at from here: whether it answers is asked when a fact has failed."""

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
        """It goes on without us."""


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
        """Nothing is read or asked before it is needed.

        Args:
            bootstrap: `host:port`, comma separated; "" where the file says it.
            config_file: a Java client's properties file.
            kafka_version: of the cluster; "" where it was not told. No request of a
                client tells it.
            cache: the folder in which `prepare` writes down what it makes for a moment; None
                where only a run is of interest, which is written down by its lease.
        """
        self.kafka_version = kafka_version
        self._bootstrap = bootstrap
        self._config_file = config_file
        self._cache = cache

    @cached_property
    def properties(self) -> ClientProperties:
        """How clients reach the cluster.

        Raises:
            NoBootstrap, BadClientProperties: see `read_client_properties`.
        """
        return read_client_properties(self._config_file, self._bootstrap)

    @cached_property
    def broker(self) -> ExternalBroker:
        """The cluster, once it has answered.

        Raises:
            BrokerError: it did not, or the properties are wrong.
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
        """What the cluster's own settings allow; it is asked for them once.

        Raises:
            BrokerError: it did not answer.
        """
        return self.broker.capabilities

    def describe(self) -> str:
        servers = self.properties.librdkafka["bootstrap.servers"]
        ignored = self.properties.left_out
        without = f", without {', '.join(ignored)} of {self._config_file}" if ignored else ""
        return f"your cluster at {servers}{without}"

    def prepare(self, steps: Steps) -> None:  # noqa: ARG002 - it is a matter of a second
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
            BrokerError: not all of it could be deleted; the text says how to.
        """
        client = self.broker.client_properties()
        delete_leftovers(client, leftovers(client, prefix), tell)
        return True


def connect(properties: ClientProperties) -> tuple[AdminClient, dict[int, str]]:
    """A client that is connected, and for each node id the address that it advertises.

    Raises:
        BadClientProperties: librdkafka does not take the properties.
        AccessRefused: the cluster lets nobody in with them.
        Unreachable: nothing that could be Kafka answers.
        ClusterRefuses: it does not know all requests of lessons.
    """
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    servers = properties.librdkafka["bootstrap.servers"]
    told: list[KafkaError] = []
    # Some of its trouble a client only logs. A logger of nobody: nothing is printed.
    log = logging.Logger("kafkalab.connecting")
    log.addHandler(ear := _Ear())
    config: dict[str, Any] = {
        **properties.librdkafka,
        "error_cb": told.append,
        "log_level": 7,
        # In its log stands then which requests a server says that it knows.
        "debug": "feature",
    }
    try:
        admin = AdminClient(config, logger=log)
    # The others are of the Python client, which looks at some properties itself.
    except (KafkaException, ImportError, ValueError) as error:
        why = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise BadClientProperties(
            f"librdkafka does not take these properties: "
            f"{' '.join(properties.hide_secrets(why).split()).rstrip('.')}.",
            suspect="a value of the file given with --kafkalab-config.",
            remedy="correct it.",
        ) from None
    waited = 0.0
    # It tells when all servers have failed; it does not know which of them was the last hope.
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
    """Keeps what a client logs of its trouble, and of what the server knows."""

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
    """Refuse a server that does not know all requests of lessons.

    Not by asking: librdkafka aborts the process when it may not delete groups.

    Args:
        known: the numbers of those that it says it knows; none where it did not say.

    Raises:
        ClusterRefuses: some are missing.
    """
    unknown = [name for number, name in REQUESTS.items() if number not in known]
    if known and unknown:
        raise speaks_in_part(f"does not know {', '.join(unknown)}")


def broker_settings(admin: AdminClient, node_id: int) -> dict[str, str] | None:
    """The settings of a node; None where this user may not see them."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource, ResourceType

    resource = ConfigResource(ResourceType.BROKER, str(node_id))
    asked = admin.describe_configs([resource], request_timeout=ASK_LIMIT)[resource]
    try:
        return {name: entry.value for name, entry in asked.result().items()}
    except KafkaException:
        return None


def cluster_id(admin: AdminClient) -> str:
    """The id that a cluster tells of itself; empty where it tells none."""
    from confluent_kafka import KafkaException

    try:
        return admin.list_topics(timeout=ASK_LIMIT).cluster_id or ""
    except KafkaException:
        return ""


def require_kafka_4(settings: Mapping[str, str] | None) -> None:
    """Refuse a cluster that shows a setting which Kafka 4.0 has no more.

    Args:
        settings: of a node; None where this user may not see them, and so nothing is known.

    Raises:
        TooOld: it is older than 4.0.
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
    """What a client has told of its trouble, as one line.

    Args:
        codes: librdkafka's, of its errors.
        texts: its errors' texts, then its log.
        servers: where it tried.
    """
    from confluent_kafka import KafkaError

    text = _short(next(iter(texts), f"nothing came in {CONNECT_LIMIT:.0f} s"))
    if any("OAUTHBEARER token" in each for each in texts):
        return AccessRefused(
            f"No token for the cluster at {servers} ({text}).",
            suspect="a wrong sasl.oauthbearer.token.endpoint.url, client id or client secret, or "
            "an issuer whose certificate is of nobody that this machine trusts.",
            remedy="correct them, or name the authority in https.ca.location, in the file given "
            "with --kafkalab-config.",
        )
    if KafkaError._AUTHENTICATION in codes:
        return AccessRefused(
            f"The cluster at {servers} does not let this user in ({text}).",
            suspect="a wrong user name, password or sasl.mechanism.",
            remedy="correct the file given with --kafkalab-config.",
        )
    # Told in several ways, depending on who hangs up first, and when.
    if KafkaError._SSL in codes or any(
        re.search("SSL[ _](handshake|connection|alert)", each, re.I) for each in texts
    ):
        return AccessRefused(
            f"No TLS with {servers} ({text}).",
            suspect="a port that speaks no TLS, a truststore without the cluster's authority, a "
            "name that its certificate does not have, or a certificate of yours that it asks for.",
            remedy="correct security.protocol, ssl.truststore.* or ssl.keystore.* in the file "
            "given with --kafkalab-config.",
        )
    # Kafka, or whoever it is, hangs up at the first request.
    if any("APIVERSION_QUERY" in each and "Disconnected" in each for each in texts):
        return AccessRefused(
            f"{servers} takes connections and hangs up ({text}).",
            suspect="a port that speaks TLS or SASL, and a client that does not.",
            remedy="correct security.protocol in the file given with --kafkalab-config.",
        )
    return Unreachable(
        f"No Kafka answers at {servers} ({text}).",
        suspect="a wrong address, a cluster that is down, or a firewall.",
        remedy="check --kafkalab-bootstrap, or the servers that the file of --kafkalab-config "
        "names.",
    )


def _short(text: str) -> str:
    """librdkafka's text without its name of the connection before, and its timings behind."""
    bare = re.sub(r"^.*?(?:/bootstrap|/\d+): ", "", text)
    return re.sub(r" \(after .*", "", bare).rstrip(".")


def _not_ours(what: str) -> NotOurs:
    return NotOurs(
        f"The external backend does not {what}: the cluster is somebody else's.",
        suspect="a test that needs a broker of its own.",
        remedy="use --kafkalab-backend=embedded for it.",
    )
