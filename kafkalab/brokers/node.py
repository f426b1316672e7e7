"""One Kafka node as a JVM process: its folder, its ports, its log."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from kafkalab.brokers import Termination
from kafkalab.brokers.errors import BrokerError, PortTaken, StartFailed
from kafkalab.brokers.processes import is_running, kill, wait_for_end
from kafkalab.waiting import Expired

# Seconds. A broker with default settings on two loaded cores took 12 s.
START_LIMIT = 60.0
# Seconds. A graceful stop takes 0.4 s; a node that takes longer than this is killed.
STOP_LIMIT = 30.0


class Node:
    """One broker-and-controller process. It writes its files to `home` and `data`."""

    def __init__(
        self,
        node_id: int,
        home: Path,
        port: int,
        controller_port: int,
        data: Path | None = None,
    ) -> None:
        """Make a node; it does not run yet.

        Args:
            node_id: its id, from 1.
            home: its folder.
            port: its port for clients.
            controller_port: its port for the other nodes.
            data: the folder of its data, if that is not below `home`.
        """
        self.node_id = node_id
        self.home = home
        self.port = port
        self.controller_port = controller_port
        self.data = data or home / "data"
        self.process: psutil.Process | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log_file(self) -> Path:
        return self.home / "broker.log"

    @property
    def properties_file(self) -> Path:
        return self.home / "server.properties"

    def spawn(self, command: Sequence[str]) -> None:
        """Start the process. A group of its own keeps Ctrl-C in the terminal away from it."""
        with self.log_file.open("ab") as log:
            self.process = psutil.Popen(
                list(command),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A process group and not a session: if all cores are busy, Linux may give a session
                # no time for seconds (sched_autogroup), and then the broker loses all members.
                process_group=0,
            )

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and is_running(self.process)

    def listens(self) -> bool:
        """Whether this process itself listens at the port."""
        if self.process is None:
            return False
        try:
            found = self.process.net_connections("tcp")
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            # If the system does not show that, assume that this process is the one that answers.
            return self.is_running()
        listening = {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}
        return self.port in listening

    def stop(self, how: Termination, limit: float = STOP_LIMIT) -> None:
        """End the process; it is gone on return.

        A graceful stop that takes longer than `limit` seconds becomes a kill.
        """
        if self.process is None:
            return
        if how is Termination.GRACEFUL:
            with contextlib.suppress(psutil.NoSuchProcess, Expired):
                self.process.terminate()
                wait_for_end([self.process], limit)
        kill([self.process])
        self.process = None

    def log_tail(self, lines: int) -> str:
        """The last lines of the node's log; empty if it has written nothing."""
        try:
            with self.log_file.open("rb") as log:
                # 64 KiB are far more than the lines that callers ask for.
                log.seek(max(0, self.log_file.stat().st_size - 65536))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def failure(self) -> BrokerError:
        """The error for a process that ended before it was ready, judged by its log."""
        tail = self.log_tail(400)
        if "Address already in use" in tail or "BindException" in tail:
            return PortTaken(
                f"Node {self.node_id} could not bind 127.0.0.1:{self.port} or "
                f":{self.controller_port}: already in use.",
                suspect="another process listens there.",
                remedy="end that process, or simply run again: new ports are drawn.",
            )
        return StartFailed(
            f"Node {self.node_id} ended before it was ready.",
            suspect="a broker setting or the Java runtime; the end of its log follows.",
            remedy="run `kafkalab doctor`, which shows what this machine can do.",
            log=self.log_tail(15),
        )


def wait_until_ready(nodes: Sequence[Node]) -> float:
    """Wait until a client sees every node; return the seconds that took.

    Raises:
        PortTaken, StartFailed: a node ended, or did not answer within START_LIMIT.
    """
    started = time.monotonic()
    probe = MetadataProbe({"bootstrap.servers": ",".join(node.address for node in nodes)})
    while time.monotonic() - started < START_LIMIT:
        for node in nodes:
            if not node.is_running():
                raise node.failure()
        # Another process may answer at a node's port; then the node is about to end.
        if probe.brokers(0.3) >= len(nodes) and all(node.listens() for node in nodes):
            return time.monotonic() - started
    raise StartFailed(
        f"Kafka did not answer within {START_LIMIT:.0f} s.",
        suspect="a machine under heavy load, or too little memory.",
        remedy="run again with fewer workers; the end of its log follows.",
        log=nodes[0].log_tail(15),
    )


class MetadataProbe:
    """Asks a cluster for its brokers, with a client of its own."""

    def __init__(self, client: Mapping[str, str]) -> None:
        """Ask with these client properties."""
        from confluent_kafka.admin import AdminClient

        self._admin = AdminClient(
            {
                **client,
                # The port refuses connections until the broker is up: retry soon, without a log.
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 50,
                "log_level": 0,
            }
        )

    def brokers(self, limit: float) -> int:
        """The number of brokers in the metadata; 0 if none answers within `limit` seconds."""
        from confluent_kafka import KafkaException

        try:
            return len(self._admin.list_topics(timeout=limit).brokers)
        except KafkaException:
            return 0
