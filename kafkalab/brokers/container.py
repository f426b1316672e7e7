"""The container backend: an `apache/kafka`-compatible image in a Docker engine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafkalab.brokers import Stay, Steps, Termination, Topology
from kafkalab.brokers.capabilities import of_backend
from kafkalab.brokers.coordinators import wait_for_coordinators
from kafkalab.brokers.engine import (
    LOOPBACK,
    RUN_LABEL,
    engine_host,
    find_engine,
    is_loopback,
    remove_container,
)
from kafkalab.brokers.errors import (
    BrokerDied,
    NoEngine,
    NoImage,
    OpenToOthers,
    PortTaken,
    StartFailed,
)
from kafkalab.brokers.node import START_LIMIT, STOP_LIMIT, MetadataProbe
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.properties import CLUSTER_ID, Endpoint, as_environment, node_properties
from kafkalab.config import doc

if TYPE_CHECKING:
    from docker.models.containers import Container

    import docker

CLIENT_PORT = 9092
CONTROLLER_PORT = 9093
PEER_PORT = 19092

# Seconds between two checks. A request to the engine takes milliseconds; waits look every 20 ms.
ALIVE_EVERY = 0.5
# Seconds; enough for an image of 200 MB on a slow line.
PULL_LIMIT = 600.0
PORT_DRAWS = 3
DATA_FOLDER = "/var/lib/kafka/data"

NO_STAY = Stay()


class ContainerBroker:
    """Kafka nodes as containers (see `kafkalab.brokers.Broker`)."""

    def __init__(
        self,
        client: docker.DockerClient,
        version: str,
        topology: Topology,
        ports: Mapping[int, int],
        containers: Mapping[int, Container],
        network: str | None = None,
    ) -> None:
        self._client = client
        self._version = version
        self._topology = topology
        self._ports = dict(ports)
        self._containers = dict(containers)
        self._network = network
        self._should_run = set(ports)
        self._looked = 0.0
        self.start_seconds = 0.0

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{engine_host()}:{port}" for port in self._ports.values())

    @property
    def node_ids(self) -> tuple[int, ...]:
        return tuple(self._ports)

    @property
    def running_ids(self) -> tuple[int, ...]:
        return tuple(sorted(self._should_run))

    @property
    def version(self) -> str:
        return self._version

    @property
    def capabilities(self) -> frozenset[str]:
        return ContainerBackend.capabilities

    def client_properties(self) -> dict[str, str]:
        return {"bootstrap.servers": self.bootstrap, "log_level": "0"}

    def kill(self, node_id: int, how: Termination) -> None:
        self._should_run.discard(node_id)
        if how is Termination.GRACEFUL:
            self._containers[node_id].stop(timeout=int(STOP_LIMIT))
        else:
            self._containers[node_id].kill()
            self._containers[node_id].wait(timeout=STOP_LIMIT)

    def start(self, node_id: int) -> None:
        self._containers[node_id].start()
        self._should_run.add(node_id)
        self.wait_until_ready()

    def log_dir(self, node_id: int) -> Path:
        raise NotImplementedError("a container's files are not readable from here")

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(
            container.logs(tail=lines).decode("utf-8", "replace")
            for container in self._containers.values()
        )

    def check_alive(self) -> None:
        if time.monotonic() - self._looked < ALIVE_EVERY:
            return
        self._looked = time.monotonic()
        gone = self._ended_node()
        if gone is not None:
            raise BrokerDied(
                f"The broker died: the container of node {gone} is gone.",
                suspect="it was killed, or it stopped by itself; the end of its log follows.",
                remedy="run again; facts that met this are invalid, not refuted.",
                log=self._tail_of(gone),
            )

    def _ended_node(self) -> int | None:
        import docker.errors

        for node_id in self._should_run:
            try:
                self._containers[node_id].reload()
            except docker.errors.NotFound:
                return node_id
            if self._containers[node_id].status != "running":
                return node_id
        return None

    def _tail_of(self, node_id: int) -> str:
        import docker.errors

        try:
            return self._containers[node_id].logs(tail=15).decode("utf-8", "replace")
        except docker.errors.NotFound:
            return "(the container was removed, its log with it)"

    def state(self) -> dict[str, Any]:
        return {
            "topology": asdict(self._topology),
            "nodes": [
                {"node_id": node_id, "port": port, "container": self._containers[node_id].id}
                for node_id, port in self._ports.items()
            ],
            "version": self.version,
            "start_seconds": round(self.start_seconds, 2),
            "notes": [],
        }

    def close(self) -> None:
        import docker.errors

        for container in self._containers.values():
            remove_container(container)
        if self._network:
            with contextlib.suppress(docker.errors.NotFound):
                self._client.networks.get(self._network).remove()

    def wait_until_ready(self) -> None:
        """Wait until a client sees every node.

        Raises:
            OpenToOthers: a local engine lets other machines reach a node.
            StartFailed: a container ended, or did not answer within START_LIMIT.
        """
        if engine_host() == LOOPBACK:
            require_closed(self._containers[node_id] for node_id in self._should_run)
        started = time.monotonic()
        probe = MetadataProbe(self.client_properties())
        while time.monotonic() - started < START_LIMIT:
            ended = self._ended_node()
            if ended is not None:
                raise StartFailed(
                    f"The container of node {ended} ended before Kafka was ready.",
                    suspect="a broker setting, or an image that is not apache/kafka-compatible.",
                    remedy="check --kafkalab-image; the end of its log follows.",
                    log=self._tail_of(ended),
                )
            if probe.brokers(0.3) >= len(self._should_run):
                return
        raise StartFailed(
            f"Kafka in the container did not answer within {START_LIMIT:.0f} s.",
            suspect="a machine under heavy load, or a firewall on the published port.",
            remedy="run again, or use --kafkalab-backend=embedded; the end of its log follows.",
            log=self.log_tail(),
        )


class ContainerBackend:
    """Starts Kafka in a Docker engine (see `kafkalab.brokers.Backend`)."""

    name = starts = "container"
    capabilities = of_backend(name)

    def __init__(self, image: str) -> None:
        self.image = image

    @cached_property
    def client(self) -> docker.DockerClient:
        """The engine's client.

        Raises:
            NoEngine: no engine answers.
        """
        client = find_engine()
        if client is None:
            raise NoEngine(
                "No Docker engine answers.",
                suspect="Docker is not installed or not running, or DOCKER_HOST is wrong.",
                remedy="start Docker, or use --kafkalab-backend=embedded, which needs none.",
            )
        return client

    def engine_answers(self) -> bool:
        """Whether a Docker engine answers."""
        try:
            return self.client is not None
        except NoEngine:
            return False

    def has_image(self) -> bool:
        """Whether the image is on this machine."""
        import docker.errors

        try:
            self.client.images.get(self.image)
        except docker.errors.ImageNotFound:
            return False
        return True

    @property
    def kafka_version(self) -> str:
        """The Kafka version from the image's tag, as in `apache/kafka:4.4.0`."""
        return self.image.rpartition(":")[2] if ":" in self.image else "unknown"

    def describe(self) -> str:
        what = f"Apache Kafka {self.kafka_version} in a container of {self.image}"
        if (host := engine_host()) == LOOPBACK:
            return what
        return f"{what}, on {host}: open to everybody who reaches that host"

    def prepare(self, steps: Steps) -> None:
        if self.has_image():
            return
        import docker.errors
        import requests

        steps.step(f"pulling the image {self.image}, once")
        deadline = time.monotonic() + PULL_LIMIT
        repository, _, tag = self.image.rpartition(":")
        problem = f"not pulled within {PULL_LIMIT:.0f} s"
        try:
            for event in self.client.api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    problem = str(event["error"])
                    break
                if time.monotonic() > deadline:
                    break
        except (docker.errors.DockerException, requests.RequestException) as error:
            problem = str(getattr(error, "explanation", None) or error)
        if not self.has_image():
            raise NoImage(
                f"The image {self.image} is not on this machine and could not be pulled "
                f"({problem.splitlines()[0][:160]}).",
                suspect="a misspelled image, or a registry that this machine cannot reach.",
                remedy=f"pull or build it ({doc('docker.md', 'docker/README.md')}), "
                "name another with --kafkalab-image, or use --kafkalab-backend=embedded.",
            )

    def launch(self, topology: Topology, home: Path, stay: Stay = NO_STAY) -> ContainerBroker:
        """Start a broker; see `kafkalab.brokers.Backend`.

        Args:
            topology: the brokers and settings.
            home: the broker's folder; the name of its parent folder is the run's id.
            stay: ports and data folder, for a broker that outlives this process.
        """
        for _ in range(PORT_DRAWS - 1):
            try:
                return self._launch_once(topology, home.parent.name, stay)
            except PortTaken:
                continue
        return self._launch_once(topology, home.parent.name, stay)

    def shared(self, home: Path) -> ContainerBroker:
        return self.launch(Topology(), home)

    def attach(self, state: Mapping[str, Any]) -> ContainerBroker:
        containers = {
            row["node_id"]: self.client.containers.get(row["container"]) for row in state["nodes"]
        }
        ports = {row["node_id"]: row["port"] for row in state["nodes"]}
        topology = Topology(**state["topology"])
        return ContainerBroker(self.client, state["version"], topology, ports, containers)

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:  # noqa: ARG002
        """Do nothing: everything that a run made is deleted with its brokers."""
        return True

    def _launch_once(self, topology: Topology, run: str, stay: Stay) -> ContainerBroker:
        started = time.monotonic()
        drawn = stay.ports or free_ports(topology.brokers)
        ports = dict(zip(topology.node_ids, drawn, strict=True))
        network = self._network(run) if topology.brokers > 1 else None
        broker = ContainerBroker(self.client, self.kafka_version, topology, ports, {}, network)
        try:
            endpoints = [self._endpoint(node_id, port, network) for node_id, port in ports.items()]
            for node_id in ports:
                properties = node_properties(topology, endpoints, node_id, self.kafka_version)
                volume = volume_of(stay.data, node_id) if stay.data else None
                broker._containers[node_id] = self._run(
                    run, ports[node_id], node_id, properties, network, volume
                )
            broker.wait_until_ready()
            # An image starts without the internal topics; the embedded backend prepares them.
            wait_for_coordinators(broker.client_properties())
        except BaseException:
            broker.close()
            raise
        broker.start_seconds = time.monotonic() - started
        return broker

    def _endpoint(self, node_id: int, port: int, network: str | None) -> Endpoint:
        me = alias(node_id) if network else "localhost"
        return Endpoint(
            node_id,
            client=f"{engine_host()}:{port}",
            bind=f":{CLIENT_PORT}",
            controller=f"{me}:{CONTROLLER_PORT}",
            controller_bind=f":{CONTROLLER_PORT}",
            # The published address does not work inside the container. The broker's own requests,
            # such as a transaction's check of its partitions, need another address.
            peer=f"{me}:{PEER_PORT}",
            peer_bind=f":{PEER_PORT}",
        )

    def _network(self, run: str) -> str:
        name = f"kafkalab-{run}-{os.getpid()}-{time.monotonic_ns()}"
        self.client.networks.create(name, labels={RUN_LABEL: run})
        return name

    def _run(
        self,
        run: str,
        port: int,
        node_id: int,
        properties: Mapping[str, str],
        network: str | None,
        volume: str | None,
    ) -> Container:
        import docker.errors
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        container = DockerContainer(self.image)
        # Kafka asks for no password, so publish on loopback only. with_bind_ports() takes no
        # address.
        published: Any = (LOOPBACK, port) if engine_host() == LOOPBACK else port
        container.ports = {f"{CLIENT_PORT}/tcp": published}
        container.env = {
            **as_environment({**properties, "log.dirs": DATA_FOLDER}),
            "CLUSTER_ID": CLUSTER_ID,
            "KAFKA_HEAP_OPTS": "-Xmx256m",
        }
        extra: dict[str, Any] = {"labels": {RUN_LABEL: run}}
        if network:
            extra |= {"network": network, "hostname": alias(node_id)}
        if volume:
            container.with_volume_mapping(volume, DATA_FOLDER, "rw")
        container.with_kwargs(**extra)
        # Ryuk would be one more image to pull, and our watchdog does its work. The setting
        # is global to the process, so it is reset afterwards.
        ryuk_was_disabled = testcontainers_config.ryuk_disabled
        testcontainers_config.ryuk_disabled = True
        try:
            container.start()
        except docker.errors.APIError as error:
            wrapped = container.get_wrapped_container()
            if wrapped is not None:
                remove_container(wrapped)
            raise _start_error(error, port) from error
        finally:
            testcontainers_config.ryuk_disabled = ryuk_was_disabled
        return container.get_wrapped_container()


def volume_of(data: Path, node_id: int) -> str:
    """The name of the volume with a node's data, computed from the folder that represents it."""
    return f"kafkalab-{hashlib.sha256(str(data).encode()).hexdigest()[:12]}-{node_id}"


def alias(node_id: int) -> str:
    """The host name of a node in the network of its cluster."""
    return f"kafka-{node_id}"


def require_closed(containers: Iterable[Container]) -> None:
    """Check with the engine that only this machine can reach the published ports.

    Raises:
        OpenToOthers: other machines can reach them.
    """
    import docker.errors

    for container in containers:
        # If a container is gone, the code that waits for it reports that.
        with contextlib.suppress(docker.errors.NotFound):
            container.reload()
        published = container.attrs["NetworkSettings"]["Ports"] or {}
        for each in (each for bindings in published.values() for each in bindings or ()):
            if not is_loopback(each["HostIp"]):
                raise OpenToOthers(
                    f"The engine has published Kafka on {each['HostIp'] or 'all addresses'}, port "
                    f"{each['HostPort']}, where other machines could use it: it was ended.",
                    suspect="an engine that ignores the address it was asked to publish on.",
                    remedy="use --kafkalab-backend=embedded, which listens on this machine only.",
                )


def _start_error(error: Exception, port: int) -> PortTaken | StartFailed:
    text = str(getattr(error, "explanation", None) or error)
    if "port is already allocated" in text or "address already in use" in text:
        return PortTaken(
            f"The engine could not publish port {port}: already in use.",
            suspect="another process listens there.",
            remedy="end that process, or simply run again: new ports are drawn.",
        )
    return StartFailed(
        f"The engine could not start the container ({text.splitlines()[0][:200]}).",
        suspect="the image, or the engine's limits.",
        remedy="try `docker run` with the image, or use --kafkalab-backend=embedded.",
    )
