"""What belongs to others in a cluster: planted before kafkalab runs there, compared afterwards.

    python tests/foreign.py [RUNS] [PYTEST ARGUMENTS ...]
    python tests/foreign.py open [PYTEST ARGUMENTS ...]

plants it in a secured cluster, runs a task there so many times (20), ends a
third of the runs by Ctrl-C and a third by SIGKILL, calls `kafkalab clean`, and
tells what is different. The open cluster lets everybody do everything, creates
topics by itself and has the lab's settings, so that nearly all facts run: all
of Module A runs there, once.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from secured_cluster import (
    LAB,
    SecuredCluster,
    let_lab_read_broker_settings,
    secured_cluster,
)

from kafkalab.brokers.names import prefix_of
from kafkalab.brokers.properties import LAB_SETTINGS
from kafkalab.waiting import Expired, wait_until

# Names that come close to a run's, or have the very shape, beside one that does not.
SHAPED = "kafkalab-20260101T000000-abc123-orders"
TOPICS = ("payments", "kafkalab-notes", "kafkalab-20261125T024713-zzzzzz-notes", SHAPED)
GROUPS = ("billing", "kafkalab-notes-readers", SHAPED)
DONE, ONGOING = "payments-writer", "kafkalab-notes-writer"
INTERNAL = ("__consumer_offsets", "__transaction_state")
# What a run makes is called so, also within the keys of the internal topics.
OF_A_RUN = re.compile(rb"kafkalab-\d{8}T\d{6}-[0-9a-f]{6}-")

OPEN_SETTINGS = {**LAB_SETTINGS, "auto.create.topics.enable": "true"}
"""of a cluster that does for everybody what it is asked for"""

# Seconds for what takes milliseconds on an idle machine.
LIMIT = 60.0
# Longer than all runs together: nobody but us may end the open transaction.
LONG_TRANSACTION_MS = 7_200_000


@dataclass
class Planted:
    """What was planted, and the producer whose transaction is open."""

    cluster: SecuredCluster
    writer: Producer

    def end_transaction(self) -> None:
        """Commit what is open: that works only if nobody fenced or aborted it meanwhile."""
        self.writer.commit_transaction(LIMIT)


def plant(cluster: SecuredCluster) -> Planted:
    """Make topics with records, groups with offsets, and transactions: one is over, one open."""
    admin = AdminClient(cluster.administrator)
    settings = {"retention.ms": "-1", "max.message.bytes": "100000"}
    new = [NewTopic(name, 2, 1, config=settings) for name in TOPICS]
    for made in admin.create_topics(new).values():
        made.result(LIMIT)
    done = _transactional(cluster, DONE)
    done.commit_transaction(LIMIT)
    for group in GROUPS:
        places = [TopicPartition(TOPICS[0], each, 3 + each, "a note") for each in (0, 1)]
        request = [ConsumerGroupTopicPartitions(group, places)]
        answer = admin.alter_consumer_group_offsets(request)[group].result(LIMIT)
        assert [each.error for each in answer.topic_partitions] == [None, None]
    return Planted(cluster, _transactional(cluster, ONGOING))


def _transactional(cluster: SecuredCluster, name: str) -> Producer:
    """A producer that has written ten records to each topic, and has not committed them."""
    writer = Producer(
        {
            **cluster.administrator,
            "transactional.id": name,
            "transaction.timeout.ms": LONG_TRANSACTION_MS,
        }
    )
    writer.init_transactions(LIMIT)
    writer.begin_transaction()
    for topic in TOPICS:
        for number in range(10):
            writer.produce(
                topic, f"value {number}", f"key {number}", number % 2, headers={"from": name}
            )
    writer.flush(LIMIT)
    return writer


def snapshot(cluster: SecuredCluster) -> dict[str, Any]:
    """All that the cluster holds of what was planted, and what else is no run's; as plain data."""
    admin = AdminClient(cluster.administrator)
    described = admin.describe_topics(TopicCollection(list(TOPICS)))
    groups = admin.describe_consumer_groups(list(GROUPS))
    return {
        "ids": {name: str(described[name].result(LIMIT).topic_id) for name in TOPICS},
        "settings": {name: _settings(admin, name) for name in TOPICS},
        "records": {name: _records(cluster, name) for name in TOPICS},
        "offsets": {name: _offsets(admin, name) for name in GROUPS},
        "states": {name: groups[name].result(LIMIT).state.name for name in GROUPS},
        "kept of them": {name: _kept(cluster, name) for name in INTERNAL},
        "settings of the broker": _settings(admin, "1", ResourceType.BROKER),
        "no run's": {name: "is there" for name in _names(admin) if not prefix_of(name)},
        "known to coordinators": {
            str(key): "is known"
            for topic in INTERNAL
            for *_, key, _, _ in _records(cluster, topic)
            if not OF_A_RUN.search(key)
        },
    }


def _settings(
    admin: AdminClient, name: str, kind: ResourceType = ResourceType.TOPIC
) -> dict[str, Any]:
    resource = ConfigResource(kind, name)
    entries = admin.describe_configs([resource])[resource].result(LIMIT)
    return {name: (entry.value, int(entry.source)) for name, entry in entries.items()}


def _offsets(admin: AdminClient, group: str) -> list[tuple[Any, ...]]:
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    places = asked[group].result(LIMIT).topic_partitions
    return sorted((each.topic, each.partition, each.offset, each.metadata) for each in places)


def _kept(cluster: SecuredCluster, topic: str) -> dict[bytes, bytes]:
    """The newest bytes that the coordinators keep of what was planted, by key."""
    names = [name.encode() for name in (*GROUPS, DONE, ONGOING)]
    return {
        key: value
        for *_, key, value, _ in _records(cluster, topic)
        if any(name in key for name in names)
    }


def _records(cluster: SecuredCluster, topic: str) -> list[tuple[Any, ...]]:
    """Every record, aborted and open ones too: partition, offset, time, key, value, headers."""
    reader = KafkaConsumer(
        {
            **cluster.administrator,
            # It only reads: no group of that name comes to be.
            "group.id": "onlooker",
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = reader.list_topics(topic, LIMIT).topics[topic].partitions
    reader.assign([TopicPartition(topic, each, 0) for each in partitions])
    found: list[tuple[Any, ...]] = []
    ended: set[int] = set()

    def poll() -> set[int]:
        message = reader.poll(0.5)
        if message is not None and message.error():
            ended.add(message.partition())
            found.append((message.partition(), message.offset(), None, b"", b"the end", None))
        elif message is not None:
            row = (message.partition(), message.offset(), message.timestamp())
            found.append((*row, message.key() or b"", message.value(), message.headers()))
        return ended

    wait_until(poll, lambda seen: len(seen) == len(partitions), limit=LIMIT, what=topic, interval=0)
    reader.close()
    return sorted(found, key=lambda row: row[:2])


def names_of_runs(cluster: SecuredCluster) -> list[str]:
    """All topics and groups that runs have left, as an administrator sees them."""
    names = _names(AdminClient(cluster.administrator))
    return sorted(name for name in names if prefix_of(name) and name != SHAPED)


def _names(admin: AdminClient) -> list[str]:
    groups = admin.list_consumer_groups().result(LIMIT).valid
    return [*admin.list_topics(timeout=LIMIT).topics, *(each.group_id for each in groups)]


def environment(cluster: SecuredCluster, user: str | None) -> dict[str, str]:
    """The environment in which kafkalab uses the cluster."""
    return {**os.environ, "KAFKALAB_BACKEND": "external", **cluster.variables(user)}


def run_and_end(
    cluster: SecuredCluster,
    command: Sequence[str],
    how: signal.Signals | None,
    after: float,
    user: str | None = LAB,
) -> int:
    """Run a command in the cluster's environment; return its exit code.

    Args:
        cluster: the cluster.
        command: what runs.
        how: the signal that ends it, SIGKILL to all its processes; None lets it end.
        after: seconds after its first lesson has made a topic or group.
        user: as whom; None: as who may do everything.
    """
    process = subprocess.Popen(
        list(command),
        env=environment(cluster, user),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
        # In the background of a shell Ctrl-C is ignored, and so it would be here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    if how is not None:
        wait_until(
            lambda: _of_lessons(cluster) or process.poll() is not None,
            limit=LIMIT,
            what="the run to make something",
        )
        _let_run(process, after)
        if how is signal.SIGKILL:
            # All at once, as when a machine is switched off: nobody is left to tidy up.
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
    return process.wait(600)


def _of_lessons(cluster: SecuredCluster) -> list[str]:
    """What there is but for that by which a run asks for its rights."""
    return [name for name in names_of_runs(cluster) if not name.endswith("-rights")]


def _let_run(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        wait_until(lambda: process.poll() is not None, limit=seconds, what="its end")
    except Expired:
        return


def clean(cluster: SecuredCluster, user: str | None = LAB) -> str:
    """Call `kafkalab clean` on all that is there; return what it said."""
    command = [sys.executable, "-c", "from kafkalab.cli import main; main()", "clean"]
    done = subprocess.run(
        [*command, "--older-than=0", "--yes"],
        env=environment(cluster, user),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two snapshots differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = {*before, *after}
        return [
            found
            for key in sorted(keys, key=str)
            for found in differences(before.get(key), after.get(key), f"{path}/{key!s}")
        ]
    return [] if before == after else [f"{path}: {before!r} became {after!r}"]


def main(runs: int, arguments: Sequence[str], *, is_open: bool) -> int:
    """Plant, run, compare; return 0 when nothing foreign has changed and nothing is left."""
    say = sys.stdout.write
    endings = [None, signal.SIGINT, signal.SIGKILL]
    settings, user = (OPEN_SETTINGS, None) if is_open else ({}, LAB)
    with secured_cluster(settings) as cluster, tempfile.TemporaryDirectory() as reports:
        let_lab_read_broker_settings(cluster)
        planted = plant(cluster)
        before = snapshot(cluster)
        failed = 0
        say(f"{sum(map(len, before['records'].values()))} records planted\n")
        for number in range(runs):
            how, after = endings[number % 3], random.SystemRandom().uniform(0, 5)
            command = [
                sys.executable,
                "-m",
                "pytest",
                f"--kafkalab-reports={Path(reports) / str(number)}",
            ]
            code = run_and_end(cluster, [*command, *arguments], how, after, user)
            failed += how is None and code != 0
            left = len(names_of_runs(cluster))
            said = clean(cluster, user).splitlines()[-1]
            changed = differences(before, snapshot(cluster))
            say(
                f"run {number + 1}: {how.name if how else 'to its end'}, exit code {code}, "
                f"left {left}, clean: {said} still there: {len(names_of_runs(cluster))}, "
                f"foreign changes: {changed or 'none'}\n"
            )
            sys.stdout.flush()
        changed, left = differences(before, snapshot(cluster)), len(names_of_runs(cluster))
        try:
            planted.end_transaction()
        except KafkaException as error:
            changed.append(f"the open transaction cannot be committed: {error}")
    say(f"{runs} runs; failed: {failed}; foreign changes: {len(changed)}; left of runs: {left}\n")
    return 1 if changed or left or failed else 0


if __name__ == "__main__":
    wanted, *given = sys.argv[1:] or ["20"]
    if wanted == "open":
        sys.exit(main(1, given or ["tests_module_a", "-n", "4", "-q"], is_open=True))
    task = ["tests_module_a", "-k", "task_1_3", "-n", "2", "-q"]
    sys.exit(main(int(wanted), given or task, is_open=False))
