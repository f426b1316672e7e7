"""`kafkalab explain`: each finding is made to happen on a real broker, and told in facts."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from group_site import KAFKALAB, LIMIT, Site, site
from screens import CTRL_C, screen

from kafkalab.curriculum import load
from kafkalab.observe import explain as checks
from kafkalab.observe.explain import FOUND, HEALTHY, UNTOLD, Explanation, explain
from kafkalab.observe.group_looks import Look, Onlooker, SeenMember, Standing
from kafkalab.observe.group_samples import BadRecording, read, recording
from kafkalab.observe.groups import COOPERATIVE, EAGER, KIP_848, Group, Member, generation_of
from kafkalab.observe.records import end_transaction, init_transactions
from kafkalab.observe.threads import repeated
from kafkalab.waiting import wait_until

# Seconds of sampling that show what needs no time, and that show whether something stands still.
SHORT, LONG = "3", "13"
# Until Ctrl-C.
ENDLESS = "600"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("explain")) as made:
        yield made


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Site]:
    """A broker of the test's own, to be killed."""
    with site(tmp_path) as made:
        yield made


class Explained:
    """What the command told, as JSON."""

    def __init__(self, text: str) -> None:
        (line,) = text.splitlines()
        self.told: dict[str, Any] = json.loads(line)
        self.verdict = self.told["verdict"]
        self.kinds = {each["kind"] for each in self.told["findings"]}

    def says(self, kind: str) -> str:
        """The only finding of its kind, in words."""
        (found,) = [each for each in self.told["findings"] if each["kind"] == kind]
        return str(found["says"])

    def cannot_tell(self, word: str) -> bool:
        """Whether it was told that something cannot be told."""
        return any(word in each for each in self.told["cannot_tell"])


class Running:
    """The command while it looks."""

    def __init__(self, process: subprocess.Popen[str], looks: Path) -> None:
        self.process = process
        self._looks = looks

    def has_looked(self, times: int) -> None:
        """Wait until it has looked so often, since now."""
        before = self._count()
        wait_until(
            lambda: self._count() >= before + times or self.process.poll() is not None,
            limit=LIMIT,
            what=f"{times} looks",
        )

    def explained(self) -> Explained:
        """What it tells at its end."""
        out, err = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0, err
        return Explained(out)

    def interrupted(self) -> Explained:
        """What it tells when it is ended by Ctrl-C, as whoever has seen enough does."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 130, err
        return Explained(out)

    def _count(self) -> int:
        # The first line is no look.
        return self._looks.read_bytes().count(b"\n") - 1 if self._looks.exists() else 0


@contextlib.contextmanager
def explaining(here: Site, group: str, seconds: str, every: str = "0.25") -> Iterator[Running]:
    """Run the command beside the block."""
    looks = here.folder / f"{here.name('looks')}.jsonl"
    process = here.started(
        *("explain", group, "--for", seconds, "--every", every, "--record", str(looks), "--json")
    )
    try:
        running = Running(process, looks)
        running.has_looked(1)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextlib.contextmanager
def written(here: Site, topic: str, *counts: int) -> Iterator[None]:
    """Write to each partition as many records as is said, ten times a second."""
    producer = Producer(here.client)

    def write() -> None:
        for partition, count in enumerate(counts):
            for _ in range(count):
                producer.produce(topic, b"x", partition=partition)
        producer.flush(LIMIT)

    with repeated(write, every=0.1, what="the writing"):
        yield


def committing(consumer: Consumer, message: Message) -> None:
    """Process a record in no time, and commit it."""
    consumer.commit(message=message, asynchronous=False)


@contextlib.contextmanager
def working(
    here: Site, topic: str, partitions: int, members: int, protocol: Any = COOPERATIVE
) -> Iterator[tuple[Group, list[Member]]]:
    """A group whose members commit each record."""
    with here.group(protocol, topic, partitions=partitions) as group:
        started = [group.add(handle=committing) for _ in range(members)]
        group.wait_for_stable()
        yield group, started


# What is found on a real broker


@pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE, KIP_848], ids=["eager", "coop", "848"])
def test_a_healthy_group_is_told_to_be_healthy(here: Site, protocol: Any) -> None:
    """And nothing of it is disturbed: not the generation, not the members, not who owns what."""
    topic = here.topic(4)
    with working(here, topic, 4, 2, protocol) as (group, members), written(here, topic, 3, 3, 3, 3):
        before = group.wait_for_stable()
        generations = [member.do(generation_of) for member in members]

        with explaining(here, group.id, LONG) as running:
            seen = running.explained()

        assert (seen.verdict, seen.kinds) == (HEALTHY, set()), seen.told
        assert [member.do(generation_of) for member in members] == generations
        assert group.wait_for_stable() == before
    assert seen.cannot_tell("generation")
    assert any("2 members, 4 partitions" in each for each in seen.told["saw"])


def test_a_partition_that_stands_still(here: Site) -> None:
    """Its member is stuck and sends heartbeats; the other goes on."""
    topic = here.topic(2)
    with working(here, topic, 2, 2) as (group, members):
        here.write(topic, [b"x"], 0)
        here.write(topic, [b"x"], 1)
        committed = Onlooker(here.client, group.id)
        wait_until(
            lambda: committed.look().lag, lambda lag: lag == 0, limit=LIMIT, what="all to be read"
        )
        stuck = members[0]
        ((_, partition),) = stuck.assignment
        stuck.hang()
        with written(here, topic, 1, 1), explaining(here, group.id, LONG) as running:
            seen = running.explained()
        stuck.wake()

    assert seen.kinds == {"stands-still"}, seen.told
    said = seen.says("stands-still")
    assert f"{topic}[{partition}] stands still" in said
    assert "The commits of 1 other partition moved" in said
    assert f"Owner: {stuck.name}@127.0.0.1" in said


def test_what_has_only_a_marker_left_does_not_stand_still(here: Site) -> None:
    """All is read, and the lag stays at one: the end of a transaction has an offset."""
    topic = here.topic()
    producer = Producer({**here.client, "transactional.id": here.name("writer")})
    init_transactions(producer)
    with working(here, topic, 1, 1) as (group, _):
        producer.begin_transaction()
        producer.produce(topic, b"x")
        end_transaction(producer, ends_well=True)
        onlooker = Onlooker(here.client, group.id)
        wait_until(
            lambda: onlooker.look().lag, lambda lag: lag == 1, limit=LIMIT, what="a lag of one"
        )

        seen = Explained(
            here.kafkalab("explain", group.id, "--for", LONG, "--every", "0.5", "--json")
        )

    assert (seen.verdict, seen.kinds) == (HEALTHY, set()), seen.told
    assert seen.cannot_tell("none came")


def test_a_member_that_comes_and_goes(here: Site) -> None:
    topic = here.topic(2)
    with (
        working(here, topic, 2, 2) as (group, members),
        explaining(here, group.id, ENDLESS) as running,
    ):
        for _ in range(2):
            with group.bounce(members[1]):
                running.has_looked(2)
            group.wait_for_stable()
            running.has_looked(2)
        seen = running.interrupted()

    said = seen.says("comes-and-goes")
    assert f"{members[1].name}@127.0.0.1 comes and goes: it came twice and went twice" in said
    assert not seen.kinds & {"left", "joined"}, seen.told


def test_members_that_came_and_that_went(here: Site) -> None:
    """Each is told by its name."""
    topic = here.topic(2)
    with (
        working(here, topic, 2, 2) as (group, members),
        explaining(here, group.id, ENDLESS) as running,
    ):
        group.remove(members[0])
        new = group.add()
        group.wait_for_stable()
        running.has_looked(2)
        seen = running.interrupted()

    assert f"{members[0].name}@" in seen.says("left")
    assert f"{new.name}@" in seen.says("joined")


def test_a_group_that_does_not_settle(here: Site) -> None:
    """One is slow to give its partitions up: all wait for it."""
    topic, may_go = here.topic(2), threading.Event()
    with here.group(EAGER, topic, partitions=2) as group:
        group.add(on_revoke=lambda *_: may_go.wait(LIMIT) and None)
        group.wait_for_stable()
        group.add()
        onlooker = Onlooker(here.client, group.id)
        wait_until(
            lambda: onlooker.look().state,
            lambda state: state != "STABLE",
            limit=LIMIT,
            what="the rebalance",
        )
        try:
            with explaining(here, group.id, "6") as running:
                seen = running.explained()
        finally:
            may_go.set()
        group.wait_for_stable()

    assert "preparing rebalancing" in seen.says("unsettled")


def test_a_hot_partition(here: Site) -> None:
    topic = here.topic(3)
    with (
        working(here, topic, 3, 1) as (group, _),
        written(here, topic, 2, 20, 2),
        explaining(here, group.id, "5") as running,
    ):
        seen = running.explained()

    assert seen.kinds == {"hot"}, seen.told
    assert f"{topic}[1] is hot" in seen.says("hot")


def test_a_commit_that_goes_back(here: Site) -> None:
    topic = here.topic(2)
    here.write(topic, [b"x"] * 9)
    with here.group(COOPERATIVE, topic, partitions=2) as group:
        member = group.add()
        group.wait_for_stable()
        commit(member, topic, 9)
        with explaining(here, group.id, ENDLESS) as running:
            # One may have been under way before.
            running.has_looked(2)
            commit(member, topic, 4)
            running.has_looked(2)
            commit(member, topic, 9)
            seen = running.interrupted()

    assert f"went back in {topic}[0]: from 9 to 4." in seen.says("goes-back")


def commit(member: Member, topic: str, offset: int) -> None:
    """Have a member commit an offset in partition 0."""
    place = TopicPartition(topic, 0, offset)
    member.do(lambda consumer: consumer.commit(offsets=[place], asynchronous=False))


def test_a_commit_that_is_gone(here: Site) -> None:
    """Somebody deleted the group's offsets, and it went on elsewhere."""
    topic, other, group = here.topic(), here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})
    onlooker = Onlooker(here.client, group)
    looks = [onlooker.look()]
    here.admin.delete_consumer_groups([group])[group].result(LIMIT)
    here.commit(group, {(other, 0): 0})
    looks += [onlooker.look(), onlooker.look()]

    found = {each.kind: each.says for each in explain(looks).findings}

    assert f"{topic}[0]" in found["commit-gone"]


@pytest.mark.parametrize("protocol", [EAGER, COOPERATIVE, KIP_848], ids=["eager", "coop", "848"])
def test_more_members_than_partitions(here: Site, protocol: Any) -> None:
    topic = here.topic(2)
    with (
        working(here, topic, 2, 3, protocol) as (group, _),
        explaining(here, group.id, SHORT) as running,
    ):
        seen = running.explained()

    assert seen.kinds == {"too-many-members"}, seen.told
    assert "3 members share 2 partitions" in seen.says("too-many-members")


def test_members_that_share_unevenly(here: Site) -> None:
    """There are partitions enough; range gives both first ones to one member."""
    first, second = here.topic(), here.topic()
    with here.group(EAGER, first, second, partitions=2) as group:
        for _ in range(2):
            group.add()
        group.wait_for_stable()
        with explaining(here, group.id, SHORT) as running:
            seen = running.explained()

    assert seen.kinds == {"uneven"}, seen.told
    assert "The assignor is range" in seen.says("uneven")


def test_a_partition_that_nobody_owns(here: Site) -> None:
    """The group has committed in a topic to which no member is subscribed any more."""
    old, new = here.topic(), here.topic()
    here.write(old, [b"x"] * 3)
    with here.group(COOPERATIVE, new, partitions=1) as group:
        here.commit(group.id, {(old, 0): 1})
        group.add()
        group.wait_for_stable()
        with explaining(here, group.id, SHORT) as running:
            seen = running.explained()

    assert seen.kinds == {"ownerless"}, seen.told
    assert f"{old}[0]" in seen.says("ownerless")


def test_a_group_that_falls_behind(here: Site) -> None:
    """It commits each record, and more come than it processes."""
    topic, never = here.topic(), threading.Event()

    def slowly(consumer: Consumer, message: Message) -> None:
        never.wait(0.1)
        committing(consumer, message)

    with here.group(COOPERATIVE, topic, partitions=1) as group:
        group.add(handle=slowly)
        group.wait_for_stable()
        with written(here, topic, 5), explaining(here, group.id, "22", "0.5") as running:
            seen = running.explained()

    assert seen.kinds == {"falls-behind"}, seen.told
    assert "offsets were written, and its least lag went up" in seen.says("falls-behind")


def test_an_open_transaction_that_holds_readers_back(here: Site) -> None:
    """And a transaction that is open for a moment only cannot be told from one that hangs."""
    topic = here.topic()
    producer = Producer({**here.client, "transactional.id": here.name("writer")})
    init_transactions(producer)
    with working(here, topic, 1, 1) as (group, _):
        producer.begin_transaction()
        producer.produce(topic, b"x")
        producer.flush(LIMIT)
        with explaining(here, group.id, "1") as running:
            soon = running.explained()
        with explaining(here, group.id, "7") as running:
            seen = running.explained()
        end_transaction(producer, ends_well=False)

    assert soon.kinds == set()
    assert soon.cannot_tell("transaction that is open now")
    said = seen.says("held-back")
    assert f"back in {topic}[0]: for" in said
    assert "came to 0, and the log ends at 1" in said


def test_an_empty_group(here: Site) -> None:
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})

    seen = Explained(here.kafkalab("explain", group, "--for", "1", "--every", "0.2", "--json"))

    assert (seen.verdict, seen.kinds) == (FOUND, {"empty"}), seen.told


def test_a_group_without_members_that_commits(here: Site) -> None:
    """Its consumers assign partitions to themselves."""
    topic, group = here.topic(), here.name("group")
    here.write(topic, [b"x"] * 9)
    here.commit(group, {(topic, 0): 1})
    with explaining(here, group, ENDLESS) as running:
        here.commit(group, {(topic, 0): 9})
        running.has_looked(3)
        seen = running.interrupted()

    assert seen.kinds == {"no-member"}, seen.told


def test_a_group_that_commits_nothing(here: Site) -> None:
    """After the time in which members commit by the clock; before, it cannot be told."""
    topic = here.topic()
    here.write(topic, [b"x"] * 3)
    with here.group(COOPERATIVE, topic, partitions=1) as group:
        group.add()
        group.wait_for_stable()
        with explaining(here, group.id, SHORT) as running:
            soon = running.explained()
        with explaining(here, group.id, LONG) as running:
            seen = running.explained()

    assert (soon.verdict, soon.kinds) == (UNTOLD, set()), soon.told
    assert soon.cannot_tell("Whether the group commits")
    assert seen.kinds == {"no-commit"}, seen.told


def test_commits_outside_the_log(here: Site) -> None:
    topic, group = here.topic(2), here.name("group")
    here.write(topic, [b"x"] * 9)
    here.commit(group, {(topic, 0): 2, (topic, 1): 50})
    place = TopicPartition(topic, 0, 7)
    here.admin.delete_records([place])[place].result(LIMIT)

    seen = Explained(here.kafkalab("explain", group, "--for", "1", "--every", "0.2", "--json"))

    assert "it is 2, and the log starts at 7" in seen.says("before-the-log")
    assert "it is 50, and the log ends at 0" in seen.says("behind-the-log")


# The command


def test_looks_are_kept_and_explained_again(here: Site) -> None:
    """Offline, with the same words; a line that was cut off is left out, and told."""
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 50})
    looks = here.folder / f"{group}.jsonl"

    told = here.kafkalab("explain", group, "--for=1", "--every=0.2", "--record", str(looks))
    again = here.run("explain", "--replay", str(looks), KAFKALAB_BOOTSTRAP="127.0.0.1:1")
    whole = looks.read_bytes()
    looks.write_bytes(whole[:-20])
    cut = here.run("explain", "--replay", str(looks))

    assert "behind the log's end" in told
    assert "Fact: commit-outside-the-log-resets" in told
    assert again.stdout == told
    assert (again.returncode, again.stderr) == (0, "")
    number = whole.count(b"\n")
    assert f"1 line holds no look, from line {number} on" in cut.stderr
    assert cut.returncode == 0
    assert "behind the log's end" in cut.stdout


def test_no_file_is_written_over(here: Site) -> None:
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 0})
    looks = here.folder / f"{group}.jsonl"
    looks.write_text("mine")

    assert "it is there already" in here.refused(
        "explain", group, "--for=0", "--record", str(looks), code=2
    )
    assert looks.read_text() == "mine"
    nowhere = here.folder / "no" / "such"
    assert "No such file" in here.refused(
        "explain", group, "--for=0", "--record", str(nowhere), code=2
    )


@pytest.mark.parametrize("name", ["nobody", "a/b", "x" * 300])
def test_an_unknown_group_is_one_line_and_no_file(here: Site, name: str) -> None:
    looks = here.folder / f"{here.name('unknown')}.jsonl"

    assert "no consumer group" in here.refused("explain", name, "--record", str(looks))
    assert not looks.exists()


@pytest.mark.parametrize(
    "arguments",
    [(), ("a", "--replay", "b"), ("a", "--for", "-1"), ("a", "--every", "0"), ("a", "--for", "x")],
)
def test_bad_usage(here: Site, arguments: tuple[str, ...]) -> None:
    assert here.run("explain", *arguments).returncode == 2


@pytest.mark.parametrize("columns", [40, 80])
def test_it_fits_its_terminal_and_ctrl_c_tells_what_was_seen(here: Site, columns: int) -> None:
    topic, group = here.topic(), here.name("group")
    here.commit(group, {(topic, 0): 50})
    with screen(
        [*KAFKALAB, "explain", group, "--for", "600", "--every", "0.2"],
        here.folder,
        columns=columns,
        environment=here.environment_without("COLUMNS"),
    ) as at:
        at.see("looked 4 times")
        at.press(CTRL_C)
        assert at.end() == 130
        shown = " ".join(" ".join(at.whole).split())
        widest = max(len(line) for line in at.sent if "to go" not in line)

    assert "The group is empty" in shown
    assert "Traceback" not in shown
    assert "s to go" not in shown, "the line that moves is gone"
    # What is to be copied is never broken.
    assert widest <= max(columns, len("  kafkalab learn offsets-expire"))


@pytest.mark.parametrize("command", ["lag", "explain --for 1 --every 0.2"])
def test_a_reader_that_leaves_is_no_error(here: Site, command: str) -> None:
    topic, group = here.topic(800), here.name("group")
    here.commit(group, {(topic, partition): 50 for partition in range(800)})
    done = subprocess.run(
        [
            *("bash", "-c", f'"$@" {command} "$0" | head -1; exit ${{PIPESTATUS[0]}}', group),
            *KAFKALAB,
        ],
        env=here.environment,
        cwd=here.folder,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    # What fits the pipe may be written before its reader has left.
    assert done.returncode in (0, 141), done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(group)


def test_a_broker_that_goes_is_one_line(fragile: Site) -> None:
    """What was seen so far is in the file, in whole lines."""
    topic, group = fragile.topic(), fragile.name("group")
    fragile.commit(group, {(topic, 0): 0})
    looks = fragile.folder / "looks.jsonl"
    looking = fragile.started("explain", group, "--for=600", "--every=0.2", "--record", str(looks))
    wait_until(
        lambda: looks.exists() and looks.read_bytes().count(b"\n") > 4,
        limit=LIMIT,
        what="looks in the file",
    )

    for pid in fragile.pids:
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    out, told = looking.communicate(timeout=LIMIT)

    assert (looking.returncode, out) == (1, ""), told
    assert len(told.splitlines()) == 1, told
    assert time.monotonic() - began < 30
    assert read(looks).broken == ()


# The file


def a_look(time: float, *partitions: Standing, members: tuple[SeenMember, ...] = ()) -> Look:
    """A look at a stable group."""
    return Look(time, time, "STABLE", "CLASSIC", "range", members, partitions)


def stood(number: int, committed: int | None, end: int, lag: int | None = None) -> Standing:
    """A partition, whose log begins at 0."""
    left = end - committed if lag is None and committed is not None else lag
    return Standing("t", number, 0, end, end, committed, left, was_read=True, oldest=1.0)


def member(name: str, *partitions: int, instance: str = "") -> SeenMember:
    """A member, and what it owns."""
    return SeenMember(f"{name}-id", name, "/h", instance, tuple(("t", n) for n in partitions))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    looks = (a_look(1, stood(0, None, 5), members=(member("a", 0),)), a_look(2, stood(0, 3, 5)))
    with recording(tmp_path / "file", "a group") as write:
        for look in looks:
            write(look)

    kept = read(tmp_path / "file")

    assert (kept.group, kept.looks, kept.broken) == ("a group", looks, ())


HEADER = b'{"kafkalab":"looks at a group","version":1,"group":"g"}\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "no recording"),
        (b"\xff\xfe\x00", "no recording"),
        (b"{}\n", "no recording"),
        (b'{"kafkalab":"else","version":1,"group":"g"}\n', "no recording"),
        (HEADER.replace(b"1", b"2"), "of version 2"),
        (HEADER, "no look"),
        (HEADER + b"[]\nnull\n\xff\n{}\n", "no look"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_something_else_is_told(tmp_path: Path, text: bytes | None, told: str) -> None:
    path = tmp_path / "file"
    if text is not None:
        path.write_bytes(text)

    with pytest.raises(BadRecording, match=told) as error:
        read(path)
    assert "\n" not in str(error.value)


def test_broken_lines_are_left_out(tmp_path: Path) -> None:
    look = msgspec.json.encode(a_look(1, stood(0, 1, 5)))
    path = tmp_path / "file"
    path.write_bytes(HEADER + look + b"\n" + look[:-9] + b"\n\n" + look + b"\n")

    assert read(path).broken == (3, 4)
    assert len(read(path).looks) == 2


# What is found, as pure functions


def kinds(told: Explanation) -> list[str]:
    return [each.kind for each in told.findings]


def row(*lines: Callable[[float], Standing], seconds: int = 20) -> list[Look]:
    """A look each second, at a group of one member that owns all."""
    owner = member("a", *range(len(lines)))
    return [
        a_look(at, *(line(at) for line in lines), members=(owner,)) for at in range(seconds + 1)
    ]


def test_few_looks_tell_nothing() -> None:
    """And none at all neither."""
    for count in range(3):
        told = explain(row(lambda _: stood(0, 1, 9))[:count])

        assert (told.verdict, told.findings) == (UNTOLD, ())
        assert "3 are needed" in told.cannot_tell[0]


def test_a_commit_by_the_clock_is_healthy() -> None:
    """It stands for five seconds, and then jumps; meanwhile the lag grows."""
    told = explain(row(lambda at: stood(0, int(at // 5) * 500, int(at) * 100)))

    assert (told.verdict, kinds(told)) == (HEALTHY, [])


def test_a_silent_group_is_healthy_and_its_limits_are_told() -> None:
    told = explain(row(lambda _: stood(0, 9, 9)))

    assert (told.verdict, kinds(told)) == (HEALTHY, [])
    assert any("none came" in each for each in told.cannot_tell)


def test_a_commit_that_moves_now_and_then_does_not_stand_still() -> None:
    told = explain(row(lambda at: stood(0, int(at // 8), 100)))

    assert "stands-still" not in kinds(told)


def test_what_was_not_seen_is_not_said_to_stand_still() -> None:
    """What is left may be a marker: that cannot be told without reading it."""
    looks = row(lambda _: msgspec.structs.replace(stood(0, 1, 2), was_read=False, oldest=None))

    told = explain(looks)

    assert kinds(told) == []
    assert any("a record is left in t[0]" in each for each in told.cannot_tell)


def test_without_a_commit_it_stands_still_only_if_records_came() -> None:
    """A group that begins at the end has nothing to commit."""
    committed = lambda at: stood(0, int(at), int(at))  # noqa: E731 - a line of a table

    assert kinds(explain(row(committed, lambda _: stood(1, None, 5)))) == []
    assert kinds(explain(row(committed, lambda at: stood(1, None, 5 + int(at > 4))))) == [
        "stands-still"
    ]


def test_a_burst_makes_no_partition_hot() -> None:
    """Nor do few records; a key that comes again and again does."""
    other = lambda at: stood(1, int(at) * 10, int(at) * 10)  # noqa: E731 - a line of a table

    def both(count: Callable[[float], int]) -> list[str]:
        return kinds(explain(row(lambda at: stood(0, count(at), count(at)), other)))

    assert both(lambda at: 1000 if at > 9 else 0) == []
    assert both(lambda at: int(at) * 25) == []
    assert both(lambda at: int(at) * 30) == ["hot"]


def test_a_static_member_that_restarts_is_no_change() -> None:
    """It has another id, and the same name."""
    looks = [
        a_look(at, stood(0, 1, 1), members=(SeenMember(f"{at}", "a", "/h", "it", (("t", 0),)),))
        for at in range(20)
    ]

    assert explain(looks).verdict == HEALTHY


def test_transactions_one_after_the_other_hold_nobody_back() -> None:
    """One is open at each look, and it is never the same."""
    told = explain(
        row(lambda at: Standing("t", 0, 0, int(at), int(at) + 5, int(at), 0), seconds=20)
    )

    assert (told.verdict, kinds(told)) == (HEALTHY, [])


def test_a_group_in_a_rebalance_is_not_called_healthy() -> None:
    """Who owns what is not known then."""
    looks = row(lambda at: stood(0, int(at), int(at)))
    looks[-1] = msgspec.structs.replace(looks[-1], state="PREPARING_REBALANCING")

    told = explain(looks)

    assert (told.verdict, kinds(told)) == (UNTOLD, [])
    assert any("preparing rebalancing" in each for each in told.cannot_tell)


def test_a_log_that_nobody_tells_of_is_not_healthy() -> None:
    silent = Standing("t", 0, None, None, None, 5, None)

    told = explain(row(lambda _: silent))

    assert told.verdict == UNTOLD
    assert any("did not answer" in each for each in told.cannot_tell)


def test_many_partitions_are_named_by_number() -> None:
    told = explain(row(*(lambda _, n=n: stood(n, 1, 9) for n in range(40))))  # type: ignore[misc]

    (found,) = told.findings
    assert "t[0], t[1], t[2], t[3], t[4] and 35 more stand still" in found.says


def named_findings() -> list[tuple[str, str]]:
    """Kind and slug of each finding that explain.py can make, read from its text."""
    tree = ast.parse(Path(checks.__file__).read_text("utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
            kind, _, fact, _ = node.args
            assert isinstance(kind, ast.Constant)
            assert isinstance(fact, ast.Constant)
            found.append((str(kind.value), str(fact.value)))
    return found


def test_each_slug_that_is_named_is_a_fact(repository: Path) -> None:
    """In the field for it, in the words of what to look at next, and in the docs."""
    known = load(None).stated_facts

    assert {slug for _, slug in named_findings()} <= known.keys()
    assert {"static-membership", "nobody-checks-ownership"} <= known.keys()
    page = (repository / "docs" / "groups.md").read_text("utf-8")
    assert {slug for _, slug in named_findings()} <= set(re.findall("`([a-z0-9-]+)`", page))


def test_each_finding_is_made_on_a_real_broker() -> None:
    """None is forgotten above."""
    tests = Path(__file__).read_text("utf-8").split("# The command\n")[0]

    for kind, _ in named_findings():
        assert f'"{kind}"' in tests, kind
