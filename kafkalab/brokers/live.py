"""The live lab: a Kafka that runs until `kafkalab down`, and is found by its own state file.

Its folder in the cache has a mark, which says what it is, and, once Kafka is ready, its state.
A run does not trust whatever answers at a port: it uses only a lab whose processes the state
names, and only if the run itself would start the same version with the same settings.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kafkalab.brokers import Broker, Stay, Steps, Termination, Topology
from kafkalab.brokers.cache import ANOTHER, cache_not_writable, make_folder
from kafkalab.brokers.container import ContainerBackend, volume_of
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.engine import find_engine, remove_containers_of
from kafkalab.brokers.errors import CacheNotWritable, NotOurs, PortTaken, StartFailed
from kafkalab.brokers.lab_state import (
    MARK,
    STATE,
    LabMark,
    LiveLab,
    digest_of_settings,
    folder_of_labs,
    lab_that_is_up,
    labs_of,
)
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.leftovers import delete_at_once, leftovers
from kafkalab.brokers.marks import Mark, read_mark
from kafkalab.brokers.owner import Owner
from kafkalab.brokers.ports import is_free
from kafkalab.brokers.processes import brokers_of, kill
from kafkalab.brokers.properties import SETTINGS_FOR_KEPT_DATA
from kafkalab.clients import RECONNECT

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

# Seconds. Another `kafkalab up` may be preparing Kafka: fetching on a slow line takes minutes.
LOCK_LIMIT = 600.0
# Seconds. A healthy lab answers in milliseconds.
ANSWER_LIMIT = 10.0

Starter = EmbeddedBackend | ContainerBackend
"""the backends that start a lab's nodes"""


@dataclass(frozen=True, kw_only=True)
class DataMark(Mark):
    """The mark of a folder with kept data; its name is the folder's."""

    backend: str
    brokers: int


class LiveBroker:
    """A lab's broker in a run (see `kafkalab.brokers.Broker`); the run does not own it."""

    def __init__(self, broker: Broker, cluster: str) -> None:
        """Use a broker.

        Args:
            broker: the lab's broker.
            cluster: the cluster's id.
        """
        self._broker = broker
        self.cluster = cluster
        self.bootstrap = broker.bootstrap
        self.node_ids = broker.node_ids
        self.running_ids = broker.running_ids
        self.version = broker.version
        self.capabilities = broker.capabilities
        self.client_properties = broker.client_properties
        self.log_dir = broker.log_dir
        self.log_tail = broker.log_tail
        self.check_alive = broker.check_alive

    def kill(self, node_id: int, how: Termination) -> None:  # noqa: ARG002 - as the Protocol has it
        raise _not_the_runs(f"end node {node_id}")

    def start(self, node_id: int) -> None:
        raise _not_the_runs(f"start node {node_id}")

    def state(self) -> dict[str, Any]:
        return {
            **self._broker.state(),
            "start_seconds": 0.0,
            "notes": [],
            "cluster": self.cluster,
        }

    def close(self) -> None:
        """Do nothing: the lab goes on."""


class LiveBackend:
    """Uses the lab that is up (see `kafkalab.brokers.Backend`); starts brokers for single tests.

    At the end of a run its topics and groups are deleted from the lab. If a run was killed, the
    next run deletes them at its start.
    """

    name = "lab"

    def __init__(self, lab: LiveLab, starter: Starter, cache: Path) -> None:
        """Use a lab.

        Args:
            lab: the lab.
            starter: the backend that starts brokers for one test only.
            cache: the folder of the ledger.
        """
        self.lab = lab
        self._starter = starter
        self._cache = cache
        self.starts = starter.name
        self.kafka_version = lab.mark.version

    @property
    def capabilities(self) -> frozenset[str]:
        return self._starter.capabilities

    def describe(self) -> str:
        return f"the lab that is up at {self._broker().bootstrap}: {self._starter.describe()}"

    def prepare(self, steps: Steps) -> None:
        self._starter.prepare(steps)

    def launch(self, topology: Topology, home: Path) -> Broker:
        return self._starter.launch(topology, home)

    def shared(self, home: Path) -> LiveBroker:  # noqa: ARG002 - as the Protocol has it
        from confluent_kafka.admin import AdminClient

        broker = self._broker()
        admin = AdminClient({**broker.client_properties(), **RECONNECT})
        cluster = _cluster_of(admin)
        if cluster is None:
            broker.check_alive()
            raise StartFailed(
                f"The lab that is up at {broker.bootstrap} does not answer within "
                f"{ANSWER_LIMIT:.0f} s.",
                suspect="a machine under heavy load, or a lab that hangs.",
                remedy="run `kafkalab down`, then run again: a broker is started for the run.",
                log=broker.log_tail(),
            )
        self._clear_dead_runs(cluster)
        return LiveBroker(broker, cluster)

    def attach(self, state: Mapping[str, Any]) -> LiveBroker:
        return LiveBroker(self._starter.attach(state), state.get("cluster", ""))

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:  # noqa: ARG002
        """Delete the topics and groups of a run.

        Groups in which Kafka still counts members are left to the next run, so that the learner
        does not wait.

        Raises:
            BrokerError: the lab did not list its topics and groups.
        """
        if not self.lab.running():
            # Everything was deleted with the lab.
            return True
        client = self._broker().client_properties()
        return delete_at_once(client, leftovers(client, prefix))

    def _broker(self) -> Broker:
        return self.lab.attached(self._starter)

    def _clear_dead_runs(self, cluster: str) -> None:
        ledger, client = Ledger(self._cache), self._broker().client_properties()
        for entry in ledger:
            is_over = entry.cluster == cluster and entry.owner.is_known_to_be_dead()
            if is_over and delete_at_once(client, leftovers(client, entry.name)):
                ledger.strike_out(entry.name)


class Labs:
    """The labs of a cache folder; at most one on this machine is up."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._folder = folder_of_labs(cache)

    def __iter__(self) -> Iterator[LiveLab]:
        """All labs that have been ready, also ended ones and those of other machines."""
        return labs_of(self.cache)

    def find(self) -> LiveLab | None:
        """The lab that is up on this machine; None if there is none."""
        return lab_that_is_up(self.cache)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process start or end a lab during the block.

        Raises:
            BrokerError: another process holds the lock too long, or the folder cannot be written.
        """
        lock = FileLock(self._folder / "lock", timeout=LOCK_LIMIT)
        try:
            make_folder(self._folder)
            lock.acquire()
        except Timeout as error:
            raise StartFailed(
                f"Another `kafkalab up` or `down` has been at work for {LOCK_LIMIT:.0f} s.",
                suspect="a slow network, or a command that hangs.",
                remedy="end that command, then try again.",
            ) from error
        except OSError as error:
            raise cache_not_writable(self.cache, error) from error
        try:
            yield
        finally:
            lock.release()

    def start(
        self, starter: Starter, brokers: int, port: int | None, *, keep_data: bool
    ) -> LiveLab:
        """Start a lab. Call this under the lock, and only if no lab is up.

        Args:
            starter: the backend that starts its nodes.
            brokers: the number of nodes; each is a controller, too.
            port: the first node's port for clients; other nodes get the next ones. None: any.
            keep_data: whether its data is kept after its end, for the next lab.

        Raises:
            PortTaken: another process uses one of the ports.
            CacheNotWritable: the folder for its data exists, and kafkalab did not make it.
            BrokerError: the lab could not be started; none of its processes is left.
        """
        ports = tuple(range(port, port + brokers)) if port else ()
        if taken := [each for each in ports if not is_free(each)]:
            raise PortTaken(
                f"Port {taken[0]} is in use.",
                suspect="another process listens there.",
                remedy="name another port with --port.",
            )
        self.clear()
        version = starter.kafka_version
        data = self.data_of(starter.name, version, brokers) if keep_data else None
        folder = self._folder / uuid.uuid4().hex[:12]
        mark = LabMark(
            name=folder.name,
            owner=Owner.me(),
            backend=starter.name,
            version=version,
            image=starter.image if isinstance(starter, ContainerBackend) else "",
            brokers=brokers,
            settings=digest_of_settings(version),
            data=str(data or ""),
            began=time.time(),
        )
        if data is not None:
            _mark_data(data, mark)
        make_folder(folder)
        mark.write(folder / MARK)
        try:
            settings = {**_replicated(brokers), **(SETTINGS_FOR_KEPT_DATA if data else {})}
            topology = Topology(brokers=brokers, controllers=brokers, settings=settings)
            broker = starter.launch(topology, folder / "nodes", Stay(ports, data))
            return self._write_state(folder, mark, broker)
        except BaseException:
            self._end(folder, mark)
            raise

    def _write_state(self, folder: Path, mark: LabMark, broker: Broker) -> LiveLab:
        state = broker.state()
        pids = [row["pid"] for row in state["nodes"] if "pid" in row]
        owners = [Owner.of(pid) for pid in pids]
        text = json.dumps({"broker": state, "owners": [asdict(owner) for owner in owners]})
        draft = folder / f"{STATE}.new"
        draft.write_text(text, "utf-8")
        # By a rename, so that a reader sees the whole file or none.
        draft.replace(folder / STATE)
        return LiveLab(folder, mark, state, tuple(owners))

    def stop(self, lab: LiveLab, starter: Starter) -> None:
        """End a lab; call this under the lock. If its data is kept, Kafka is stopped gracefully."""
        if lab.mark.data:
            broker = lab.attached(starter)
            for node_id in broker.node_ids:
                broker.kill(node_id, Termination.GRACEFUL)
        self._end(lab.folder, lab.mark)

    def clear(self) -> None:
        """End the processes and remove the folders of labs that are not up; call it under the lock.

        A lab is kept if this process cannot check it: a lab of another machine, or one of
        containers while no Docker engine answers.
        """
        for folder in self._folder.iterdir():
            mark = None if folder.is_symlink() else read_mark(folder / MARK, LabMark, folder.name)
            if mark is None or not mark.owner.machine.is_here():
                continue
            if mark.backend == "embedded" or find_engine() is not None:
                self._end(folder, mark)

    def data_of(self, backend: str, version: str, brokers: int) -> Path:
        """The folder for kept data; each version has its own, as an older Kafka cannot read it."""
        return self.cache / "lab-data" / f"{backend}-{version}-{brokers}"

    def kept(self) -> list[Path]:
        """The folders with kept data."""
        folders = sorted((self.cache / "lab-data").glob("*"))
        return [each for each in folders if _data_mark(each) is not None]

    def delete_data(self, folder: Path) -> None:
        """Delete kept data; only while no lab uses it."""
        mark = _data_mark(folder)
        if mark is None:
            return
        if mark.backend == "container" and (client := find_engine()) is not None:
            names = {volume_of(folder, node_id) for node_id in range(1, mark.brokers + 1)}
            for volume in client.volumes.list():
                if volume.name in names:
                    volume.remove(force=True)
        shutil.rmtree(folder)

    def _end(self, folder: Path, mark: LabMark) -> None:
        kill(list(brokers_of(folder)))
        if mark.backend == "container":
            remove_containers_of(mark.name)
        shutil.rmtree(folder, ignore_errors=True)


def _not_the_runs(what: str) -> NotOurs:
    return NotOurs(
        f"A test asked to {what} of the lab that is up, which other runs use, too.",
        suspect="a test that treats the shared broker as its own.",
        remedy="let the test ask for `private_broker`.",
    )


def _replicated(brokers: int) -> dict[str, str]:
    """The settings with which several brokers survive the loss of one, as in a real cluster."""
    if brokers == 1:
        return {}
    replicas, least = str(min(brokers, 3)), str(min(brokers, 3) - 1)
    return {
        "default.replication.factor": replicas,
        "min.insync.replicas": least,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": least,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": least,
    }


def _data_mark(folder: Path) -> DataMark | None:
    return None if folder.is_symlink() else read_mark(folder / MARK, DataMark, folder.name)


def _mark_data(data: Path, mark: LabMark) -> None:
    """Make the folder for kept data, unless kafkalab has made it before.

    Raises:
        CacheNotWritable: there is something else. It gets no mark of kafkalab, as marked folders
            may be deleted later.
    """
    if os.path.lexists(data) and _data_mark(data) is None:
        raise CacheNotWritable(
            f"{data} is there, and kafkalab did not make it.",
            suspect="foreign files in the cache folder.",
            remedy=f"move it away, or {ANOTHER}.",
        )
    make_folder(data)
    DataMark(name=data.name, owner=mark.owner, backend=mark.backend, brokers=mark.brokers).write(
        data / MARK
    )


def _cluster_of(admin: AdminClient) -> str | None:
    """The id of a cluster; None if it does not answer."""
    from confluent_kafka import KafkaException

    try:
        return admin.list_topics(timeout=ANSWER_LIMIT).cluster_id or ""
    except KafkaException:
        return None
