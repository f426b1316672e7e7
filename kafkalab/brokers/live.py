"""The live lab: a Kafka that stays until it is taken down, and is found by its own state file.

Its folder in the cache has a mark, which says what it is, and, once Kafka is ready, its state.
Whatever answers at a port is nobody's lab: a run takes the one whose processes the state names,
if its version and settings are those that the run would start itself.
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

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

# Another `kafkalab up` may be preparing Kafka: fetching on a slow line takes minutes.
LOCK_LIMIT = 600.0
# A lab that is well answers in milliseconds.
ANSWER_LIMIT = 10.0

Starter = EmbeddedBackend | ContainerBackend
"""what starts a lab's nodes"""


@dataclass(frozen=True, kw_only=True)
class DataMark(Mark):
    """What marks a folder with data that was kept; its name is the folder's."""

    backend: str
    brokers: int


class LiveBroker:
    """A lab's broker as a run uses it (see `kafkalab.brokers.Broker`): it is not the run's own."""

    def __init__(self, broker: Broker, cluster: str) -> None:
        """Use a broker.

        Args:
            broker: of the lab.
            cluster: the id that it tells of itself.
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
        """It goes on without us."""


class LiveBackend:
    """Uses the lab that is up (see `kafkalab.brokers.Backend`); one test's own broker is started.

    What its runs make is deleted from it when they end, and what a run that was killed has left
    when the next one begins.
    """

    name = "lab"

    def __init__(self, lab: LiveLab, starter: Starter, cache: Path) -> None:
        """Use a lab.

        Args:
            lab: which.
            starter: of brokers for one test alone.
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
        admin = AdminClient(dict(broker.client_properties()))
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
        return LiveBroker(self._starter.attach(state), state["cluster"])

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:  # noqa: ARG002
        """Delete the topics and groups of a run.

        Groups whose members are not missed yet are left to the next run: who learns does not
        wait for them.

        Raises:
            BrokerError: the lab did not tell what there is.
        """
        if not self.lab.running():
            # All of it went with the lab.
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
    """The labs of a cache folder: at most one of this machine is up."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._folder = folder_of_labs(cache)

    def __iter__(self) -> Iterator[LiveLab]:
        """Those that were ready once, also those that have ended, and those of other machines."""
        return labs_of(self.cache)

    def find(self) -> LiveLab | None:
        """The lab that is up here; None where there is none."""
        return lab_that_is_up(self.cache)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else start or end a lab meanwhile.

        Raises:
            BrokerError: somebody else does for a long time, or the folder cannot be written.
        """
        lock = FileLock(self._folder / "lock", timeout=LOCK_LIMIT)
        try:
            make_folder(self._folder)
            lock.acquire()
        except Timeout as error:
            raise StartFailed(
                f"Another `kafkalab up` or `down` has been at work for {LOCK_LIMIT:.0f} s.",
                suspect="a slow network, or one that hangs.",
                remedy="end that one, then try again.",
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
        """Start a lab; under the lock, and while none is up.

        Args:
            starter: what starts its nodes.
            brokers: how many nodes; each is a controller, too.
            port: for clients of the first node, the next ones of the others; None: any.
            keep_data: whether its data outlives it, and is used again.

        Raises:
            PortTaken: something else has one of the ports.
            CacheNotWritable: the folder for its data is there, and kafkalab did not make it.
            BrokerError: it could not be started; nothing of it is left running.
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
        # Whole or not at all.
        draft.replace(folder / STATE)
        return LiveLab(folder, mark, state, tuple(owners))

    def stop(self, lab: LiveLab, starter: Starter) -> None:
        """End a lab; under the lock. Where its data is kept, it ends with grace."""
        if lab.mark.data:
            broker = lab.attached(starter)
            for node_id in broker.node_ids:
                broker.kill(node_id, Termination.GRACEFUL)
        self._end(lab.folder, lab.mark)

    def clear(self) -> None:
        """End and remove all that is left of labs that have ended; under the lock.

        Where that cannot be told from here, as of another machine, or of containers while no
        engine answers, a lab is left alone.
        """
        for folder in self._folder.iterdir():
            mark = None if folder.is_symlink() else read_mark(folder / MARK, LabMark, folder.name)
            if mark is None or not mark.owner.machine.is_here():
                continue
            if mark.backend == "embedded" or find_engine() is not None:
                self._end(folder, mark)

    def data_of(self, backend: str, version: str, brokers: int) -> Path:
        """The folder that keeps data: each Kafka has its own, as an older one cannot read it."""
        return self.cache / "lab-data" / f"{backend}-{version}-{brokers}"

    def kept(self) -> list[Path]:
        """The folders with data that was kept."""
        folders = sorted((self.cache / "lab-data").glob("*"))
        return [each for each in folders if _data_mark(each) is not None]

    def delete_data(self, folder: Path) -> None:
        """Delete data that was kept; while no lab uses it."""
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
        suspect="a test that takes the shared broker for one of its own.",
        remedy="have it ask for `private_broker`.",
    )


def _replicated(brokers: int) -> dict[str, str]:
    """What several brokers need, so that the loss of one is survived as in a real cluster."""
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
    """Make the folder for data that is to be kept, or find it as it was made.

    Raises:
        CacheNotWritable: something else is there: what has our mark may be deleted one day.
    """
    if os.path.lexists(data) and _data_mark(data) is None:
        raise CacheNotWritable(
            f"{data} is there, and kafkalab did not make it.",
            suspect="files of somebody else in the cache folder.",
            remedy=f"move it away, or {ANOTHER}.",
        )
    make_folder(data)
    DataMark(name=data.name, owner=mark.owner, backend=mark.backend, brokers=mark.brokers).write(
        data / MARK
    )


def _cluster_of(admin: AdminClient) -> str | None:
    """The id that a cluster tells of itself; None where it does not answer."""
    from confluent_kafka import KafkaException

    try:
        return admin.list_topics(timeout=ANSWER_LIMIT).cluster_id or ""
    except KafkaException:
        return None
