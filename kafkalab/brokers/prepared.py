"""What is made once per machine so that every later start is quick.

A formatted data folder whose internal topics exist already, which a start
copies, and a JDK AOT cache, in which the classes of a running broker lie
loaded and linked (JEP 483, JEP 514).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafkalab.brokers import Steps, Termination, Topology
from kafkalab.brokers.distribution import LEAN_FLAGS, Distribution, kind_of_cpu, one_line
from kafkalab.brokers.errors import PreparationFailed
from kafkalab.brokers.node import Node, wait_until_ready
from kafkalab.brokers.ports import free_ports
from kafkalab.brokers.properties import (
    Endpoint,
    as_properties_file,
    lab_settings,
    node_properties,
)
from kafkalab.brokers.runs import Run
from kafkalab.waiting import Expired, wait_until

# Lessons use up to three brokers; folders for more are made when they are asked for.
USUAL_NODES = 3
# Each of the two steps, writing down what was loaded and making a cache of it, takes 3 s on an
# idle machine, and was seen to take more than 30 s on a loaded one.
AOT_LIMIT = 300.0


class Prepared:
    """The prepared folder of one Kafka, runtime and kind of CPU.

    Its name is a hash of all that it depends on: another runtime or another
    lab setting gets a folder of its own.
    """

    def __init__(self, distribution: Distribution) -> None:
        self.distribution = distribution
        ingredients = [
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
        return self._facts_file.exists()

    @property
    def aot_cache(self) -> Path:
        return self.folder / "kafka.aot"

    @property
    def _facts_file(self) -> Path:
        # Written last: where it is, all else is.
        return self.folder / "prepared.json"

    @property
    def measured_start(self) -> float | None:
        """Seconds from process to first metadata, measured when this was prepared."""
        seconds: float | None = self._facts().get("start_seconds")
        return seconds

    def aot_flags(self, log: Path) -> list[str]:
        """The flags that use the AOT cache; its complaints go to a log of their own.

        The JVM starts without the cache when it is truncated or made by another
        runtime. That it is unchanged in its middle too costs a tenth of a start
        to check, so this is done only when the file is not as it was left.
        """
        if not self.distribution.java.has_aot_cache:
            return ["-Xlog:disable"]
        flags = [
            f"-XX:AOTCache={self.aot_cache}",
            "-Xlog:disable",
            f"-Xlog:aot*=warning:file={log}",
        ]
        is_as_left = self._facts().get("aot_stamp") == self._aot_stamp()
        return flags if is_as_left else [*flags, "-XX:+VerifySharedSpaces"]

    def _aot_stamp(self) -> list[int] | None:
        if not self.aot_cache.exists():
            return None
        status = self.aot_cache.stat()
        return [status.st_size, status.st_mtime_ns]

    def _facts(self) -> dict[str, Any]:
        if not self.is_there:
            return {}
        facts: dict[str, Any] = json.loads(self._facts_file.read_text("utf-8"))
        return facts

    def copy_data(self, node: Node, brokers: int) -> None:
        """Give a node its formatted data folder.

        A node of several starts from a folder that is only formatted: it
        replicates metadata that its peers know, not the single node's.
        """
        source = self.folder / "single" if brokers == 1 else self._blank(node.node_id)
        shutil.copytree(source, node.data)

    def _blank(self, node_id: int) -> Path:
        blank = self.folder / f"blank-{node_id}"
        if not blank.exists():
            with self._workshop() as workshop:
                node = self._bench_node(node_id, workshop)
                self.distribution.format(node.properties_file)
                # Another run may have been quicker: the folders are alike.
                with contextlib.suppress(OSError):
                    node.data.rename(blank)
        return blank

    def make(self, steps: Steps) -> None:
        """Make the folder, if it is not there: about 15 s, once.

        Raises:
            BrokerError: Kafka's tools or its first start failed.
        """
        if self.is_there:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._workshop() as workshop:
            steps.step("formatting a data folder and starting Kafka for the first time")
            node = self._bench_node(1, workshop)
            self.distribution.format(node.properties_file)
            self._rehearse(node, steps)
            start_seconds = self._measure_start(node)
            _drop_what_starts_rebuild(node.data)
            shutil.rmtree(self.folder / "single", ignore_errors=True)
            node.data.rename(self.folder / "single")
        for node_id in range(1, USUAL_NODES + 1):
            self._blank(node_id)
        facts = {"start_seconds": round(start_seconds, 2), "aot_stamp": self._aot_stamp()}
        self._facts_file.write_text(json.dumps(facts), "utf-8")

    @contextlib.contextmanager
    def _workshop(self) -> Iterator[Path]:
        """A folder to prepare in; a run's, so that a killed preparation leaves no JVM either."""
        run = Run.new(self.distribution.cache, "embedded")
        run.open()
        try:
            yield run.folder
        finally:
            run.close()

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

    def _rehearse(self, node: Node, steps: Steps) -> None:
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
            self._write_aot_cache(node, recorded)

    def _write_aot_cache(self, node: Node, recorded: Path) -> None:
        """Make the AOT cache of what a JVM recorded.

        In a process of its own, with the run's folder on its command line: the JVM
        could do it when it ends (`-XX:AOTCacheOutput`), but in a child that nobody
        would know of if this process were killed.
        """
        flags = [
            *LEAN_FLAGS,
            "-Xlog:disable",
            "-XX:AOTMode=create",
            f"-XX:AOTConfiguration={recorded}",
            f"-XX:AOTCache={self.aot_cache}",
        ]
        node.spawn(self.distribution.command("kafka.Kafka", str(node.properties_file), flags=flags))
        try:
            wait_until(lambda: not node.is_running(), limit=AOT_LIMIT, what="the AOT cache")
        except Expired as error:
            raise _no_aot_cache(node, "a machine under heavy load") from error
        finally:
            node.stop(Termination.ABRUPT)
        if not self.aot_cache.exists():
            raise _no_aot_cache(node, "too little disk space or memory")

    def _measure_start(self, node: Node) -> float:
        flags = [*LEAN_FLAGS, *self.aot_flags(node.home / "aot.log")]
        node.spawn(self.distribution.command("kafka.Kafka", str(node.properties_file), flags=flags))
        try:
            return wait_until_ready([node])
        finally:
            node.stop(Termination.GRACEFUL)


def endpoint_of(node: Node) -> Endpoint:
    """How a node that runs as a process of this machine is reached."""
    controller = f"127.0.0.1:{node.controller_port}"
    return Endpoint(node.node_id, node.address, node.address, controller, controller)


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
