"""`kafkalab lag`: how far a group is behind, and what is no lag at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)
from group_site import KAFKALAB, LIMIT, Site, site
from screens import CTRL_C, screen
from secured_cluster import LAB, LAB_PREFIX, NO_GROUP, SecuredCluster, secured_cluster
from test_live import Place

from kafkalab.observe.group_looks import Look, Onlooker, Standing, rates
from kafkalab.observe.groups import COOPERATIVE, KIP_848, generation_of
from kafkalab.observe.records import Record, end_transaction, init_transactions
from kafkalab.tasks.rebalance import log_offsets
from kafkalab.waiting import wait_until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("lag")) as made:
        yield made


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Site]:
    """A broker of the test's own, to be killed."""
    with site(tmp_path) as made:
        yield made


def test_each_partition_and_all_together(here: Site) -> None:
    """From the commit to the end; what has no commit has none, which is not 0."""
    topic, group = here.topic(3), here.name("group")
    for partition in range(3):
        here.write(topic, [b"x"] * 10, partition)
    here.commit(group, {(topic, 0): 4, (topic, 1): 10})

    told = here.json("lag", group)

    rows = {row["partition"]: row for row in told["partitions"]}
    assert [rows[n]["lag"] for n in range(3)] == [6, 0, None]
    assert [rows[n]["committed"] for n in range(3)] == [4, 10, None]
    assert [rows[n]["end"] for n in range(3)] == [10, 10, 10]
    assert (told["lag"], told["without_commit"], told["state"]) == (6, 1, "EMPTY")
    printed = here.kafkalab("lag", group)
    assert re.search(r"\n\s*0 +4 +10 +6 +\d+\.\d\n", printed), printed
    assert re.search(r"\n\s*1 +10 +10 +0 *\n", printed), printed
    assert re.search(r"\n\s*2 +none +10 +none *\n", printed), printed
    assert "Lag in total: 6 offsets, in 3 partitions" in printed
    assert "no commit in 1." in " ".join(printed.split())
    assert "in offsets, not records" in printed


def test_seconds_are_the_age_of_the_first_record_left(here: Site) -> None:
    """By its timestamp, as its producer gave it; one of the future is told as such."""
    topic, group = here.topic(3), here.name("group")
    now = int(time.time() * 1000)
    here.write(topic, [Record(b"x", timestamp_ms=now - age) for age in (90_000, 60_000, 100)])
    here.write(topic, [Record(b"x", timestamp_ms=now + 3_600_000)], 1)
    here.write(topic, [b"x"], 2)
    here.commit(group, {(topic, 0): 1, (topic, 1): 0, (topic, 2): 1})

    told = here.json("lag", group)

    seconds = [row["seconds"] for row in told["partitions"]]
    assert 60 <= seconds[0] < 60 + LIMIT
    assert -3600 <= seconds[1] < -3600 + LIMIT
    assert seconds[2] is None, "nothing is left"
    assert told["seconds"] == seconds[0]
    printed = here.kafkalab("lag", group)
    assert "future" in printed
    assert "from its timestamp" in printed


def test_what_is_left_may_be_no_record(here: Site) -> None:
    """Behind the last record there may be a transaction's marker: it has an offset, and no age."""
    topic, group = here.topic(), here.name("group")
    producer = Producer({**here.client, "transactional.id": here.name("writer")})
    init_transactions(producer)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    end_transaction(producer, ends_well=True)
    here.commit(group, {(topic, 0): 1})

    (row,) = here.json("lag", group)["partitions"]

    assert (row["lag"], row["seconds"]) == (1, None)
    assert re.search(r"\n\s*0 +1 +2 +1 +none\n", here.kafkalab("lag", group))


def test_a_commit_before_the_log_is_told(here: Site) -> None:
    """Records were deleted that the group had not read: they are not left to be read."""
    topic, group = here.topic(), here.name("group")
    here.write(topic, [b"x"] * 10)
    here.commit(group, {(topic, 0): 2})
    place = TopicPartition(topic, 0, 7)
    here.admin.delete_records([place])[place].result(LIMIT)

    (row,) = here.json("lag", group)["partitions"]

    assert (row["start"], row["committed"], row["lag"]) == (7, 2, 3)
    assert "the commit, 2, is before the log's start, 7" in row["note"]
    assert "records were deleted" in " ".join(here.kafkalab("lag", group).split())


def test_a_commit_behind_the_log_is_told(here: Site) -> None:
    """How much is left is unknown then, and not 0."""
    topic, group = here.topic(), here.name("group")
    here.write(topic, [b"x"] * 3)
    here.commit(group, {(topic, 0): 50})

    told = here.json("lag", group)

    (row,) = told["partitions"]
    assert (row["end"], row["committed"], row["lag"], told["lag"]) == (3, 50, None, None)
    assert "the commit, 50, is behind the log's end, 3" in row["note"]
    assert re.search(r"\n\s*0 +50 +3 +\? *\n", here.kafkalab("lag", group))


def test_an_open_transaction_is_told(here: Site) -> None:
    """Readers of committed records come no further; what is behind it is not their lag yet."""
    topic, group = here.topic(), here.name("group")
    producer = Producer({**here.client, "transactional.id": here.name("writer")})
    init_transactions(producer)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    producer.flush(LIMIT)
    here.commit(group, {(topic, 0): 0})

    (row,) = here.json("lag", group)["partitions"]
    end_transaction(producer, ends_well=False)

    assert (row["end"], row["high_watermark"], row["lag"]) == (0, 1, 0)
    assert "an open transaction holds back the records from 0 on" in row["note"]


def test_the_topics_are_those_of_the_group(here: Site) -> None:
    """Those that it has committed in, those that a member is assigned, or those that are named."""
    committed, assigned = here.topic(), here.topic(2)
    with here.group(COOPERATIVE, assigned, partitions=2) as group:
        group.add()
        group.wait_for_stable()
        here_too = Onlooker(here.client, group.id, [committed]).look()
        told = here.json("lag", group.id)
    here.commit(group.id, {(committed, 0): 0})

    assert [(row["topic"], row["partition"]) for row in told["partitions"]] == [
        (assigned, 0),
        (assigned, 1),
    ]
    assert (told["state"], told["members"], told["lag"]) == ("STABLE", 1, None)
    assert [each.place for each in here_too.partitions] == [(committed, 0)]
    assert [row["topic"] for row in here.json("lag", group.id)["partitions"]] == [committed]
    both = here.json("lag", group.id, "--topic", assigned, "--topic", committed)
    assert {row["topic"] for row in both["partitions"]} == {assigned, committed}


def test_a_group_without_anything_has_no_lag(here: Site) -> None:
    """Its member waits for a topic that there is not."""
    with here.group(KIP_848, "there-is-none", partitions=0) as group:
        group.add()
        group.wait_for_stable()

        assert here.json("lag", group.id)["partitions"] == []
        assert "so it has no lag" in here.kafkalab("lag", group.id)


@pytest.mark.parametrize("name", ["nobody", "a/b", "x" * 300, "two\nlines", " "])
def test_an_unknown_group_is_one_line(here: Site, name: str) -> None:
    line = here.refused("lag", name)

    assert "no consumer group" in line
    assert len(line) < 500


@pytest.mark.parametrize("name", ["no-such-topic", "a/b", "x" * 300])
def test_an_unknown_topic_is_one_line(here: Site, name: str) -> None:
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})

    assert "topic" in here.refused("lag", group, "--topic", name)
    assert here.run("lag", group).returncode == 0


def test_bad_usage_and_no_lab(here: Site) -> None:
    """2 for what cannot be meant, 1 for what is not there."""
    assert here.run("lag").returncode == 2
    assert here.run("lag", "a", "--topics", "b").returncode == 2
    alone = here.run("lag", "a", KAFKALAB_BOOTSTRAP="")
    assert alone.returncode == 1
    assert "No lab is up" in alone.stderr


def test_a_watch_tells_the_trend(here: Site) -> None:
    """From the looks so far, an object each; the first knows none."""
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})
    watching = here.started("lag", group, "--watch", "--json")
    assert watching.stdout is not None
    try:
        first = json.loads(watching.stdout.readline())
        here.write(topic, [b"x"] * 50)
        looks = []

        def look() -> int:
            looks.append(json.loads(watching.stdout.readline()))  # type: ignore[union-attr]
            return int(looks[-1]["lag"])

        wait_until(look, lambda lag: lag == 50, limit=LIMIT, what="a look at 50 records")
    finally:
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=LIMIT)

    assert (first["trend"], first["partitions"][0]["trend"]) == (None, None)
    assert looks[-1]["trend"] > 0
    assert (watching.returncode, told) == (130, "")


def test_without_a_terminal_each_look_is_printed_below(here: Site) -> None:
    """Without colours and movements."""
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})
    watching = here.started("lag", group, "--watch")
    assert watching.stdout is not None
    printed = ""
    try:
        while printed.count("from its timestamp") < 2:
            printed += watching.stdout.readline()
    finally:
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=LIMIT)

    assert "\x1b" not in printed
    assert "trend" in printed
    assert "no change" in printed
    assert watching.returncode == 130


@pytest.mark.parametrize("columns", [40, 80])
def test_in_a_terminal_it_is_drawn_anew(here: Site, columns: int) -> None:
    """In its place, as wide as the terminal is; Ctrl-C leaves the last look, and a shell's code."""
    topic, group = here.topic(2), here.name("group")
    here.write(topic, [b"x"] * 10)
    here.commit(group, {(topic, 0): 4})
    with screen(
        [*KAFKALAB, "lag", group, "--watch"],
        here.folder,
        columns=columns,
        environment=here.environment_without("COLUMNS"),
    ) as at:
        at.see("trend", "no change")
        at.press(CTRL_C)
        assert at.end() == 130
        shown = "\n".join(at.whole)

    assert shown.count("Lag in total") == 1, shown
    assert re.search(r"0 +4 +10 +6 +\d+\.\d +0\n", shown), shown
    assert re.search(r"1 +none +0 +none", shown), shown
    assert "Traceback" not in shown


def test_no_color_is_heard(here: Site) -> None:
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})
    with screen(
        [*KAFKALAB, "lag", group],
        here.folder,
        environment={**here.environment_without("COLUMNS"), "NO_COLOR": "1"},
    ) as at:
        assert at.end() == 0
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]", at.received)


def test_a_reader_that_leaves_is_no_error(here: Site) -> None:
    topic, group = here.topic(40), here.name("group")
    here.commit(group, {(topic, partition): 0 for partition in range(40)})
    watching = here.started("lag", group, "--watch", "--json")
    assert watching.stdout is not None
    watching.stdout.readline()
    watching.stdout.close()

    watching.wait(LIMIT)

    assert watching.returncode == 141
    assert watching.stderr is not None
    assert watching.stderr.read() == ""
    watching.stderr.close()


def test_a_broker_that_goes_is_one_line(fragile: Site) -> None:
    """Within the limit of a question."""
    topic, group = fragile.topic(), fragile.name("group")
    fragile.commit(group, {(topic, 0): 0})
    watching = fragile.started("lag", group, "--watch", "--json")
    assert watching.stdout is not None
    watching.stdout.readline()

    for pid in fragile.pids:
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    _, told = watching.communicate(timeout=LIMIT)

    assert watching.returncode == 1, told
    assert len(told.splitlines()) == 1, told
    assert "a broker that is gone" in told
    assert time.monotonic() - began < 30


def test_a_thousand_partitions_are_told(here: Site) -> None:
    """Each with its seconds; how soon, bench/lag.py measures on a machine that is quiet."""
    topic, group = here.topic(1000), here.name("group")
    producer = Producer(here.client)
    for partition in range(1000):
        for _ in range(3):
            producer.produce(topic, b"x" * 100, partition=partition)
    producer.flush(LIMIT)
    here.commit(group, {(topic, partition): 1 for partition in range(1000)})

    printed = here.kafkalab("lag", group)

    assert "Lag in total: 2000 offsets, in 1000 partitions" in printed
    assert len(re.findall(r"(?m)^ *\d+ +1 +3 +2 +\d+\.\d$", printed)) == 1000


def test_no_question_waits_for_its_connection(here: Site) -> None:
    """Of librdkafka's admin clients one of fifteen takes 3 s, if it is asked before it has one."""
    topic, took = here.topic(3), []
    # As the command asks, without what makes the clients of lessons quick.
    config = {"bootstrap.servers": here.broker.bootstrap, "log_level": 0}
    for _ in range(60):
        began = time.monotonic()
        log_offsets(config, [(topic, 0), (topic, 1), (topic, 2)], OffsetSpec.latest(), LIMIT)
        took.append(time.monotonic() - began)

    assert max(took) < 2, took


def test_the_group_notices_nothing(here: Site) -> None:
    """No rebalance, no member more: inside a member the generation stays."""
    topic = here.topic(2)
    here.write(topic, [b"x"] * 3)
    with here.group(COOPERATIVE, topic, partitions=2) as group:
        member = group.add()
        before = group.wait_for_stable()
        generation = member.do(generation_of)

        here.kafkalab("lag", group.id)
        here.kafkalab("lag", group.id, "--topic", topic, "--json")

        assert member.do(generation_of) == generation
        assert group.wait_for_stable() == before


def test_the_lab_that_is_up_is_looked_at(tmp_path: Path) -> None:
    """Nothing names it; when it is down that is told."""
    place = Place(tmp_path)
    try:
        place.up()
        with contextlib.closing(Consumer({**place.client, "group.id": "shop"})) as consumer:
            consumer.commit(offsets=[TopicPartition("orders", 0, 0)], asynchronous=False)

        (row, *_) = json.loads(place.kafkalab("lag", "shop", "--json"))["partitions"]

        assert (row["topic"], row["committed"]) == ("orders", 0)
        assert "shop at" in place.kafkalab("explain", "shop", "--for=1", "--every=0.2")
    finally:
        place.close()
    for command in ("lag", "explain"):
        assert "No lab is up" in place.refused(command, "shop")


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredCluster]:
    """A cluster that lets in by SASL and TLS, and grants rights by name."""
    with secured_cluster() as cluster:
        yield cluster


def committed_in_secured(secured: SecuredCluster, name: str) -> str:
    """A group that has committed in the topic of its name, which has something left."""
    admin, client = AdminClient(secured.administrator), secured.administrator
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(LIMIT)
    producer = Producer(client)
    producer.produce(name, b"x")
    producer.flush(LIMIT)
    with contextlib.closing(Consumer({**client, "group.id": name})) as consumer:
        consumer.commit(offsets=[TopicPartition(name, 0, 0)], asynchronous=False)
    return name


def run_as(secured: SecuredCluster, user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that has ended, of a user of that cluster."""
    return subprocess.run(
        [*KAFKALAB, *arguments],
        env={**os.environ, **secured.variables(user)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def test_a_secured_cluster_is_looked_at(secured: SecuredCluster) -> None:
    """With the properties file of a Java client, and by rights for names alone."""
    group = committed_in_secured(secured, f"{LAB_PREFIX}mine")

    done = run_as(secured, LAB, "lag", group, "--json")

    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["partitions"]
    assert (row["lag"], row["seconds"] is None) == (1, False)
    assert run_as(secured, LAB, "explain", group, "--for=1", "--every=0.2").returncode == 0


def test_who_may_not_see_the_group_is_told_in_one_line(secured: SecuredCluster) -> None:
    group = committed_in_secured(secured, f"{LAB_PREFIX}not-yours")

    for command in ("lag", "explain"):
        done = run_as(secured, NO_GROUP, command, group)

        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert "GROUP_AUTHORIZATION_FAILED" in line


def test_who_may_not_read_is_told_the_lag_without_its_age(secured: SecuredCluster) -> None:
    """That a record is left is not said to be untrue: it was not seen."""
    group = committed_in_secured(secured, f"{LAB_PREFIX}closed")
    no_reading = AclBinding(
        ResourceType.TOPIC,
        group,
        ResourcePatternType.LITERAL,
        f"User:{LAB}",
        "*",
        AclOperation.READ,
        AclPermissionType.DENY,
    )
    admin = AdminClient(secured.administrator)
    admin.create_acls([no_reading])[no_reading].result(LIMIT)

    def told() -> str:
        done = run_as(secured, LAB, "lag", group)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # What was forbidden holds at the broker a moment later.
    wait_until(
        told,
        lambda printed: bool(re.search(r"0 +0 +1 +1 +\?\n", printed)),
        limit=LIMIT,
        what="an age that is not known",
    )


def look(time: float, *lags: int | None) -> Look:
    """A look at partitions of these lags."""
    partitions = tuple(
        Standing("t", n, start=0, end=100, high=100, committed=None, lag=lag)
        for n, lag in enumerate(lags)
    )
    return Look(time, time, "STABLE", "CLASSIC", "range", (), partitions)


def test_a_rate_is_that_of_the_time_between() -> None:
    """In offsets a second; none where a lag is unknown, or there is one look only."""
    assert rates([look(0, 5)]) == {}
    assert rates([look(0, 5, None, 1), look(2, 9, 4, None)]) == {("t", 0): 2.0}
    assert rates([look(0, 9), look(1, 100), look(4, 1)]) == {("t", 0): -2.0}
