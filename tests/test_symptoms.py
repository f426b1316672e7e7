"""Symptoms: each code, fact, command, log line, metric and setting that they name exists."""

from __future__ import annotations

import functools
import re
import shlex
import zipfile
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
import typer.main
from confluent_kafka import KafkaError

from kafkalab.brokers.distribution import find_java
from kafkalab.brokers.tools import TOOLS, ToolDistribution
from kafkalab.cli import COMMANDS, command_line
from kafkalab.config import Settings
from kafkalab.curriculum import load
from kafkalab.curriculum.error_codes import NAME, ErrorCode, code_in, error_codes
from kafkalab.curriculum.symptoms import (
    Look,
    Symptom,
    look_up,
    near,
    problems,
    symptoms,
)
from kafkalab.librdkafka import librdkafka_defaults, librdkafka_errors, librdkafka_ranges

EXCEPTION = re.compile(r"[A-Z]\w+Exception")


@functools.cache
def jars() -> ToolDistribution:
    return ToolDistribution(Settings.from_environment().cache, find_java())


@functools.cache
def in_java() -> bytes:
    """All classes of Kafka's jars, with the texts in them; needs what kafkalab prepares."""
    paths = [path for path in jars().jar_files if path.name.startswith("kafka")]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        pytest.skip(f"not fetched yet: {', '.join(missing)}")
    found = []
    for path in paths:
        with zipfile.ZipFile(path) as jar:
            found += [jar.read(name) for name in jar.namelist() if name.endswith(".class")]
    return b"\n".join(found)


@functools.cache
def in_librdkafka() -> bytes:
    """The library as confluent-kafka's wheel has it, with the texts in it."""
    folder = Path(confluent_kafka.__file__).parent
    beside = [*folder.parent.glob("confluent_kafka.libs/librdkafka*"), *folder.rglob("librdkafka*")]
    if not beside:
        pytest.skip("this confluent-kafka was not installed as a wheel")
    return b"\n".join(path.read_bytes() for path in beside if path.is_file())


def looks(kind: str) -> list[Look]:
    """What symptoms propose to look at, of one kind, each once."""
    found = (look for each in symptoms() for look in each.look if look.kind == kind)
    return list({look.what: look for look in found}.values())


def titles(found: tuple[Symptom | ErrorCode, ...]) -> list[str]:
    return [each.says[0] if isinstance(each, Symptom) else each.name for each in found]


# What is written


def test_symptoms_are_sound() -> None:
    """Names lead to one place, codes and facts exist, and each has something to look at."""
    assert list(problems(load())) == []
    assert len(symptoms()) >= 70, "There are entries for everyday work."


def test_problems_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thing that can be wrong with an entry is a line."""
    bad = Symptom("Groups", ("NO_SUCH_CODE", "a lag", "a lag"), "No sentence", ("no-such",), ())
    other = Symptom("Groups", ("A Lag!",), "A sentence.", (), (Look("log", "x", "y"),))
    monkeypatch.setattr("kafkalab.curriculum.symptoms.symptoms", lambda: (bad, other))

    assert list(problems(load())) == [
        "NO_SUCH_CODE: there is no error code NO_SUCH_CODE",
        "NO_SUCH_CODE: it says something twice",
        "NO_SUCH_CODE: what it means is no sentence",
        "NO_SUCH_CODE: there is nothing to look at",
        "NO_SUCH_CODE: there is no fact no-such",
        "A Lag!: A Lag! leads to NO_SUCH_CODE, too",
        "A Lag!: it names no fact",
    ]


def test_codes_are_those_of_the_client() -> None:
    """The numbers are those of `KafkaError`, and all of its codes are there."""
    of_client = {
        name: number
        for name in dir(KafkaError)
        if NAME.fullmatch(name) and isinstance(number := getattr(KafkaError, name), int)
    }

    assert {each.name: each.number for each in error_codes() if each.text} == of_client
    texts = {each.number: each.text for each in librdkafka_errors()}
    for code in error_codes():
        if code.text:
            assert code.text == texts[code.number] == KafkaError(code.number).str(), code


def test_exceptions_are_those_of_javas_client() -> None:
    """An exception that has no code is a class of the client."""
    of_codes = {each.exception for each in error_codes()}
    said = {name for each in symptoms() for name in each.says if EXCEPTION.fullmatch(name)}

    missing = [
        name
        for name in said
        if not re.search(rb"org/apache/kafka/[a-z/]+/%b;" % name.encode(), in_java())
    ]
    assert said
    assert said.isdisjoint(of_codes), "The table has these already."
    assert missing == []


def test_commands_can_be_called() -> None:
    """A command of kafkalab takes these arguments."""
    own = [shlex.split(each.what) for each in looks("command")]
    own = [words for words in own if words[1] not in TOOLS]

    assert own
    for program, name, *rest in own:
        assert (program, name in COMMANDS) == ("kafkalab", True), name
        command: Any = typer.main.get_command(command_line([name]))
        words = [name, *rest]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(name, words)


def test_tools_have_these_options() -> None:
    """Kafka's own tool has the command and the options."""
    called = [shlex.split(each.what) for each in looks("command")]
    called = [words[1:] for words in called if words[1] in TOOLS]

    assert called
    for tool, *rest in called:
        options = [word.removeprefix("--") for word in rest if word.startswith("--")]
        first = [word for word in rest[:1] if not word.startswith("-")]
        assert TOOLS[tool].main(jars().version), tool
        for word in (*options, *first):
            # As a text of its own: in a class its length stands before it, in two bytes.
            assert len(word).to_bytes(2) + word.encode() in in_java(), f"{tool}: {word}"


def test_log_lines_occur() -> None:
    """The client or the broker has the text, up to what differs each time."""
    for look in looks("log"):
        parts = [part.strip(" ") for part in look.what.split("...")]
        of_kafka, of_client = (
            all(part.encode() in texts for part in parts) for texts in (in_java(), in_librdkafka())
        )
        assert of_kafka or of_client, look.what


def test_metrics_exist() -> None:
    """The type, the name and the attribute are those of a class of Kafka.

    Kafka has two kinds: beans with a name each, and beans of a group with many attributes.
    """
    for look in looks("metric"):
        bean, _, attribute = look.what.partition(" ")
        keys = dict(part.split("=") for part in bean.partition(":")[2].split(","))
        is_of_groups = keys["type"].endswith("-metrics")
        assert (is_of_groups, not is_of_groups) == (bool(attribute), "name" in keys), look.what
        # A client puts its own name before the type.
        group = keys["type"].removeprefix("consumer").removeprefix("producer")
        for name in filter(None, (group, keys.get("name", ""), attribute)):
            assert name.encode() in in_java(), look.what


def test_settings_exist() -> None:
    """A client or the broker has the setting."""
    of_client = librdkafka_defaults().keys() | librdkafka_ranges().keys()
    for look in looks("setting"):
        name = look.what
        of_kafka = len(name).to_bytes(2) + name.encode() in in_java()
        assert name in of_client or of_kafka, name


def test_statistics_exist() -> None:
    """librdkafka's statistics have the field, and what it is in."""
    for look in looks("statistic"):
        for name in look.what.replace("*.", "").split("."):
            forms = (f'"{name}":'.encode(), b"\0%b\0" % name.encode())
            assert any(form in in_librdkafka() for form in forms), look.what


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('KafkaError{code=UNKNOWN_MEMBER_ID,val=25,str="Commit failed"}', "UNKNOWN_MEMBER_ID"),
        ("KafkaException: _STATE, and then _FENCED", "_STATE"),
        ("Errors.NOT_LEADER_OR_FOLLOWER", "NOT_LEADER_FOR_PARTITION"),
        ("the A_STATE of things, and NONE", None),
        ("unknown_member_id", None),
        ("", None),
    ],
)
def test_the_first_code_of_a_text_is_found(text: str, name: str | None) -> None:
    """A failure's reason may name one; other words in capitals are no codes."""
    found = code_in(text)

    assert (found and found.name) == name


# What is found


def test_each_name_leads_to_its_place() -> None:
    """Every code is found by number, and by each of its names and texts."""
    for code in error_codes():
        (found,) = look_up(str(code.number))
        for name in code.names:
            assert look_up(name) == (found,), name
        if isinstance(found, Symptom):
            assert code in found.codes
        else:
            assert found == code


def test_each_way_to_ask_leads_to_its_place() -> None:
    """So does each phrase of a symptom."""
    for each in symptoms():
        for name in each.says:
            assert look_up(name) == (each,), name


@pytest.mark.parametrize(
    "asked",
    [
        "25",
        "+25",
        " 25 ",
        "UNKNOWN_MEMBER_ID",
        "unknown_member_id",
        "Unknown-Member-Id",
        "unknownmemberid",
        "unknown member id",
        "UnknownMemberIdException",
        "Broker: Unknown member",
        "KafkaError.UNKNOWN_MEMBER_ID",
        "RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID",
        'KafkaError{code=UNKNOWN_MEMBER_ID,val=25,str="Broker: Unknown member"}',
        "org.apache.kafka.common.errors.UnknownMemberIdException: The coordinator is not aware",
    ],
)
def test_a_code_is_found_in_any_spelling(asked: str) -> None:
    """Case, underscores, hyphens and what stands around it are the same."""
    assert titles(look_up(asked)) == ["UNKNOWN_MEMBER_ID"]


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("-147", "_MAX_POLL_EXCEEDED"),
        ("RD_KAFKA_RESP_ERR__STATE", "_STATE"),
        ("KafkaError._STATE, when it is called", "_STATE"),
        ("failed with _MSG_TIMED_OUT today", "_MSG_TIMED_OUT"),
        ("Lag grows, though nothing arrives!", "lag grows though nothing arrives"),
        ("records twice deployment", "records come twice after a deployment"),
        ("CommitFailedException: ...", "CommitFailedException"),
        ("TopicExistsException", "TOPIC_ALREADY_EXISTS"),
        ("NOT_LEADER_OR_FOLLOWER", "NOT_LEADER_FOR_PARTITION"),
        ("134", "GROUP_DELETION_FAILED"),
        ("0", "NO_ERROR"),
        ("my consumer is stuck", "lag grows though nothing arrives"),
        ("new partition not consumed", "consumer does not see new partitions"),
    ],
)
def test_what_is_asked_leads_there(asked: str, title: str) -> None:
    """Numbers, names in a line, other names, and words in any order."""
    assert titles(look_up(asked)) == [title]


def test_a_line_with_two_names_leads_to_both() -> None:
    """Of names within names only the longest counts."""
    found = titles(look_up("ILLEGAL_GENERATION, then REQUEST_TIMED_OUT"))

    assert sorted(found) == ["ILLEGAL_GENERATION", "REQUEST_TIMED_OUT"]


@pytest.mark.parametrize(
    "asked",
    ["", " ", "the", "and then", "999", "9" * 5000, "-", "\x1b[31m", "ключ", "x" * 100_000],
)
def test_nothing_is_found(asked: str) -> None:
    """A word that is part of many names leads nowhere, and nothing fails."""
    assert look_up(asked) == ()
    assert len(near(asked)) <= 3


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("UNKNOWN_MEMER_ID", "UNKNOWN_MEMBER_ID"),
        ("ILEGAL_GENRATION", "ILLEGAL_GENERATION"),
        ("max_pol_exceded", "_MAX_POLL_EXCEEDED"),
        ("CommitFailException", "CommitFailedException"),
        ("lag is growing but nothing comes", "lag grows though nothing arrives"),
    ],
)
def test_what_is_near_is_named(asked: str, first: str) -> None:
    """A misspelled name, and other words for the same."""
    assert look_up(asked) == ()
    assert near(asked)[0] == first


def test_nothing_is_near() -> None:
    """What is like no name has no neighbours."""
    assert near("qqqq") == ()
