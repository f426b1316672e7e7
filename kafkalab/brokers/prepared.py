"""What is made once per machine so that every later start is quick.

A formatted data folder whose internal topics exist already, which a start
copies, and a JDK AOT cache, in which the classes of a running broker lie
loaded and linked (JEP 483, JEP 514).
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
from kafkalab.brokers.properties import (
    Endpoint,
    as_properties_file,
    lab_settings,
    node_properties,
)
from kafkalab.brokers.runs import workshop
from kafkalab.waiting import Expired, wait_until

# Lessons use up to three brokers; folders for more are made when they are asked for.
USUAL_NODES = 3
# Each of the two steps, writing down what was loaded and making a cache of it, takes 3 s on an
# idle machine, and was seen to take more than 30 s on a loaded one.
AOT_LIMIT = 300.0
# Part of each folder's name: what was made another way is not used.
LAYOUT = 2

AOT_CACHE = "kafka.aot"


@dataclass(frozen=True, kw_only=True)
class PreparedMark(Mark):
    """What is known of a prepared folder; its name is the folder's."""

    start_seconds: float
    """from process to first metadata, measured when it was prepared"""
    aot_stamp: tuple[int, ...] | None
    """of the AOT cache as it was left; None where the runtime knows none"""
    aot_sha256: str


class Prepared:
    """The prepared folder of one Kafka, runtime and kind of CPU.

    Its name is a hash of all that it depends on: another runtime or another
    lab setting gets a folder of its own.
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
        """The flags that use the AOT cache; its complaints go to a log of their own.

        The JVM starts without the cache when it is truncated or made by another
        runtime. That it is unchanged in its middle too costs a tenth of a start
        to check, so this is done only when the file is not as it was left.
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
        # A cache folder that CI keeps comes back with the same files, and other stamps.
        is_untouched = stamp_of(self.aot_cache) == mark.aot_stamp
        return is_untouched or sha256_of(self.aot_cache) == mark.aot_sha256

    def _mark(self) -> PreparedMark | None:
        return read_mark(self.mark_file, PreparedMark, self.folder.name)

    def remove(self) -> None:
        """Remove the folder, if kafkalab made it.

        Raises:
            PreparationFailed: it is there, and somebody else's.
        """
        if self.is_there and not self.folder.is_symlink():
            shutil.rmtree(self.folder, ignore_errors=True)
        self._require_room()

    def _require_room(self) -> None:
        if os.path.lexists(self.folder):
            raise PreparationFailed(
                f"{self.folder} is there, and kafkalab did not make it.",
                suspect="files of somebody else in the cache folder.",
                remedy=f"move it away, or {ANOTHER}.",
            )

    def copy_data(self, node: Node, brokers: int) -> None:
        """Give a node its formatted data folder.

        A node of several starts from a folder that is only formatted: it
        replicates metadata that its peers know, not the single node's.
        """
        source = self.folder / "single" if brokers == 1 else self._blank(node.node_id)
        # Whole or not at all: who is killed meanwhile must not leave half of it to the next.
        partial = node.data.with_name(f"{node.data.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        partial.rename(node.data)

    def _blank(self, node_id: int) -> Path:
        blank = self.folder / f"blank-{node_id}"
        if not blank.exists():
            with workshop(self.distribution.cache) as folder:
                data = self._formatted(node_id, folder).data
                # Another run may have been quicker: the folders are alike.
                with contextlib.suppress(OSError):
                    data.rename(blank)
        return blank

    def make(self, steps: Steps) -> None:
        """Make the folder, if it is not there: about 15 s, once.

        It is made elsewhere, and comes to its place whole or not at all.

        Raises:
            BrokerError: Kafka's tools or its first start failed, or something else
                lies in its place.
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
            # Whatever the umask is: who may write to it decides what runs.
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
        # A controller, whatever it will be later: a quorum needs one to be formatted.
        topology = Topology(brokers=node_id, controllers=node_id)
        settings = node_properties(topology, [endpoint], node_id, self.distribution.version)
        node.properties_file.write_text(
            as_properties_file({**settings, "log.dirs": str(node.data)}), "utf-8"
        )
        return node

    def _rehearse(self, node: Node, aot_cache: Path, steps: Steps) -> None:
        """Run a broker through what lessons do, and let the JVM keep what it loaded."""
        recorded = node.home / "kafka.aotconf"
        flags = [*LEAN_FLAGS, "-Xlog:disable"]
        if self.distribution.java.has_aot_cache:
            flags += ["-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}"]
        node.spawn(self.distribution.command("kafka.Kafka", str(node.properties_file), flags=flags))
        try:
            wait_until_ready([node])
            _exercise(node)
            # When it ends it writes down what it loaded.
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
    """How a node that runs as a process of this machine is reached."""
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
    """Make the AOT cache of what a JVM recorded.

    In a process of its own, with the run's folder on its command line: the JVM
    could do it when it ends (`-XX:AOTCacheOutput`), but in a child that nobody
    would know of if this process were killed.

    Args:
        distribution: whose jars were recorded.
        node: runs the JVM.
        main: the class that was recorded, and its arguments.
        flags: of the JVM that was recorded.
        recorded: what it recorded.
        aot_cache: where the cache goes.

    Raises:
        PreparationFailed: it was not made.
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
        remedy="see to that, then run `kafkalab prepare`.",
        log=node.log_tail(5),
    )


def _exercise(node: Node) -> None:
    """Use the broker once as the lessons do; this also creates its internal topics.

    Raises:
        PreparationFailed: the broker did not do it.
    """
    from confluent_kafka import KafkaException

    try:
        _use(node.address)
    except (KafkaException, TimeoutError) as error:
        # A future that is not done in time raises what is an OSError, too.
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
    # 30 s each: first use on a loaded machine; seen on an idle one: below 2 s.
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
    # Indexes are preallocated sparse files of 10 MB: a copy would write them out in full.
    for index in data.glob("*/*index"):
        index.unlink()
    for deleted in data.glob("*-delete"):
        shutil.rmtree(deleted)
