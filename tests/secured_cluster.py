"""A cluster that something else started: SASL_SSL, SCRAM and ACLs on, and stock floors.

    python tests/secured_cluster.py COMMAND ...

starts it, runs the command with KAFKALAB_BOOTSTRAP and KAFKALAB_CONFIG set for
the user `lab`, who may do what docs/external.md says and nothing more, and ends
it. Exit code: the command's.

None of the lab's settings are on. What differs from a stock broker is what
makes it small: one partition and one replica for each internal topic.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from filelock import FileLock

from kafkalab.brokers.coordinators import wait_for_coordinators
from kafkalab.brokers.distribution import LEAN_FLAGS, Distribution, find_java
from kafkalab.brokers.embedded import PORT_DRAWS
from kafkalab.brokers.errors import PortTaken
from kafkalab.brokers.node import MetadataProbe, Node, wait_until_ready
from kafkalab.brokers.owner import Owner
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.properties import as_properties_file
from kafkalab.brokers.runs import Run
from kafkalab.config import Settings
from kafkalab.waiting import wait_until

# Read before any test runs: pytester gives tests a home of their own, and so another cache.
CACHE = Settings.from_environment().cache

LAB, NO_CREATE, NO_GROUP = "lab", "no-create", "no-group"
PASSWORD = 'a secret, with = and " in it'
STORE_PASSWORD = "storepass"
LAB_PREFIX = "kafkalab-"
SECURITY = "org.apache.kafka.common.security"

# Seconds for what takes milliseconds on an idle machine.
LIMIT = 30.0

ALL = [AclOperation.ALL]
RIGHTS: Mapping[str, Mapping[ResourceType, Sequence[AclOperation]]] = {
    LAB: {ResourceType.TOPIC: ALL, ResourceType.GROUP: ALL, ResourceType.TRANSACTIONAL_ID: ALL},
    NO_CREATE: {
        ResourceType.TOPIC: [AclOperation.READ, AclOperation.WRITE],
        ResourceType.GROUP: ALL,
        ResourceType.TRANSACTIONAL_ID: ALL,
    },
    NO_GROUP: {ResourceType.TOPIC: ALL, ResourceType.TRANSACTIONAL_ID: ALL},
}
"""for each user what it may do with what begins with LAB_PREFIX"""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


MECHANISMS: Mapping[str, str] = {
    "SCRAM-SHA-256": f"{SECURITY}.scram.ScramLoginModule required;",
    "SCRAM-SHA-512": f"{SECURITY}.scram.ScramLoginModule required;",
    "PLAIN": f"{SECURITY}.plain.PlainLoginModule required user_{LAB}={_quoted(PASSWORD)};",
    # It takes tokens that nobody has signed: as insecure as can be, and enough to see who gets in.
    "OAUTHBEARER": f"{SECURITY}.oauthbearer.OAuthBearerLoginModule required;",
}
"""what the listener for SASL takes, and the broker's side of each"""


@dataclass(frozen=True)
class SecuredCluster:
    """The cluster, and how each of its users gets in; as data that processes can share."""

    bootstrap: str
    """`host:port` of the listener that takes SASL_SSL only"""
    certified: str
    """`host:port` of the listener that takes TLS from whoever has a certificate"""
    plaintext: str
    """`host:port` of the listener that takes plaintext only"""
    home: str
    """its folder"""

    @property
    def folder(self) -> Path:
        return Path(self.home)

    @property
    def authority(self) -> Path:
        """The certificate, PEM."""
        return self.folder / "ca.pem"

    @property
    def key_store(self) -> Path:
        """PKCS12: the broker's own key, with which clients get in as well; STORE_PASSWORD."""
        return self.folder / "server.p12"

    def properties_file(self, user: str, **changed: str | None) -> Path:
        """A Java client's properties file for a user.

        Args:
            user: one of RIGHTS.
            changed: keys with `_` for `.` and other values; None leaves one out.
        """
        properties: dict[str, str | None] = {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.jaas.config": jaas(user, PASSWORD),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority),
            **{key.replace("_", "."): value for key, value in changed.items()},
        }
        path = self.folder / f"{user}{len(list(self.folder.glob('*.properties')))}.properties"
        kept = {key: value for key, value in properties.items() if value is not None}
        path.write_text(as_properties_file(kept), "utf-8")
        return path

    def variables(self, user: str | None) -> dict[str, str]:
        """The environment in which kafkalab uses the cluster as a user; None: as who may do all."""
        if user is None:
            return {"KAFKALAB_BOOTSTRAP": self.plaintext, "KAFKALAB_CONFIG": ""}
        config = str(self.properties_file(user))
        return {"KAFKALAB_BOOTSTRAP": self.bootstrap, "KAFKALAB_CONFIG": config}

    @property
    def administrator(self) -> dict[str, str]:
        """librdkafka's properties for who may do everything."""
        return {"bootstrap.servers": self.plaintext, "log_level": "0"}

    def client(self, user: str) -> dict[str, str]:
        """librdkafka's properties for a user."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "sasl_ssl",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": user,
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(self.authority),
            "log_level": "0",
        }


def jaas(user: str, password: str, module: str = "ScramLoginModule") -> str:
    """What a login module of Java's is configured with."""
    package = {"ScramLoginModule": "scram", "PlainLoginModule": "plain"}[module]
    options = f"username={_quoted(user)} password={_quoted(password)}"
    return f"{SECURITY}.{package}.{module} required {options};"


@contextmanager
def secured_cluster(settings: Mapping[str, str] | None = None) -> Iterator[SecuredCluster]:
    """Start the cluster; it is gone when the block ends, or its process.

    Args:
        settings: broker settings in addition.
    """
    run = Run.new(CACHE, "embedded")
    try:
        yield start(run, settings or {})
    finally:
        run.close()


def shared_cluster(folder: Path) -> SecuredCluster:
    """One cluster for all workers: the first starts it, and it ends when pytest does.

    Args:
        folder: pytest's folder for temporary files.
    """
    pytest_itself = os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder, pytest_itself = folder.parent, os.getppid()
    state = folder / "secured_cluster.json"
    with FileLock(folder / "secured_cluster.lock"):
        if not state.exists():
            run = replace(Run.new(CACHE, "embedded"), owner=Owner.of(pytest_itself))
            started = start(run, {})
            let_lab_read_broker_settings(started)
            state.write_text(json.dumps(asdict(started)), "utf-8")
    return SecuredCluster(**json.loads(state.read_text("utf-8")))


def start(run: Run, settings: Mapping[str, str]) -> SecuredCluster:
    """Start the cluster as part of a run: it is gone when the run's owner is."""
    run.open()
    distribution = Distribution(CACHE, find_java())
    for draw in range(PORT_DRAWS):
        cluster, node = _format(distribution, run.folder / f"secured-{draw}", settings)
        node.spawn(distribution.command("kafka.Kafka", str(node.properties_file), flags=LEAN_FLAGS))
        try:
            wait_until_ready([node])
        except PortTaken:
            # Another process bound a port between its draw and the node.
            if draw == PORT_DRAWS - 1:
                raise
            continue
        break
    wait_for_coordinators(cluster.administrator)
    _let_users_in(cluster)
    return cluster


def _format(
    distribution: Distribution, home: Path, settings: Mapping[str, str]
) -> tuple[SecuredCluster, Node]:
    secured, certified, plaintext, controller = free_ports(4)
    node = Node(1, home, plaintext, controller)
    node.home.mkdir(parents=True)
    addresses = (f"127.0.0.1:{secured}", f"127.0.0.1:{certified}", node.address)
    cluster = SecuredCluster(*addresses, str(node.home))
    _make_certificate(distribution, cluster)
    node.properties_file.write_text(
        as_properties_file({**_server_properties(cluster, node), **settings}), "utf-8"
    )
    distribution.format(node.properties_file)
    return cluster, node


def _server_properties(cluster: SecuredCluster, node: Node) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{node.controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"CLIENTS://{cluster.bootstrap},CERTIFIED://{cluster.certified},"
        f"PLAIN://{node.address},CONTROLLER://127.0.0.1:{node.controller_port}",
        "listener.security.protocol.map": (
            "CLIENTS:SASL_SSL,CERTIFIED:SSL,PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "PLAIN",
        "sasl.enabled.mechanisms": ",".join(MECHANISMS),
        **{
            f"listener.name.clients.{mechanism.lower()}.sasl.jaas.config": login
            for mechanism, login in MECHANISMS.items()
        },
        "listener.name.certified.ssl.client.auth": "required",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(cluster.authority),
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(cluster.key_store),
        "ssl.keystore.password": STORE_PASSWORD,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The broker itself, and who administers it, come by the plaintext listener.
        "super.users": "User:ANONYMOUS",
        # Somebody else's transaction may be open all the while (foreign.py).
        "transaction.max.timeout.ms": "7200000",
        "log.dirs": str(node.data),
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
    }


def _make_certificate(distribution: Distribution, cluster: SecuredCluster) -> None:
    keytool = str(distribution.java.executable.with_name("keytool"))
    store = ["-keystore", str(cluster.key_store), "-storepass", STORE_PASSWORD]
    for arguments in (
        [
            *("-genkeypair", "-alias", "server", "-keyalg", "EC", "-dname", "CN=127.0.0.1"),
            *("-ext", "SAN=IP:127.0.0.1", "-ext", "BC=ca:true", "-storetype", "PKCS12", *store),
        ],
        ["-exportcert", "-rfc", "-alias", "server", "-file", str(cluster.authority), *store],
    ):
        done = subprocess.run([keytool, *arguments], capture_output=True, text=True, timeout=LIMIT)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"


def _let_users_in(cluster: SecuredCluster) -> None:
    admin = AdminClient(cluster.administrator)
    # A user may not be altered twice in one request.
    for scram in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        info = ScramCredentialInfo(scram, 4096)
        users = [UserScramCredentialUpsertion(user, info, PASSWORD.encode()) for user in RIGHTS]
        for done in admin.alter_user_scram_credentials(users).values():
            done.result(LIMIT)
    bindings = [
        _binding(user, kind, LAB_PREFIX, operation, ResourcePatternType.PREFIXED)
        for user, rights in RIGHTS.items()
        for kind, operations in rights.items()
        for operation in operations
    ]
    for done in admin.create_acls(bindings).values():
        done.result(LIMIT)
    # What was granted holds at the broker a moment later.
    wait_until(
        lambda: [_can_get_in(cluster, user) for user in RIGHTS],
        all,
        limit=LIMIT,
        what="all users to be let in",
    )


def _can_get_in(cluster: SecuredCluster, user: str) -> bool:
    return MetadataProbe(cluster.client(user)).brokers(5) == 1


def let_lab_read_broker_settings(cluster: SecuredCluster) -> None:
    """Grant the one right outside the prefix that is worth having: to see the floors."""
    binding = _binding(
        LAB,
        ResourceType.BROKER,
        "kafka-cluster",
        AclOperation.DESCRIBE_CONFIGS,
        ResourcePatternType.LITERAL,
    )
    admin = AdminClient(cluster.administrator)
    admin.create_acls([binding])[binding].result(LIMIT)


def _binding(
    user: str,
    kind: ResourceType,
    name: str,
    operation: AclOperation,
    pattern: ResourcePatternType,
) -> AclBinding:
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def main(command: Sequence[str]) -> int:
    """Run a command beside the cluster; return its exit code."""
    with secured_cluster() as cluster:
        let_lab_read_broker_settings(cluster)
        environment = {**os.environ, **cluster.variables(LAB)}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
