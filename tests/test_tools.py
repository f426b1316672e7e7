"""Kafka's own tools run as they are, on the lab that is up or the cluster that is named."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from screens import CTRL_C, screen
from test_live import KAFKALAB, LIMIT, Place

from kafkalab.brokers.distribution import find_java, pinned_versions
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import JarMismatch
from kafkalab.brokers.tools import TOOLS, ToolDistribution, Tools
from kafkalab.cli.setup import Bar
from kafkalab.config import KAFKA_VERSION, Settings
from kafkalab.kafka_tools import Target, _needs_no_cluster, completed
from kafkalab.tasks.rebalance import lag
from kafkalab.tasks.topics import describe

CACHE = Settings.from_environment().cache


def tools_of(cache: Path, version: str = KAFKA_VERSION) -> Tools:
    """The tools of a cache folder."""
    return Tools(ToolDistribution(cache, find_java(), version))


class ToolPlace(Place):
    """A folder to call Kafka's tools in."""

    def __init__(self, folder: Path) -> None:
        """The tools are prepared in the user's cache folder, once."""
        super().__init__(folder)
        tools = tools_of(CACHE)
        if not tools.is_there:
            with Bar() as bar:
                tools.prepare(bar)
        (self.cache / "tools").symlink_to(CACHE / "tools")

    def tool(
        self, name: str, *arguments: str, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A tool that has ended, with all that it printed.

        Args:
            name: of the tool.
            arguments: for it.
            text: what it reads from stdin; None: nothing.
        """
        return subprocess.run(
            [*KAFKALAB, name, *arguments],
            cwd=self.folder,
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def said(self, name: str, *arguments: str, text: str | None = None) -> list[str]:
        """The lines of a tool that ended well, and said nothing beside."""
        done = self.tool(name, *arguments, text=text)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToolPlace]:
    """A lab that is up, for all tests here: each has topics and groups of its own."""
    made = ToolPlace(tmp_path_factory.mktemp("lab"))
    try:
        made.up()
        yield made
    finally:
        made.close()


@pytest.fixture
def no_lab(tmp_path: Path) -> ToolPlace:
    """A folder to call commands in; no lab is up."""
    return ToolPlace(tmp_path)


def filled(lab: ToolPlace, topic: str, partitions: int = 2, records: int = 6) -> None:
    """Create a topic, with so many records in turn in its partitions."""
    admin = AdminClient(lab.client)
    admin.create_topics([NewTopic(topic, partitions)], operation_timeout=LIMIT)[topic].result()
    producer = Producer(lab.client)
    for number in range(records):
        producer.produce(topic, str(number), partition=number % partitions)
    assert producer.flush(LIMIT) == 0


# Which tools there are


@pytest.mark.parametrize("version", pinned_versions())
def test_each_tool_is_in_the_jars_of_each_version(version: str) -> None:
    """Each class that the table names is there, and has a main method; no Connect, no Streams."""
    distribution = ToolDistribution(CACHE, find_java(), version)
    with Bar() as bar:
        distribution.fetch(bar)
    classes: set[str] = set()
    for path in distribution.jar_files:
        with zipfile.ZipFile(path) as jar:
            classes.update(jar.namelist())

    mains = {name: tool.main(version) for name, tool in TOOLS.items() if tool.main(version)}
    missing = {
        n: main for n, main in mains.items() if f"{main.replace('.', '/')}.class" not in classes
    }

    assert not missing
    assert len(mains) >= 29
    names = [jar.file_name for jar in distribution.jars]
    assert not [each for each in names if "connect" in each or "kafka-streams" in each]


@pytest.mark.slow
@pytest.mark.parametrize("version", pinned_versions())
@pytest.mark.parametrize("name", TOOLS)
def test_options_are_those_of_the_version(name: str, version: str) -> None:
    """What is added is an option that this version's tool knows: its own help says so."""
    tool, target = TOOLS[name], Target("one:1", Path("client.properties"), version)
    if not tool.main(version):
        pytest.skip(f"Kafka {version} has no {name}")
    if _needs_no_cluster(tool, ["--x"], version) or name == "kafka-e2e-latency":
        pytest.skip("it works on no cluster, or has no help")
    first = ["cluster-id"] if tool.has_commands else []
    distribution = ToolDistribution(CACHE, find_java(), version)
    with Bar() as bar:
        distribution.fetch(bar)
    answer = subprocess.run(
        distribution.command(tool.main(version), *first, "--help", flags=[]),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    added = [each for each in completed(tool, first, target, version) if each.startswith("--")]

    printed = answer.stdout + answer.stderr
    assert [each for each in added if each not in printed] == [], printed


def test_a_tool_that_a_version_does_not_have_is_named(no_lab: ToolPlace) -> None:
    """One line, with the versions that have it."""
    no_lab.environment["KAFKALAB_KAFKA_VERSION"] = "4.0"

    line = no_lab.refused("kafka-streams-groups", "--help")

    assert "Kafka 4.0.2 has no kafka-streams-groups" in line
    assert "4.1.2, 4.2.2, 4.3.1, 4.4.0" in line


def test_what_is_no_tool_is_an_unknown_command(no_lab: ToolPlace) -> None:
    done = no_lab.tool("kafka-nonsense")

    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_the_help_names_them(no_lab: ToolPlace) -> None:
    shown = " ".join(no_lab.kafkalab("--help").split())

    assert all(name in shown for name in TOOLS)


# What is added to a tool's arguments

WITH_FILE = Target("one:1", Path("my client.properties"), KAFKA_VERSION)
LAB = Target("one:1", None, KAFKA_VERSION)


def test_what_is_left_out_is_added() -> None:
    """The servers, and the file of a cluster that needs one; nothing else is touched."""
    topics = TOOLS["kafka-topics"]

    assert completed(topics, ["--list"], LAB, "4.4.0") == ["--bootstrap-server", "one:1", "--list"]
    assert completed(topics, ["--list"], WITH_FILE, "4.4.0") == [
        *("--bootstrap-server", "one:1"),
        *("--command-config", "my client.properties"),
        "--list",
    ]
    given = ["--list", "--command-config=theirs"]
    assert completed(topics, given, WITH_FILE, "4.4.0") == ["--bootstrap-server", "one:1", *given]


@pytest.mark.parametrize(
    ("name", "version", "option"),
    [
        ("kafka-console-producer", "4.1.2", "--producer.config"),
        ("kafka-console-producer", "4.2.2", "--command-config"),
        ("kafka-verifiable-consumer", "4.0.2", "--consumer.config"),
        ("kafka-leader-election", "4.1.2", "--admin.config"),
        ("kafka-cluster", "4.1.2", "--config"),
    ],
)
def test_the_file_of_properties_goes_by_the_name_of_the_version(
    name: str, version: str, option: str
) -> None:
    assert option in completed(TOOLS[name], ["x"], WITH_FILE, version)


def test_words_that_are_commands_stay_first() -> None:
    """kafka-cluster takes options behind its command only."""
    whole = completed(TOOLS["kafka-cluster"], ["cluster-id"], LAB, "4.4.0")

    assert whole == ["cluster-id", "--bootstrap-server", "one:1"]


def test_producer_properties_get_the_servers_where_there_is_no_option_yet() -> None:
    """An option that is given twice counts once, so theirs is completed."""
    tool = TOOLS["kafka-producer-perf-test"]

    assert completed(tool, ["--topic", "t"], LAB, "4.0.2")[2:] == [
        "--producer-props",
        "bootstrap.servers=one:1",
    ]
    given = ["--producer-props", "acks=1", "--topic", "t"]
    assert completed(tool, given, LAB, "4.1.2")[:3] == [
        "--producer-props",
        "bootstrap.servers=one:1",
        "acks=1",
    ]
    assert completed(tool, given, LAB, "4.2.2") == ["--bootstrap-server", "one:1", *given]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("kafka-topics", ["--bootstrap-server", "other:1", "--list"]),
        ("kafka-topics", ["--bootstrap-server=other:1", "--list"]),
        ("kafka-topics", ["--bootstrap", "other:1", "--list"]),
        ("kafka-configs", ["--bootstrap-controller", "other:1", "--describe"]),
        ("kafka-cluster", ["cluster-id", "-b", "other:1"]),
        ("kafka-replica-verification", ["--broker-list", "other:1"]),
        ("kafka-producer-perf-test", ["--producer-props", "bootstrap.servers=other:1"]),
        ("kafka-topics", ["--help"]),
        ("kafka-topics", ["--version"]),
        ("kafka-dump-log", ["--files", "x"]),
        ("kafka-e2e-latency", ["other:1", "t", "10", "1", "100"]),
    ],
)
def test_nothing_is_added_to_what_is_told_or_needs_none(name: str, arguments: list[str]) -> None:
    assert _needs_no_cluster(TOOLS[name], arguments, "4.4.0")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("kafka-topics", ["--list"]),
        ("kafka-log-dirs", ["--describe", "--broker-list", "1"]),
        ("kafka-topics", []),
    ],
)
def test_servers_that_are_left_out_are_missed(name: str, arguments: list[str]) -> None:
    """A list of broker ids, as kafka-log-dirs has it, names no servers."""
    assert not _needs_no_cluster(TOOLS[name], arguments, "4.4.0")


# On a real lab


def test_topics_are_created_listed_and_described(lab: ToolPlace) -> None:
    """Nothing is printed beside what the tool says: no log."""
    lab.said("kafka-topics", "--create", "--topic", "tools-made", "--partitions", "3")

    assert "tools-made" in lab.said("kafka-topics", "--list")
    first, *partitions = lab.said("kafka-topics", "--describe", "--topic", "tools-made")
    assert "PartitionCount: 3" in first
    assert len(partitions) == 3


def test_lines_go_through_a_pipe_into_kafka_and_out_again(lab: ToolPlace) -> None:
    """Standard input and output are the tool's own; spaces and quotes in arguments stay."""
    filled(lab, "tools-lines", 1, 0)
    lines = ["a b:1", 'c "d":2', "e'f:3"]
    with_keys = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")

    lab.said(
        "kafka-console-producer", "--topic", "tools-lines", *with_keys, text="\n".join(lines) + "\n"
    )

    shown = lab.tool(
        "kafka-console-consumer",
        *("--topic", "tools-lines", "--from-beginning", "--max-messages", "3"),
        *("--formatter-property", "print.key=true", "--formatter-property", "key.separator= -> "),
    )
    assert shown.stdout.splitlines() == [line.replace(":", " -> ") for line in lines]
    assert shown.returncode == 0


def test_a_failing_tool_tells_its_own_error_and_exit_code(lab: ToolPlace) -> None:
    done = lab.tool("kafka-topics", "--describe", "--topic", "tools-not-there")

    assert done.returncode == 1
    assert "tools-not-there" in done.stdout + done.stderr


def test_ctrl_c_ends_a_console_consumer_as_it_does_at_work(lab: ToolPlace) -> None:
    """It tells how many messages it has processed, and nothing of it is left."""
    filled(lab, "tools-ctrl-c", 1, 3)
    command = [*KAFKALAB, "kafka-console-consumer", "--topic", "tools-ctrl-c", "--from-beginning"]
    with screen(command, lab.folder, environment=lab.environment) as at:
        at.see("0 1 2")
        at.press(CTRL_C)

        at.see("Processed a total of 3 messages")
        assert at.end() == 130
        assert "Traceback" not in at.received


def test_a_reader_that_leaves_ends_no_traceback(lab: ToolPlace) -> None:
    """`| head -1`, which shells teach."""
    command = " ".join([*KAFKALAB, "kafka-topics", "--list", "|", "head", "-1"])

    done = lab.run("bash", "-c", command)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_our_commands_and_kafkas_own_tools_agree(lab: ToolPlace) -> None:
    """About partitions and leaders, end offsets, commits and lag."""
    filled(lab, "tools-agree", 3, 20)
    member = Consumer({**lab.client, "group.id": "tools-agreeing", "enable.auto.commit": False})
    commits = [TopicPartition("tools-agree", 0, 2), TopicPartition("tools-agree", 1, 7)]
    member.commit(offsets=commits, asynchronous=False)
    member.close()

    (ours,) = describe(lab.client, ["tools-agree"])
    told = lab.said("kafka-topics", "--describe", "--topic", "tools-agree")
    leaders = [line.split("Leader: ")[1].split()[0] for line in told[1:]]
    assert [str(each.leader) for each in ours.partitions] == leaders

    rows = lag(lab.client, "tools-agreeing", ["tools-agree"])
    ends = lab.said("kafka-get-offsets", "--topic", "tools-agree")
    assert sorted(ends) == [f"tools-agree:{row.partition}:{row.end}" for row in rows]

    shown = lab.tool("kafka-consumer-groups", "--describe", "--group", "tools-agreeing").stdout
    theirs = {
        tuple(line.split()[1:6])
        for line in shown.splitlines()
        if line.startswith("tools-agreeing ")
    }
    assert theirs == {
        ("tools-agree", str(row.partition), str(row.committed), str(row.end), str(row.lag))
        for row in rows
        if row.committed is not None
    }


def test_group_offsets_and_records_are_what_the_other_tools_say(lab: ToolPlace) -> None:
    """A tool of argparse4j, one with a command, and one on the log's own files."""
    (quorum, *_) = lab.said("kafka-metadata-quorum", "describe", "--status")
    assert quorum.startswith("ClusterId:")
    assert lab.said("kafka-cluster", "cluster-id")[0].startswith("Cluster ID: ")
    filled(lab, "tools-files", 1, 5)
    log = next(lab.cache.glob("labs/*/nodes/node-1/data/tools-files-0/*.log"))
    assert sum("offset:" in line for line in lab.said("kafka-dump-log", "--files", str(log))) >= 1


def test_verifiable_clients_tell_in_json(lab: ToolPlace) -> None:
    filled(lab, "tools-verifiable", 1, 0)
    printed = lab.said(
        "kafka-verifiable-producer", "--topic", "tools-verifiable", "--max-messages=3"
    )

    sent = [row for row in map(json.loads, printed) if row["name"] == "producer_send_success"]
    assert [row["offset"] for row in sent] == [0, 1, 2]


def test_the_aot_cache_is_used(lab: ToolPlace) -> None:
    """With `-XX:AOTMode=on` the JVM ends where it cannot use it; the folder is another one here."""
    if not find_java().has_aot_cache:
        pytest.skip("this Java knows no AOT cache")
    lab.environment["KAFKA_OPTS"] = "-XX:AOTMode=on"
    try:
        assert "orders" in lab.said("kafka-topics", "--list")
    finally:
        del lab.environment["KAFKA_OPTS"]


def test_a_broken_aot_cache_is_no_hindrance(lab: ToolPlace) -> None:
    """The JVM goes on without it."""
    name = tools_of(CACHE).folder.name
    (lab.cache / "tools").unlink()
    broken = lab.cache / "tools" / name
    broken.mkdir(parents=True, mode=0o700)
    try:
        mark = (CACHE / "tools" / name / "tools.json").read_bytes()
        (broken / "tools.json").write_bytes(mark)
        (broken / "tools.aot").write_bytes(b"broken")

        assert "orders" in lab.said("kafka-topics", "--list")
    finally:
        for each in broken.iterdir():
            each.unlink()
        broken.rmdir()
        (lab.cache / "tools").rmdir()
        (lab.cache / "tools").symlink_to(CACHE / "tools")


def test_another_version_than_the_labs_is_refused(lab: ToolPlace) -> None:
    lab.environment["KAFKALAB_KAFKA_VERSION"] = "4.2"
    try:
        line = lab.refused("kafka-topics", "--list")
    finally:
        del lab.environment["KAFKALAB_KAFKA_VERSION"]

    assert "The lab that is up is Kafka 4.4.0, not 4.2" in line


def test_a_cluster_that_is_named_is_used(lab: ToolPlace, no_lab: ToolPlace) -> None:
    """By KAFKALAB_BOOTSTRAP, with no lab of one's own; or on the tool's own command line."""
    no_lab.environment["KAFKALAB_BOOTSTRAP"] = lab.bootstrap
    assert "orders" in no_lab.said("kafka-topics", "--list")

    del no_lab.environment["KAFKALAB_BOOTSTRAP"]
    assert "orders" in no_lab.said("kafka-topics", "--bootstrap-server", lab.bootstrap, "--list")


# Without a lab


def test_without_a_lab_it_says_what_to_do(no_lab: ToolPlace) -> None:
    line = no_lab.refused("kafka-topics", "--list")

    assert "No lab is up" in line
    assert "`kafkalab up`" in line
    assert no_lab.tool("kafka-topics", "--list").returncode == 1


def test_help_and_version_need_no_lab(no_lab: ToolPlace) -> None:
    """The help is the tool's own."""
    done = no_lab.tool("kafka-topics", "--help")
    assert "--delete-config" in done.stdout + done.stderr

    assert no_lab.said("kafka-topics", "--version")[0].startswith(KAFKA_VERSION)


def test_an_unknown_version_is_named(no_lab: ToolPlace) -> None:
    no_lab.environment["KAFKALAB_KAFKA_VERSION"] = "3.9"

    assert "There is no Kafka '3.9'" in no_lab.refused("kafka-topics", "--help")


def test_a_cluster_that_does_not_answer_is_one_line(no_lab: ToolPlace) -> None:
    no_lab.environment["KAFKALAB_BOOTSTRAP"] = "127.0.0.1:1"

    assert "127.0.0.1:1" in no_lab.refused("kafka-topics", "--list")


# Jars


def _cache_with_own_jars(folder: Path) -> Path:
    """A cache folder whose jars are links, so that one of them can be another's."""
    cache = folder / "own"
    (cache / "jars").mkdir(parents=True, mode=0o700)
    for path in tools_of(CACHE).distribution.jar_files:
        (cache / "jars" / path.name).symlink_to(path)
    for name in ("prepared", "tools"):
        (cache / name).symlink_to(CACHE / name)
    return cache


def test_a_broken_jar_is_never_started(no_lab: ToolPlace, tmp_path: Path) -> None:
    """The tools' own, as much as the broker's."""
    cache = _cache_with_own_jars(tmp_path)
    no_lab.environment["KAFKALAB_CACHE"] = str(cache)
    jar = cache / "jars" / f"kafka-tools-{KAFKA_VERSION}.jar"
    content = jar.read_bytes()
    jar.unlink()
    jar.write_bytes(content[:-1] + b"x")

    line = no_lab.refused("kafka-topics", "--help")

    assert f"{jar.name} has sha256" in line
    assert f"delete {jar}" in line
    with pytest.raises(JarMismatch):
        tools_of(cache).distribution.verify()


def test_what_is_cached_needs_no_network(no_lab: ToolPlace) -> None:
    """No proxy that could be asked answers."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        no_lab.environment[name] = "http://127.0.0.1:1"

    assert no_lab.said("kafka-topics", "--version")


def test_without_a_network_a_missing_jar_is_one_line(no_lab: ToolPlace, tmp_path: Path) -> None:
    cache = _cache_with_own_jars(tmp_path)
    (cache / "jars" / f"kafka-tools-{KAFKA_VERSION}.jar").unlink()
    EmbeddedBackend(cache, KAFKA_VERSION).prepared.make(Bar())
    no_lab.environment["KAFKALAB_CACHE"] = str(cache)
    for name in ("HTTPS_PROXY", "https_proxy"):
        no_lab.environment[name] = "http://127.0.0.1:1"

    done = no_lab.tool("kafka-topics", "--help")

    assert done.returncode == 1
    assert "org.apache.kafka:kafka-tools" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_facts_about_java_are_skipped_where_the_jar_cannot_be_fetched(
    no_lab: ToolPlace, tmp_path: Path
) -> None:
    """With the reason, and what to do; nothing fails."""
    cache = _cache_with_own_jars(tmp_path)
    (cache / "jars" / f"kafka-tools-{KAFKA_VERSION}.jar").unlink()
    no_lab.environment["KAFKALAB_CACHE"] = str(cache)
    for name in ("HTTPS_PROXY", "https_proxy"):
        no_lab.environment[name] = "http://127.0.0.1:1"

    command = [sys.executable, "-P", "-m", "pytest", "--pyargs", "tests_module_a", "-rs"]
    done = no_lab.run(*command, "-k", "java_puts_the_same", "--kafkalab-backend=embedded")

    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "org.apache.kafka:kafka-tools" in done.stdout
    assert "To do: check HTTPS_PROXY" in " ".join(done.stdout.split())


def test_the_first_use_makes_an_aot_cache(tmp_path: Path) -> None:
    """It says so on stderr: what the tool prints may go to another program."""
    place = ToolPlace(tmp_path)
    (place.cache / "tools").unlink()

    done = place.tool("kafka-topics", "--version")

    assert done.stdout.startswith(KAFKA_VERSION)
    assert "writing an AOT cache for Kafka's own tools" in done.stderr
    (made,) = (place.cache / "tools").iterdir()
    assert made == tools_of(place.cache).folder
    assert place.tool("kafka-topics", "--version").stderr == ""
