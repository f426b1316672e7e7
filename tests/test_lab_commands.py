"""topics, produce, distribution, consume, deliver and group watch, as a user calls them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from group_site import KAFKALAB, LIMIT, Site, site
from screens import CTRL_C, SEQUENCE, screen
from test_live import Place

from kafkalab.brokers import Termination
from kafkalab.observe.groups import EAGER, describe_group
from kafkalab.observe.records import Record, end_transaction, init_transactions
from kafkalab.tasks.partition_log import from_json

ROOT = Path(__file__).parent.parent

KCAT = shutil.which("kcat")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("commands")) as made:
        yield made


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Site]:
    """A broker of the test's own, to be killed."""
    with site(tmp_path) as made:
        yield made


def given(here: Site, text: str | bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A command that has read a text from standard input."""
    return subprocess.run(
        [*KAFKALAB, *arguments],
        cwd=here.folder,
        env=here.environment,
        input=text.encode("utf-8") if isinstance(text, str) else text,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )


def rows_of(printed: str) -> list[dict[str, object]]:
    """The objects of a text with one in each line."""
    return [json.loads(line) for line in printed.splitlines()]


# README's tour


def test_the_tour_of_readme_does_what_it_says(tmp_path: Path) -> None:
    """Each command of it, in its order, on a lab that `up` has started."""
    page = (ROOT / "README.md").read_text("utf-8")
    tour = page[page.index("## A Kafka that stays") : page.index("## Which Kafka")]
    commands = [
        each.split("  #")[0].strip() for each in re.findall(r"^\$ (.+)$", tour, re.MULTILINE)
    ]
    commands.sort(key="kafkalab down".__eq__)
    assert len(commands) == 13, "each is looked for below"
    place = Place(tmp_path)
    try:
        said = {}
        for command in commands:
            words = shlex.join(KAFKALAB)
            done = place.run("bash", "-c", re.sub(r"\bkafkalab\b", words, command, count=1))
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
            said[command] = done.stdout
    finally:
        place.run(*KAFKALAB, "down")
    printed = list(said.values())
    for text, looked_for in zip(
        printed,
        (
            "orders: created, 6 partitions",
            "up, started",
            "min.insync.replicas=1",
            "20 records acknowledged",
            "20 records, counted by reading them",
            'key="order-100',
            "2 records acknowledged",
            "3 members, stable after",
            "Lag in total",
            "demo at",
            "at-least-once  before-commit     0         1  yes",
            "user-events",
            "It is down",
        ),
        strict=True,
    ):
        assert looked_for in text, text


# topics


def test_topics_are_created_shown_listed_and_deleted(here: Site) -> None:
    """What is there is left as it is, and what differs is told."""
    name = here.name("clicks")

    made = here.kafkalab(
        "topics", "create", name, "--partitions", "3", "--setting", "retention.ms=60000"
    )
    again = here.kafkalab("topics", "create", name, "--partitions", "5")

    assert made == f"{name}: created, 3 partitions\n"
    assert "drifted, and left as it is: partitions is 3, defined is 5" in " ".join(again.split())
    shown = json.loads(here.kafkalab("topics", "show", name, "--json"))
    assert [each["id"] for each in shown[0]["partitions"]] == [0, 1, 2]
    assert shown[0]["settings"] == {"retention.ms": "60000"}
    assert "retention.ms=60000" in here.kafkalab("topics", "show", name)
    assert f"{name}  3 partitions  retention.ms=60000\n" in here.kafkalab("topics", "list")
    assert "__" not in here.kafkalab("topics", "list")
    assert here.kafkalab("topics", "delete", name, "--yes") == f"{name}: deleted\n"
    assert name not in here.kafkalab("topics", "list")


def test_a_deletion_asks_first(here: Site) -> None:
    """No is the default, also where nobody answers."""
    name = here.topic()

    done = given(here, "\n", "topics", "delete", name)

    assert done.returncode == 1
    assert name in here.kafkalab("topics", "list")


def test_a_dry_run_does_nothing(here: Site, tmp_path: Path) -> None:
    """It tells of each topic of a file what would be done; then the same is done."""
    missing, there = here.name("missing"), here.topic(2)
    file = tmp_path / "topics.toml"
    file.write_text(
        f'[{missing}]\npartitions = 3\n[{missing}.settings]\n"retention.ms" = 1000\n'
        f"[{there}]\npartitions = 4\n",
        "utf-8",
    )
    command = ("topics", "provision", "--file", str(file))

    told = here.kafkalab(*command, "--dry-run")
    grown = here.kafkalab(*command, "--dry-run", "--grow")

    assert missing not in here.kafkalab("topics", "list")
    assert f"{missing}: would be created, 3 partitions" in told
    assert f"{there}: drifted, and left as it is: partitions is 2, defined is 4" in told
    assert f"{there}: would be grown, 4 partitions" in grown
    done = here.kafkalab(*command, "--grow")
    assert f"{missing}: created, 3 partitions" in done
    assert f"{there}: grown, 4 partitions" in done


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "defines no topic"),
        ("[a", "--file"),
        ("a = 3", "is no table"),
        ("[a]\npartition = 3", "has partition"),
        ("[a]\npartitions = 0", "has no partitions"),
        ("[a]\npartitions = 'x'", "--file"),
        ("[a]\nsettings = 3", "--file"),
    ],
)
def test_a_file_of_topics_that_means_nothing_is_one_line(
    here: Site, tmp_path: Path, text: str, said: str
) -> None:
    """Nothing is done then."""
    file = tmp_path / "topics.toml"
    file.write_text(text, "utf-8")

    assert said in here.refused("topics", "provision", "--file", str(file), code=2)


@pytest.mark.parametrize(
    ("name", "said"),
    [("a/b", "Topic name is invalid"), ("x" * 300, "longer than"), ("..", "Topic name is invalid")],
)
def test_a_name_that_no_topic_can_have_is_told(here: Site, name: str, said: str) -> None:
    """As Kafka tells it; to show it says that there is none."""
    done = here.run("topics", "create", name)

    assert done.returncode == 1
    assert said in " ".join(done.stdout.split())
    assert "no topic can have that name" in here.refused("topics", "show", name)


def test_how_many_partitions_there_can_be(here: Site) -> None:
    """None is a slip, and a million is refused in a line."""
    name = here.name("big")
    none = here.run("topics", "create", name, "--partitions", "0")

    assert none.returncode == 2
    assert "greater than or equal to 1" in none.stderr
    assert "100000" in here.refused("topics", "create", name, "--partitions", "1000000", code=2)
    assert name not in here.kafkalab("topics", "list")


# produce and consume


def test_produce_says_where_each_record_landed(here: Site) -> None:
    """And where both hashes put its key; the client's default is CRC32."""
    topic = here.topic(6)

    rows = rows_of(here.kafkalab("produce", topic, "--keys", "4", "--count", "12", "--json"))
    java = rows_of(
        here.kafkalab("produce", topic, "--partitioner", "murmur2_random", "--count", "9", "--json")
    )

    assert len(rows) == 12
    assert all(row["partition"] == row["crc32"] for row in rows)
    assert any(row["crc32"] != row["murmur2"] for row in rows), "they are two hashes"
    assert all(row["partition"] == row["murmur2"] for row in java)
    table = here.kafkalab("produce", topic, "--count", "3")
    assert re.search(r"user-\d +=\d +[= ]\d  partition \d @\d+", table), table
    assert "3 records acknowledged; by partition" in table


def test_lines_become_records(here: Site) -> None:
    """With a key or without one, binary, empty or deleted; consume shows them as they are."""
    topic = here.topic()
    lines = b"anna:1\nno key\n:x\nben:\n\xff\x00:\xfe\nlast:2"

    done = given(here, lines, "produce", topic, "--lines", "-K", ":", "--tombstones")

    assert done.returncode == 0, done.stderr
    read = [from_json(line) for line in here.kafkalab("consume", topic, "--json").splitlines()]
    assert [(each.key, each.value) for each in read] == [
        (b"anna", b"1"),
        (None, b"no key"),
        (b"", b"x"),
        (b"ben", None),
        (b"\xff\x00", b"\xfe"),
        (b"last", b"2"),
    ]
    assert [each.offset for each in read] == list(range(6))


@pytest.mark.parametrize("more", [(), ("--rate", "50")], ids=["at once", "at a rate"])
def test_lines_are_sent_as_they_come(here: Site, more: tuple[str, ...]) -> None:
    """Whoever types one, or pipes a log that goes on, waits neither for the end nor for more."""
    topic = here.topic()
    with subprocess.Popen(
        [*KAFKALAB, "produce", topic, "--lines", "--json", *more],
        cwd=here.folder,
        env=here.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(2):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            row = json.loads(process.stdout.readline())
            assert row["offset"] == number
        process.stdin.close()
        assert process.wait(LIMIT) == 0


def test_a_closed_standard_input_is_one_line(here: Site) -> None:
    """There is nothing that lines could come from."""
    topic, words = here.topic(), shlex.join(KAFKALAB)
    done = subprocess.run(
        ["bash", "-c", f"{words} produce {topic} --lines <&-"],
        cwd=here.folder,
        env=here.environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "standard input is closed" in line


def test_a_rate_is_kept(here: Site) -> None:
    """Ten records at five a second take about two seconds."""
    topic = here.topic()

    rows = rows_of(here.kafkalab("produce", topic, "--count", "10", "--rate", "5", "--json"))
    read = rows_of(here.kafkalab("consume", topic, "--json"))

    assert len(rows) == 10
    times = sorted(float(str(row["timestamp_ms"])) for row in read)
    assert 1.5 <= (times[-1] - times[0]) / 1000 <= 10, "the last one is due after 1.8 s"


def test_a_record_that_is_refused_is_told(here: Site) -> None:
    """The others are sent; the exit code is 1, and one line says why."""
    topic = here.topic()
    lines = b"small\n" + b"x" * 2_000_000 + b"\nsmall too\n"

    done = given(here, lines, "produce", topic, "--lines")

    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "1 of them failed" in line
    assert "Message size too large" in line
    assert len(here.kafkalab("consume", topic).splitlines()) == 2


def test_where_consume_begins(here: Site) -> None:
    """At the oldest, so many offsets before the end, at an offset, or at a time."""
    topic = here.topic(2)
    for partition in range(2):
        here.write(topic, [Record(b"%d" % each) for each in range(5)], partition)

    def offsets(*arguments: str) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {0: [], 1: []}
        for row in rows_of(here.kafkalab("consume", topic, "--json", *arguments)):
            found[int(str(row["partition"]))].append(int(str(row["offset"])))
        return found

    assert offsets() == {0: [0, 1, 2, 3, 4], 1: [0, 1, 2, 3, 4]}
    assert offsets("--from", "newest-2") == {0: [3, 4], 1: [3, 4]}
    assert offsets("--from", "4", "--partition", "1") == {0: [], 1: [4]}
    assert offsets("--from", "newest") == {0: [], 1: []}
    assert offsets("--at", "1h") == offsets()
    assert offsets("--at", "2999-01-01") == {0: [], 1: []}
    assert sum(map(len, offsets("--max", "3").values())) == 3


def test_an_aborted_record_is_shown_when_asked_for(here: Site) -> None:
    """By default what a transaction took back is not shown; the offsets have a gap."""
    topic = here.topic()
    producer = Producer({**here.client, "transactional.id": here.name("id")})
    init_transactions(producer)
    producer.begin_transaction()
    producer.produce(topic, b"taken back")
    # Else it would be taken back before it was sent.
    producer.flush(LIMIT)
    end_transaction(producer, ends_well=False)
    here.write(topic, [b"stays"])

    assert len(here.kafkalab("consume", topic).splitlines()) == 1
    assert len(here.kafkalab("consume", topic, "--uncommitted").splitlines()) == 2
    counted = json.loads(here.kafkalab("distribution", topic, "--json"))
    assert counted["records"] == 1, "the end less the start would say 3"


def test_following_shows_what_comes(here: Site) -> None:
    """Until Ctrl-C, which ends it at once with 130; in a terminal each partition has a colour."""
    topic = here.topic(2)
    here.write(topic, [b"first"], 1)
    with screen(
        [*KAFKALAB, "consume", topic, "--follow"],
        here.folder,
        columns=200,
        environment=here.environment_without("COLUMNS"),
    ) as terminal:
        terminal.see('value="first"')
        here.write(topic, [b"second"], 0)
        terminal.see('value="second"')
        terminal.press(CTRL_C)
        assert terminal.end() == 130
    colours = [line[:5] for line in terminal.received.split("\r\n") if "value=" in line]
    assert len(set(colours)) == 2, colours


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_no_colours_where_nobody_wants_them(here: Site, variable: str) -> None:
    """By NO_COLOR, or in a terminal that knows none."""
    topic = here.topic()
    here.write(topic, [b"x"])
    value = {"NO_COLOR": "1", "TERM": "dumb"}[variable]
    environment = {**here.environment_without("COLUMNS", "NO_COLOR"), variable: value}

    with screen(
        [*KAFKALAB, "consume", topic], here.folder, columns=200, environment=environment
    ) as terminal:
        assert terminal.end() == 0

    assert not re.search(r"\x1b\[\d\dm", terminal.received), terminal.received


def test_a_member_moves_partitions_and_commits_what_it_showed(here: Site) -> None:
    """It says so on stderr; who looks without --group is no member, and commits nothing."""
    topic, group = here.topic(2), here.name("group")
    here.write(topic, [b"a", b"b", b"c"])

    looked = here.run("consume", topic)
    joined = here.run("consume", topic, "--group", group, "--max", "2")

    assert looked.stderr == ""
    assert joined.returncode == 0, joined.stderr
    assert "You are a member" in joined.stderr
    assert "partitions move to you" in joined.stderr
    assert len(joined.stdout.splitlines()) == 2
    lag = here.json("lag", group)
    assert lag["lag"] == 1, "what was shown is committed"


@pytest.mark.skipif(KCAT is None, reason="needs kcat")
def test_another_client_agrees(here: Site) -> None:
    """kcat reads what produce wrote, and consume shows what kcat wrote."""
    topic = here.topic(3)
    given(here, "anna:1\nben:2\n", "produce", topic, "--lines", "-K", ":")
    kcat = [str(KCAT), "-b", here.broker.bootstrap, "-t", topic]

    read = subprocess.run(
        [*kcat, "-C", "-e", "-q", "-f", "%p %o %k %s\n"],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    ).stdout
    subprocess.run(
        [*kcat, "-P", "-K", ":", "-p", "2"], input=b"carl:3\n", timeout=LIMIT, check=True
    )

    shown = [from_json(line) for line in here.kafkalab("consume", topic, "--json").splitlines()]
    ours = {f"{e.partition} {e.offset} {e.key.decode()} {e.value.decode()}" for e in shown}  # type: ignore[union-attr]
    theirs = set(read.splitlines())
    assert len(theirs) == 2
    assert theirs < ours
    (carl,) = (each for each in shown if each.key == b"carl")
    assert (carl.partition, carl.value) == (2, b"3")


# deliver and group watch


def test_deliver_tells_what_became_of_the_records(here: Site) -> None:
    """As the strategies promise; nothing of it is left."""
    topics = set(AdminClient(here.client).list_topics(timeout=LIMIT).topics)

    rows = {
        (row["strategy"], row["failure"]): row
        for row in json.loads(here.kafkalab("deliver", "--json"))
    }

    assert len(rows) == 19
    for (strategy, failure), row in rows.items():
        lost, repeated = row["lost"], row["repeated"]
        if strategy == "at-most-once":
            assert repeated == 0, (failure, row)
        if strategy in ("at-least-once", "exactly-once"):
            assert lost == 0, (strategy, failure, row)
        if strategy == "exactly-once":
            assert repeated == 0, (failure, row)
    assert rows["at-most-once", "after-commit"]["lost"] == 1
    assert rows["at-least-once", "before-commit"]["repeated"] == 1
    assert rows["auto-commit", "clock-commits"]["lost"] == 1
    left = set(AdminClient(here.client).list_topics(timeout=LIMIT).topics) - topics
    assert left <= {"__consumer_offsets", "__transaction_state"}


def test_a_strategy_and_a_failure_that_do_not_meet_are_told(here: Site) -> None:
    """With those that do."""
    told = here.refused("deliver", "auto-commit", "--fail", "before-commit", code=2)
    assert "clock-commits" in told
    assert "at-least-once" in here.refused("deliver", "sometimes", code=2)
    assert "too-slow" in here.refused("deliver", "--fail", "never", code=2)


@pytest.mark.parametrize("protocol", ["eager", "cooperative", "kip-848"])
def test_a_scenario_draws_who_owned_what(here: Site, protocol: str) -> None:
    """Each part becomes stable with so many owners, and the group is empty afterwards."""
    topic, group = here.topic(4), here.name("group")

    printed = here.kafkalab(
        *("group", "watch", group, "--topic", topic, "--consumers", "1,2,1"),
        *("--step", "1", "--protocol", protocol),
    )

    assert re.search(r"1 member, stable after [\d.]+ s: A 0, 1, 2, 3\n", printed), printed
    assert re.search(r"2 members, stable after [\d.]+ s: A \d, \d; B \d, \d\n", printed), printed
    drawn = re.findall(rf"^{topic}-\d ([AB.]+)  \d+ ms$", printed, re.MULTILINE)
    assert len(drawn) == 4
    assert all("A" in each for each in drawn)
    assert sum("B" in each for each in drawn) == 2, "half of them moved"
    assert describe_group(here.admin, group).assignments == ()


def test_a_scenario_leaves_a_group_of_others_alone(here: Site) -> None:
    """Members of ours would take partitions from theirs."""
    topic = here.topic(2)
    with here.group(EAGER, topic, partitions=2) as theirs:
        theirs.add()
        theirs.wait_for_stable()
        told = here.refused(
            "group", "watch", theirs.id, "--topic", topic, "--consumers", "1", "--step", "1"
        )
    assert "members that are not ours" in told


def test_watching_shows_who_owns_what(here: Site) -> None:
    """In a terminal one table, redrawn; it ends by Ctrl-C with 130, and nobody has noticed."""
    topic = here.topic(2)
    with here.group(EAGER, topic, partitions=2) as group:
        group.add()
        group.wait_for_stable()
        with screen(
            [*KAFKALAB, "group", "watch", group.id],
            here.folder,
            environment=here.environment_without("COLUMNS"),
        ) as terminal:
            terminal.see("stable", f"{topic}-0 member-1", f"{topic}-1 member-1")
            group.add()
            terminal.see("member-2")
            terminal.press(CTRL_C)
            assert terminal.end() == 130
        assert len(describe_group(here.admin, group.id).assignments) == 2
    assert not any("\x1b" in SEQUENCE.sub("", line) for line in terminal.sent)


# What goes wrong


@pytest.mark.parametrize(
    "command",
    [
        ("topics", "show", "nope"),
        ("topics", "delete", "nope", "--yes"),
        ("produce", "nope"),
        ("consume", "nope"),
        ("consume", "x" * 300),
        ("consume", "a/b"),
        ("distribution", "nope"),
        ("group", "watch", "demo", "--topic", "nope", "--consumers", "1"),
        ("group", "watch", "nope"),
    ],
    ids=" ".join,
)
def test_what_is_not_there_is_one_line(here: Site, command: tuple[str, ...]) -> None:
    """With exit code 1, at once."""
    assert "There is no" in here.refused(*command)


@pytest.mark.parametrize(
    "command",
    [
        ("consume", "orders", "--from", "yesterday"),
        ("consume", "orders", "--from", "oldest-3"),
        ("consume", "orders", "--at", "soon"),
        ("consume", "orders", "--at", "1m", "--from", "newest"),
        ("consume", "orders", "--group", "g", "--partition", "1"),
        ("produce", "--partitioner", "mine"),
        ("produce", "--lines", "--tombstones"),
        ("produce", "--lines", "-K", "\\x"),
        ("topics", "create", "x", "--setting", "retention.ms"),
        ("group", "watch", "demo", "--consumers", "1,0"),
        ("group", "watch", "demo", "--consumers", "many"),
        ("group", "watch", "demo", "--consumers", "1", "--protocol", "lazy"),
    ],
    ids=" ".join,
)
def test_what_means_nothing_is_one_line(here: Site, command: tuple[str, ...]) -> None:
    """With exit code 2, before any Kafka is asked."""
    here.refused(*command, code=2)


def test_a_partition_that_is_not_there_is_told(here: Site) -> None:
    """With how many there are."""
    topic = here.topic(2)
    assert "it has 2, from 0 on" in here.refused("consume", topic, "--partition", "7")


@pytest.mark.parametrize(
    "command",
    [("topics", "list"), ("topics", "list", "--json"), ("consume", "{topic}", "--json")],
    ids=" ".join,
)
def test_who_reads_may_leave(here: Site, command: tuple[str, ...]) -> None:
    """As with `| head -1`: no word on stderr, and the exit code of SIGPIPE."""
    topic = here.topic()
    here.write(topic, [b"x" * 1000] * 500)
    words = [each.format(topic=topic) for each in command]
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*KAFKALAB, *words],
        cwd=here.folder,
        env=here.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=LIMIT,
        check=False,
    )

    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("command", [("consume", "--follow"), ("produce", "--rate", "2")])
def test_a_broker_that_goes_is_one_line(fragile: Site, command: tuple[str, ...]) -> None:
    """Killed in the middle: no hang, no traceback."""
    topic = fragile.topic()
    fragile.write(topic, [b"x"])
    name, *rest = command
    count = [] if name == "consume" else ["--count", "1000", "--show"]
    with fragile.started(name, topic, *rest, *count) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        fragile.broker.kill(fragile.broker.node_ids[0], Termination.ABRUPT)
        try:
            assert process.wait(LIMIT) == 1
        except BaseException:
            process.kill()
            raise
        (line,) = process.stderr.read().splitlines()
    assert line.startswith("kafkalab: ")


def test_without_a_lab_each_says_how_to_get_one(tmp_path: Path) -> None:
    """And exits with 1."""
    place = Place(tmp_path)
    for command in (
        ("topics", "list"),
        ("produce",),
        ("consume", "orders"),
        ("distribution", "orders"),
        ("deliver",),
        ("group", "watch", "demo"),
        ("lag", "demo"),
        ("explain", "demo"),
    ):
        assert "`kafkalab up`" in place.refused(*command), command


def test_a_lab_of_another_version_is_told(tmp_path: Path) -> None:
    """Where one was asked for by the environment."""
    place = Place(tmp_path)
    place.up()
    try:
        place.environment["KAFKALAB_KAFKA_VERSION"] = "4.0"
        assert "is Kafka 4.4.0, not 4.0" in place.refused("topics", "list")
    finally:
        del place.environment["KAFKALAB_KAFKA_VERSION"]
        place.kafkalab("down")


def test_each_help_has_an_example(here: Site) -> None:
    """Of each command that works on a lab."""
    for command in (
        ("up",),
        ("down",),
        ("ps",),
        *(("topics", each) for each in ("list", "show", "create", "delete", "provision")),
        ("produce",),
        ("consume",),
        ("distribution",),
        ("deliver",),
        ("group", "watch"),
        ("lag",),
        ("explain",),
    ):
        assert "kafkalab " + " ".join(command) in " ".join(
            here.kafkalab(*command, "--help").replace("│", "").split()
        ), command


def test_the_shell_completes_commands(here: Site) -> None:
    """What typer makes of them, for bash."""
    completed = here.run(
        _KAFKALAB_COMPLETE="complete_bash", COMP_WORDS="kafkalab to", COMP_CWORD="1"
    )
    assert "topics" in completed.stdout.split()
