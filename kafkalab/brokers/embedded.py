"""The embedded backend: real Apache Kafka in JVMs of its own, without Docker or Java installed."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from kafkalab.brokers import Stay, Steps, Termination, Topology
from kafkalab.brokers.cache import require_safe, require_writable
from kafkalab.brokers.capabilities import of_backend
from kafkalab.brokers.distribution import LEAN_FLAGS, Distribution, find_java, one_line
from kafkalab.brokers.errors import BrokerDied, PortTaken, PreparationFailed, StartFailed
from kafkalab.brokers.node import Node, wait_until_ready
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.prepared import Prepared, endpoint_of
from kafkalab.brokers.properties import as_properties_file, node_properties
from kafkalab.config import KAFKA_VERSION

# How often ports are drawn: another process may take a free port before the node binds it.
PORT_DRAWS = 3
# Bytes. With less free space Kafka cannot write a segment, and its log cannot report that.
FULL_DISK = 2**20
# Seconds. Another run may be preparing Kafka: fetching on a slow line takes minutes.
PREPARE_LIMIT = 600.0
PREPARE_LOCK = "kafkalab-prepare.lock"

NO_STAY = Stay()


class EmbeddedBroker:
    """Kafka nodes as processes of this machine (see `kafkalab.brokers.Broker`)."""

    def __init__(self, prepared: Prepared, topology: Topology, nodes: Sequence[Node]) -> None:
        self._prepared = prepared
        self._topology = topology
        self._nodes = {node.node_id: node for node in nodes}
        self._should_run = set(self._nodes)
        self.start_seconds = 0.0

    @property
    def bootstrap(self) -> str:
        return ",".join(node.address for node in self._nodes.values())

    @property
    def node_ids(self) -> tuple[int, ...]:
        return tuple(self._nodes)

    @property
    def running_ids(self) -> tuple[int, ...]:
        return tuple(sorted(self._should_run))

    @property
    def version(self) -> str:
        return self._prepared.distribution.version

    @property
    def capabilities(self) -> frozenset[str]:
        return EmbeddedBackend.capabilities

    def client_properties(self) -> dict[str, str]:
        return {"bootstrap.servers": self.bootstrap, "log_level": "0"}

    def kill(self, node_id: int, how: Termination) -> None:
        self._should_run.discard(node_id)
        self._nodes[node_id].stop(how)

    def start(self, node_id: int) -> None:
        self._spawn(self._nodes[node_id])
        self._should_run.add(node_id)
        wait_until_ready([self._nodes[running] for running in self.running_ids])

    def log_dir(self, node_id: int) -> Path:
        return self._nodes[node_id].data

    def log_tail(self, lines: int = 15) -> str:
        return "\n".join(node.log_tail(lines) for node in self._nodes.values())

    def check_alive(self) -> None:
        for node_id in self._should_run:
            if not self._nodes[node_id].is_running():
                is_full = _is_full(self._nodes[node_id].home)
                why = "the disk is full" if is_full else "it was killed, or it stopped by itself"
                raise BrokerDied(
                    f"The broker died: node {node_id} is gone.",
                    suspect=f"{why}; the end of its log follows.",
                    remedy="run again; facts that met this are invalid, not refuted.",
                    log=self._nodes[node_id].log_tail(15),
                )

    def _notes(self) -> list[str]:
        """Notes on the start for the user: that the JVM did not accept the AOT cache."""
        for node in self._nodes.values():
            log = node.home / "aot.log"
            lines = log.read_text("utf-8").splitlines() if log.exists() else []
            if any("[error" in line for line in lines):
                complaint = lines[0].split("]")[-1].strip().rstrip(".")
                return [
                    f"The AOT cache was ignored ({complaint}), so the start was slower; "
                    "`kafkalab prepare --again` makes a new one."
                ]
        return []

    def state(self) -> dict[str, Any]:
        nodes = [
            {
                "node_id": node.node_id,
                "home": str(node.home),
                "port": node.port,
                "controller_port": node.controller_port,
                "data": str(node.data),
                "pid": node.process.pid if node.process else None,
            }
            for node in self._nodes.values()
        ]
        return {
            "topology": asdict(self._topology),
            "nodes": nodes,
            "version": self.version,
            "start_seconds": round(self.start_seconds, 2),
            "notes": self._notes(),
        }

    def close(self) -> None:
        for node_id in self.node_ids:
            self.kill(node_id, Termination.ABRUPT)

    def launch(self) -> None:
        """Format and start all nodes, and wait until they are ready; for the backend only."""
        started = time.monotonic()
        for node in self._nodes.values():
            self._fill_home(node)
        try:
            for node in self._nodes.values():
                self._spawn(node)
            wait_until_ready(list(self._nodes.values()))
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.monotonic() - started

    def _fill_home(self, node: Node) -> None:
        try:
            # Without `parents`: the run's folder must exist; if it is gone, the run is over.
            node.home.parent.mkdir(exist_ok=True)
            node.home.mkdir()
            self._write_properties(node)
            if not node.data.exists():
                self._prepared.copy_data(node, len(self._nodes))
        except OSError as error:
            # copytree's error has a row for every file: source, destination and reason.
            reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error
            raise StartFailed(
                f"The broker's files could not be written to {node.home} ({one_line(reason)}).",
                suspect="a full disk.",
                remedy="free some space, or name another folder with --kafkalab-cache or "
                "KAFKALAB_CACHE.",
            ) from error

    def _write_properties(self, node: Node) -> None:
        properties = node_properties(
            self._topology,
            [endpoint_of(each) for each in self._nodes.values()],
            node.node_id,
            self.version,
        )
        node.properties_file.write_text(
            as_properties_file({**properties, "log.dirs": str(node.data)}), "utf-8"
        )

    def _spawn(self, node: Node) -> None:
        temporary = node.home / "tmp"
        temporary.mkdir(exist_ok=True)
        flags = [
            *LEAN_FLAGS,
            *self._prepared.aot_flags(node.home / "aot.log"),
            # Native codecs unpack themselves there. In /tmp, a killed JVM would leave them behind.
            f"-Djava.io.tmpdir={temporary}",
            f"-XX:ErrorFile={node.home}/hs_err.log",
        ]
        distribution = self._prepared.distribution
        node.spawn(distribution.command("kafka.Kafka", str(node.properties_file), flags=flags))


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < FULL_DISK
    except FileNotFoundError:
        # The run is over, and its folder has been deleted.
        return False


class EmbeddedBackend:
    """Starts Kafka from the cache folder (see `kafkalab.brokers.Backend`)."""

    name = starts = "embedded"
    capabilities = of_backend(name)

    def __init__(self, cache: Path, kafka_version: str = KAFKA_VERSION) -> None:
        self.cache = cache
        self.kafka_version = kafka_version
        self._prepared: Prepared | None = None

    @property
    def prepared(self) -> Prepared:
        """The prepared folder for this machine's Java runtime.

        Raises:
            NoJava: there is no Java runtime.
        """
        if self._prepared is None:
            self._prepared = Prepared(Distribution(self.cache, find_java(), self.kafka_version))
        return self._prepared

    def describe(self) -> str:
        start = self.prepared.measured_start
        usual = f", starts in about {start:.1f} s here" if start else ""
        return f"embedded Apache Kafka {self.kafka_version}{usual}"

    def prepare(self, steps: Steps) -> None:
        distribution = self.prepared.distribution
        require_writable(self.cache)
        self.require_safe()
        if self.prepared.is_there and not distribution.missing_jars():
            distribution.verify()
            return
        try:
            # A name that no other program uses for a file: locking empties the file.
            with FileLock(self.cache / PREPARE_LOCK, timeout=PREPARE_LIMIT):
                distribution.fetch(steps)
                self.prepared.make(steps)
        except Timeout as error:
            raise PreparationFailed(
                f"Another run has been preparing Kafka for {PREPARE_LIMIT:.0f} s.",
                suspect="a slow network, or a run that hangs.",
                remedy="end that run, then try again.",
            ) from error
        except OSError as error:
            raise PreparationFailed(
                f"Kafka could not be prepared in {self.cache} ({one_line(error)}).",
                suspect="a full disk, or files there that belong to another user.",
                remedy="free some space, or name another folder with --kafkalab-cache or "
                "KAFKALAB_CACHE, then run `kafkalab prepare`.",
            ) from error

    def require_safe(self) -> None:
        """Refuse jars and an AOT cache that another user could change.

        Raises:
            CacheNotSafe: others could change one of the folders or files.
        """
        distribution = self.prepared.distribution
        require_safe(
            [
                self.cache,
                # Native codecs unpack themselves in the brokers' folders below it.
                self.cache / "runs",
                distribution.jar_folder,
                *distribution.jar_files,
                self.prepared.folder.parent,
                self.prepared.folder,
                self.prepared.aot_cache,
            ]
        )

    def launch(self, topology: Topology, home: Path, stay: Stay = NO_STAY) -> EmbeddedBroker:
        """Start a broker; see `kafkalab.brokers.Backend`.

        Args:
            topology: the brokers and settings.
            home: the folder of the broker's files.
            stay: ports and data folder, for a broker that outlives this process.
        """
        self.require_safe()
        self.prepared.distribution.verify()
        for _ in range(PORT_DRAWS - 1):
            broker = self._new_broker(topology, home, stay)
            try:
                broker.launch()
            except PortTaken:
                continue
            return broker
        broker = self._new_broker(topology, home, stay)
        broker.launch()
        return broker

    def _new_broker(self, topology: Topology, home: Path, stay: Stay) -> EmbeddedBroker:
        shutil.rmtree(home, ignore_errors=True)
        drawn = free_ports(2 * topology.brokers)
        ports, controller_ports = drawn[: topology.brokers], drawn[topology.brokers :]
        nodes = [
            Node(
                node_id,
                home / f"node-{node_id}",
                (stay.ports or ports)[at],
                controller_ports[at],
                stay.data / f"node-{node_id}" if stay.data else None,
            )
            for at, node_id in enumerate(topology.node_ids)
        ]
        return EmbeddedBroker(self.prepared, topology, nodes)

    def shared(self, home: Path) -> EmbeddedBroker:
        return self.launch(Topology(), home)

    def attach(self, state: Mapping[str, Any]) -> EmbeddedBroker:
        nodes = []
        for row in state["nodes"]:
            node = Node(
                row["node_id"],
                Path(row["home"]),
                row["port"],
                row["controller_port"],
                Path(row["data"]),
            )
            # psutil.Process(None) would be this process itself.
            if row["pid"] is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    node.process = psutil.Process(row["pid"])
            nodes.append(node)
        return EmbeddedBroker(self.prepared, Topology(**state["topology"]), nodes)

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:  # noqa: ARG002
        """Do nothing: everything that a run made is deleted with its brokers."""
        return True
