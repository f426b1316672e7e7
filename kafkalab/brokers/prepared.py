"""Prepare Kafka once per machine, so that every later start is quick.

It makes a formatted data folder that already has the internal topics (a start
copies it), and a JDK AOT cache with the classes of a running broker, loaded and
linked (JEP 483, JEP 514).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafkalab.brokers import Steps, Termination, Topology
from kafkalab.brokers.cache import ANOTHER, make_folder
from kafkalab.brokers.distribution import (
    LEAN_FLAGS,
    Distribution,
    kind_of_cpu,
    one_line,
    sha256_of,
    stamp_of,
)
from kafkalab.brokers.errors import PreparationFailed
from kafkalab.brokers.marks import Mark, read_mark
from kafkalab.brokers.node import Node, wait_until_ready
from kafkalab.brokers.owner import Owner
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.properties import Endpoint, as_properties_file, lab_settings, node_properties
from kafkalab.brokers.runs import workshop
from kafkalab.waiting import Expired, wait_until

# Lessons use up to three brokers; folders for more nodes are made when needed.
USUAL_NODES = 3
# Seconds for each of two steps: recording the loaded classes, and making a cache of them. A step
# takes 3 s on an idle machine; on a loaded one it took more than 30 s.
AOT_LIMIT = 300.0
# Part of each folder's name: change it if folders are made in a new way, so that old ones are
# not used.
LAYOUT = 2

AOT_CACHE = "kafka.aot"


@dataclass(frozen=True, kw_only=True)
class PreparedMark(Mark):
    """The mark of a prepared folder; its name is the folder's."""

    start_seconds: float
    """from process to first metadata, measured when it was prepared"""
    aot_stamp: tuple[int, ...] | None
    """the stamp of the finished AOT cache; None if the runtime does not support one"""
    aot_sha256: str


class Prepared:
    """The prepared folder of one Kafka version, Java runtime and kind of CPU.

    Its name contains a hash of everything that it depends on: another runtime or
    another lab setting gets its own folder.
    """

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        ingredients = [
            LAYOUT,
            distribution.java.build,
            distribution.classpath,
            [jar.sha256 for jar in distribution.jars],
            LEAN_FLAGS,
            kind_of_cpu(),
            sorted(lab_settings(distribution.version).items()),
        ]
        key = hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:12]
        self.folder = distribution.cache / "prepared" / f"{distribution.version}-{key}"

    @property
    def is_there(self) -> bool:
        return self._mark() is not None

    @property
    def aot_cache(self) -> Path:
        return self.folder / AOT_CACHE

    @property
    def mark_file(self) -> Path:
        return self.folder / "prepared.json"

    @property
    def measured_start(self) -> float | None:
        """Seconds from process to first metadata, measured when this was prepared."""
        mark = self._mark()
        return None if mark is None else mark.start_seconds

    def aot_flags(self, log: Path) -> list[str]:
        """The flags that use the AOT cache; its warnings go to a separate log.

        If the cache is truncated or made by another runtime, the JVM notices it and starts
        without the cache. A check of the whole content takes a tenth of a start's time, so
        it is done only if the file has changed.
        """
        flags = self._flags_with(self.aot_cache, log)
        return flags if self._aot_cache_is_as_left() else [*flags, "-XX:+VerifySharedSpaces"]

    def _flags_with(self, aot_cache: Path, log: Path) -> list[str]:
        if not self.distribution.java.has_aot_cache:
            return ["-Xlog:disable"]
        return [f"-XX:AOTCache={aot_cache}", "-Xlog:disable", f"-Xlog:aot*=warning:file={log}"]

    def _aot_cache_is_as_left(self) -> bool:
        mark = self._mark()
        if mark is None or not self.aot_cache.exists():
            return not self.distribution.java.has_aot_cache
        # If CI restores a cache folder, the files are the same but have other stamps.
        is_untouched = stamp_of(self.aot_cache) == mark.aot_stamp
        return is_untouched or sha256_of(self.aot_cache) == mark.aot_sha256

    def _mark(self) -> PreparedMark | None:
        return read_mark(self.mark_file, PreparedMark, self.folder.name)

    def remove(self) -> None:
        """Remove the folder, if kafkalab made it.

        Raises:
            PreparationFailed: the folder exists, and kafkalab did not make it.
        """
        if self.is_there and not self.folder.is_symlink():
            shutil.rmtree(self.folder, ignore_errors=True)
        self._require_room()

    def _require_room(self) -> None:
        if os.path.lexists(self.folder):
            raise PreparationFailed(
                f"{self.folder} is there, and kafkalab did not make it.",
                suspect="foreign files in the cache folder.",
                remedy=f"move it away, or {ANOTHER}.",
            )

    def copy_data(self, node: Node, brokers: int) -> None:
        """Give a node its formatted data folder.

        A node in a cluster of several starts from a folder that is only formatted: it
        replicates the metadata of its peers, and must not have the single node's.
        """
        source = self.folder / "single" if brokers == 1 else self._blank(node.node_id)
        # By a rename at the end: if this process is killed, no half copy looks complete.
        partial = node.data.with_name(f"{node.data.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        partial.rename(node.data)

    def _blank(self, node_id: int) -> Path:
        blank = self.folder / f"blank-{node_id}"
        if not blank.exists():
            with workshop(self.distribution.cache) as folder:
                data = self._formatted(node_id, folder).data
                # Another run may have made the same folder first.
                with contextlib.suppress(OSError):
                    data.rename(blank)
        return blank

    def make(self, steps: Steps) -> None:
        """Make the folder, if it does not exist: about 15 s, once.

        It is made in another place and then renamed, so it is complete or does not exist.

        Raises:
            BrokerError: Kafka's tools or its first start failed, or there is something
                else in its place.
        """
        if self.is_there:
            return
        self._require_room()
        with workshop(self.distribution.cache) as folder:
            steps.step("formatting a data folder and starting Kafka for the first time")
            draft = folder / "prepared"
            draft.mkdir(mode=0o700)
            aot_cache = draft / AOT_CACHE
            node = self._formatted(1, folder)
            self._rehearse(node, aot_cache, steps)
            start_seconds = self._measure_start(node, aot_cache)
            _drop_what_starts_rebuild(node.data)
            node.data.rename(draft / "single")
            for node_id in range(1, USUAL_NODES + 1):
                self._formatted(node_id, folder).data.rename(draft / f"blank-{node_id}")
            self._finish(draft, start_seconds)

    def _finish(self, draft: Path, start_seconds: float) -> None:
        aot_cache = draft / AOT_CACHE
        if has_one := aot_cache.exists():
            # Set explicitly, as the umask may allow others to write: its content is run.
            aot_cache.chmod(0o600)
        mark = PreparedMark(
            name=self.folder.name,
            owner=Owner.me(),
            start_seconds=round(start_seconds, 2),
            aot_stamp=stamp_of(aot_cache) if has_one else None,
            aot_sha256=sha256_of(aot_cache) if has_one else "",
        )
        mark.write(draft / self.mark_file.name)
        make_folder(self.folder.parent)
        draft.rename(self.folder)

    def _formatted(self, node_id: int, workshop: Path) -> Node:
        node = self._bench_node(node_id, workshop)
        self.distribution.format(node.properties_file)
        return node

    def _bench_node(self, node_id: int, workshop: Path) -> Node:
        port, controller_port = free_ports(2)
        node = Node(node_id, workshop, port, controller_port)
        endpoint = endpoint_of(node)
        # Format it as a controller, even if it will be a broker only: a quorum needs a controller.
        topology = Topology(first_id=node_id)
        settings = node_properties(topology, [endpoint], node_id, self.distribution.version)
        node.properties_file.write_text(
            as_properties_file({**settings, "log.dirs": str(node.data)}), "utf-8"
        )
        return node

    def _rehearse(self, node: Node, aot_cache: Path, steps: Steps) -> None:
        """Run a broker, use it as lessons do, and let the JVM record the loaded classes."""
        recorded = node.home / "kafka.aotconf"
        flags = [*LEAN_FLAGS, "-Xlog:disable"]
        if self.distribution.java.has_aot_cache:
            flags += ["-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}"]
        node.spawn(self.distribution.command("kafka.Kafka", str(node.properties_file), flags=flags))
        try:
            wait_until_ready([node])
            _exercise(node)
            # At its end the JVM writes the recorded classes.
            node.stop(Termination.GRACEFUL, AOT_LIMIT)
        finally:
            node.stop(Termination.ABRUPT)
        if self.distribution.java.has_aot_cache:
            steps.step("writing the AOT cache, which makes every start about 3 times faster")
            main = ("kafka.Kafka", str(node.properties_file))
            write_aot_cache(self.distribution, node, main, LEAN_FLAGS, recorded, aot_cache)

    def _measure_start(self, node: Node, aot_cache: Path) -> float:
        flags = [*LEAN_FLAGS, *self._flags_with(aot_cache, node.home / "aot.log")]
        node.spawn(self.distribution.command("kafka.Kafka", str(node.properties_file), flags=flags))
        try:
            return wait_until_ready([node])
        finally:
            node.stop(Termination.GRACEFUL)


def endpoint_of(node: Node) -> Endpoint:
    """The endpoint of a node that runs as a process of this machine."""
    controller = f"127.0.0.1:{node.controller_port}"
    return Endpoint(node.node_id, node.address, node.address, controller, controller)


def write_aot_cache(
    distribution: Distribution,
    node: Node,
    main: Sequence[str],
    flags: Sequence[str],
    recorded: Path,
    aot_cache: Path,
) -> None:
    """Make an AOT cache from the recording of a JVM.

    This runs in a separate process with the run's folder on its command line. The JVM could
    do it at its own end (`-XX:AOTCacheOutput`), but in a child process. If this process was
    killed, no clean-up would find that child.

    Args:
        distribution: the jars that were recorded.
        node: runs the JVM.
        main: the class that was recorded, and its arguments.
        flags: the flags of the JVM that was recorded.
        recorded: the file of the recording.
        aot_cache: the file to make.

    Raises:
        PreparationFailed: the cache was not made.
    """
    flags = [
        *flags,
        "-Xlog:disable",
        "-XX:AOTMode=create",
        f"-XX:AOTConfiguration={recorded}",
        f"-XX:AOTCache={aot_cache}",
    ]
    node.spawn(distribution.command(*main, flags=flags))
    try:
        wait_until(lambda: not node.is_running(), limit=AOT_LIMIT, what="the AOT cache")
    except Expired as error:
        raise _no_aot_cache(node, "a machine under heavy load") from error
    finally:
        node.stop(Termination.ABRUPT)
    if not aot_cache.exists():
        raise _no_aot_cache(node, "too little disk space or memory")


def _no_aot_cache(node: Node, suspect: str) -> PreparationFailed:
    return PreparationFailed(
        "The Java runtime wrote no AOT cache.",
        suspect=f"{suspect}; the end of its log follows.",
        remedy="fix that, then run `kafkalab prepare`.",
        log=node.log_tail(5),
    )


def _exercise(node: Node) -> None:
    """Use the broker once as the lessons do; this also creates its internal topics.

    Raises:
        PreparationFailed: the broker failed or did not answer in time.
    """
    from confluent_kafka import KafkaException

    try:
        _use(node.address)
    except (KafkaException, TimeoutError) as error:
        # The TimeoutError of a future is an OSError, too: it must not look like a disk's error.
        raise PreparationFailed(
            f"Kafka did not do what lessons ask of it ({one_line(error)}).",
            suspect="its process was ended, or the machine is overloaded; its log follows.",
            remedy="run `kafkalab prepare` again.",
            log=node.log_tail(15),
        ) from error


def _use(bootstrap: str) -> None:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    client: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
    admin = AdminClient(client)
    topic = "kafkalab-rehearsal"
    # Each limit is 30 s, for a loaded machine; on an idle one all takes less than 2 s.
    admin.create_topics([NewTopic(topic, 3)], operation_timeout=30)[topic].result(30)
    producer = Producer({**client, "transactional.id": "kafkalab-rehearsal"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value=b"rehearsal", key=b"key")
    producer.commit_transaction(30)
    for protocol in ("classic", "consumer"):
        consumer = Consumer(
            {
                **client,
                "group.id": f"kafkalab-rehearsal-{protocol}",
                "group.protocol": protocol,
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([topic])
        if consumer.poll(30) is not None:
            consumer.commit(asynchronous=False)
        consumer.close()
    groups = ["kafkalab-rehearsal-classic", "kafkalab-rehearsal-consumer"]
    for deleted in admin.delete_consumer_groups(groups).values():
        deleted.result(30)
    admin.delete_topics([topic], operation_timeout=30)[topic].result(30)


def _drop_what_starts_rebuild(data: Path) -> None:
    # Indexes are sparse files with 10 MB reserved: a copy would write them in full.
    for index in data.glob("*/*index"):
        index.unlink()
    for deleted in data.glob("*-delete"):
        shutil.rmtree(deleted)
