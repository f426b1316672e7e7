"""`kafkalab why`: what an error code or a symptom means, with the facts that show it."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import KafkaError
from test_in_terminal import COLOUR, WIDTHS, begin, shown

from kafkalab.brokers.cluster import refused
from kafkalab.cli import main
from kafkalab.curriculum import load
from kafkalab.curriculum.symptoms import Symptom, symptoms
from kafkalab.learning_log import acts


class Said(NamedTuple):
    """What the command printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def text(self) -> str:
        """All words, wherever lines were broken."""
        return " ".join(self.out.split())

    @property
    def found(self) -> list[dict[str, Any]]:
        """What was printed as JSON."""
        found: list[dict[str, Any]] = json.loads(self.out)
        return found


Why = Callable[..., Said]

# How the sentence of stale-commit-is-refused begins: a test shows it, and another hides it.
SENTENCE = "A member that has fallen out of its group"


@pytest.fixture
def why(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Why:
    """Call `kafkalab why` in an empty folder; the terminal is 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)
    monkeypatch.delenv("CI", raising=False)

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["kafkalab", "why", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Said(*capsys.readouterr(), code)

    return call


def test_a_code_is_explained(why: Why) -> None:
    """Number, both names, meaning, what to look at, and the facts with their verdicts."""
    said = why("25")

    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[:3] == [
        "UNKNOWN_MEMBER_ID, 25",
        "  Broker: Unknown member",
        "  Java: UnknownMemberIdException",
    ]
    assert lines[3].startswith("The group does not know this member")
    assert "  kafkalab explain GROUP --for 60\n    members that come and go\n" in said.out
    assert f"  not run: stale-commit-is-refused\n    {SENTENCE}" in said.out
    assert lines[-1] == "  kafkalab learn stale-commit-is-refused"


@pytest.mark.parametrize("words", [["lag grows though nothing arrives"], ["lag", "grows"]])
def test_a_symptom_is_explained(why: Why, words: list[str]) -> None:
    """Words need no quotes."""
    said = why(*words)

    assert said.code == 0
    assert said.out.startswith("lag grows though nothing arrives\nThe log's end moves")
    assert "open-transaction-holds-back" in said.out


def test_javas_name_is_shown_if_it_differs(why: Why) -> None:
    """librdkafka has names of its own for some of the broker's codes."""
    assert "  Java: NOT_LEADER_OR_FOLLOWER, NotLeaderOrFollowerException\n" in why("6").out


def test_a_code_of_the_client_has_no_name_in_java(why: Why) -> None:
    """A negative number is no option."""
    said = why("-147")

    assert said.code == 0
    assert said.out.startswith("_MAX_POLL_EXCEEDED, -147\n  Local: Maximum application poll")
    assert "  Java: " not in said.out


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ("_NOOP", ["_NOOP, -141", "  Local: No operation performed"]),
        ("0", ["NO_ERROR, 0", "  Success", "  Java: NONE"]),
        (
            "GroupDeletionFailedException",
            [
                "GROUP_DELETION_FAILED, 134",
                "  librdkafka does not know this code.",
                "  Java: GroupDeletionFailedException",
            ],
        ),
    ],
)
def test_a_code_without_an_entry_is_named(why: Why, asked: str, lines: list[str]) -> None:
    """Its number and librdkafka's text are known all the same."""
    said = why(asked)

    last = "Nothing more is written about it here: no fact meets it."
    assert (said.code, said.out.splitlines()) == (0, [*lines, last])


def test_a_line_of_a_log_is_explained(why: Why) -> None:
    """It may be given as it is, and have two codes."""
    line = "%4|1795799648.9|COMMITFAIL|c-1| failed: UNKNOWN_MEMBER_ID, then ILLEGAL_GENERATION"

    said = why(line)

    assert said.code == 0
    assert re.findall("^[A-Z_]+, [0-9]+$", said.out, re.MULTILINE) == [
        "UNKNOWN_MEMBER_ID, 25",
        "ILLEGAL_GENERATION, 22",
    ]


def test_words_that_fit_many_list_them(why: Why) -> None:
    """One is to be named."""
    said = why("lag")

    assert said.code == 0
    assert re.match(r"\d+ entries fit: name one of them\.\n", said.out)
    assert "Commits and lag\n  - lag grows though nothing arrives\n" in said.out
    assert "Look at:" not in said.out


def test_without_a_word_all_are_listed(why: Why) -> None:
    """By theme, each at least once; a blank is no word."""
    said = why()

    assert said.code == 0
    assert [line for line in said.out.splitlines() if not line.startswith(" ")] == list(
        dict.fromkeys(each.theme for each in symptoms())
    )
    for each in symptoms():
        assert each.says[0] in said.text, each.says[0]
    assert why(" ").out == said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["UNKNOWN_MEMER_ID"], "UNKNOWN_MEMER_ID: did you mean UNKNOWN_MEMBER_ID or "),
        (["qqqq"], "qqqq: kafkalab why lists what is"),
        (["999"], "999: kafkalab why lists what is"),
        (["q\x1b[31m\nq"], r"q\x1b[31m\nq: "),
        (["q" * 300], f"{'q' * 60}... (300 characters): "),
    ],
)
def test_what_is_unknown_is_one_line(why: Why, words: list[str], told: str) -> None:
    """It names what is near, if anything is."""
    said = why(*words)

    assert (said.out, said.code) == ("", 2)
    assert said.err.startswith(f"kafkalab: nothing is known of {told}")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--jsn", "-x", "--open=1"])
def test_an_unknown_option_is_refused(why: Why, option: str) -> None:
    """A negative number is a word, and an option is not."""
    said = why("25", option)

    assert (said.out, said.code) == ("", 2)
    assert said.err == f"kafkalab: there is no option {option}: kafkalab why --help lists them\n"


def test_bad_acts_are_one_line(why: Why, tmp_path: Path) -> None:
    """What cannot be read is no traceback."""
    (tmp_path / "reports" / acts.FILE).mkdir(parents=True)

    said = why("25")

    assert (said.out, said.code) == ("", 2)
    assert said.err.startswith("kafkalab: ")
    assert said.err.count("\n") == 1


def test_it_needs_no_network(why: Why, monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket is opened."""

    def none(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", none)

    assert why("UNKNOWN_MEMBER_ID").code == 0


ONE_FACT = """
    @pytest.mark.fact("thing", scope="any client")
    def test_a_thing_is():
        '''A thing is a thing.'''
        assert 1 == 1, "one is one"
"""


def test_the_last_verdict_is_shown(why: Why, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts that another curriculum does not have are left out."""
    project.teach(ONE_FACT, {"thing": "there is none"})
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "module.toml")
    symptom = Symptom("Groups", ("a thing",), "It is.", ("thing", "of-module-a"), ())
    monkeypatch.setattr("kafkalab.cli.why.look_up", lambda _: (symptom,))

    before = why("a thing")
    project.run("-k", "task_9_1")
    after = why("a thing")
    (found,) = why("a thing", "--json").found

    fact = "thing\n    A thing is a thing.\n"
    assert before.out.endswith(f"Facts that show it:\n  not run: {fact}")
    assert after.out.endswith(f"Facts that show it:\n  demonstrated: {fact}")
    assert [(each["slug"], each["verdict"]) for each in found["facts"]] == [
        ("thing", "demonstrated")
    ]


# What may be shown


OPENED = "This tells it, and then they can be predicted again in a week:"


def test_answers_stay_closed_until_they_are_predicted(why: Why, tmp_path: Path) -> None:
    """The meaning and the sentence give them away; where to look is shown, and nothing recorded."""
    begin(tmp_path)
    before = (tmp_path / "reports" / acts.FILE).read_text("utf-8")

    predicted, said = why("INVALID_PARTITIONS"), why("25")

    assert "The number of partitions is not possible" in predicted.text
    assert "A topic's partitions can only become more" in predicted.text
    assert said.out.splitlines()[:4] == [
        "UNKNOWN_MEMBER_ID, 25",
        "  Broker: Unknown member",
        "  Java: UnknownMemberIdException",
        "Look at:",
    ]
    assert "  not run: stale-commit-is-refused\n    You have yet to predict it.\n" in said.out
    assert SENTENCE not in said.text
    assert OPENED in said.text
    assert said.out.endswith("\n  kafkalab why UNKNOWN_MEMBER_ID --show\n")
    assert (tmp_path / "reports" / acts.FILE).read_text("utf-8") == before


def seen(folder: Path) -> list[str]:
    """The facts whose answers were opened."""
    done, _ = acts.read(folder / "reports" / acts.FILE)
    return [act.about for act in done if act.kind == acts.SEEN]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_to_open_them_is_recorded(why: Why, tmp_path: Path, form: list[str]) -> None:
    """Of each fact once; what is open stays open without the option."""
    begin(tmp_path)

    opened = why("POLICY_VIOLATION", "--show", *form)
    again = why("POLICY_VIOLATION", "--show", *form)
    later = why("POLICY_VIOLATION", *form)

    assert "a rule of the cluster forbids it" in " ".join(opened.out.split())
    assert opened.out == again.out == later.out
    assert seen(tmp_path) == ["delete-records-moves-the-start"], "the other judges own code"


def test_before_the_first_prediction_nothing_is_closed(why: Why, tmp_path: Path) -> None:
    """So there is nothing to open, and nothing to record."""
    assert why("25", "--show").out == why("25").out
    assert not (tmp_path / "reports").exists()


def test_what_is_listed_is_not_opened(why: Why, tmp_path: Path) -> None:
    """Words that fit many entries open none, and no word is no wish to open all."""
    begin(tmp_path)

    assert why("lag", "--show").code == 0
    said = why("--show")

    assert (said.out, said.code) == ("", 2)
    assert said.err.startswith("kafkalab: --show opens the answers of what you name")
    assert seen(tmp_path) == []


def test_no_answer_gets_out_as_data(why: Why, tmp_path: Path) -> None:
    """A meaning is there only if all its facts were predicted, or have no question."""
    begin(tmp_path)
    taught = load()
    closed = {slug for task in taught.tasks for slug in task.predictions} - {"partitions-only-grow"}

    for found in why("--json").found:
        slugs = {fact["slug"] for fact in found["facts"]}
        assert (found["means"] is None) == bool(slugs & closed), found["says"]
        shown = {fact["slug"] for fact in found["facts"] if fact["sentence"] is not None}
        assert shown == slugs - closed


# As data


def test_as_data(why: Why) -> None:
    """One shape for all: a list, with codes, facts and what to look at."""
    (found,) = why("25", "--json").found

    assert list(found) == ["codes", "theme", "says", "means", "look", "facts"]
    assert found["codes"] == [
        {
            "number": 25,
            "name": "UNKNOWN_MEMBER_ID",
            "text": "Broker: Unknown member",
            "java": "UNKNOWN_MEMBER_ID",
            "exception": "UnknownMemberIdException",
        }
    ]
    assert found["look"][1] == {
        "kind": "command",
        "what": "kafkalab explain GROUP --for 60",
        "tells": "members that come and go",
    }
    fact = found["facts"][0]
    assert (fact["slug"], fact["verdict"], fact["proved"]) == (
        "stale-commit-is-refused",
        "not run",
        None,
    )


def test_all_as_data(why: Why) -> None:
    """Without a word all symptoms are there; a code without an entry has the same shape."""
    assert len(why("--json").found) == len(symptoms())
    (found,) = why("_NOOP", "--json").found
    assert (found["means"], found["says"], found["facts"]) == (None, [], [])


# Where it is named


def test_a_refusal_names_the_command() -> None:
    """An error of Kafka that a command prints says how to learn more."""
    error = refused("to read orders", KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))

    assert "`kafkalab why TOPIC_AUTHORIZATION_FAILED` explains the error." in str(error)
    assert "\n" not in str(error)


# In a terminal


@WIDTHS
@pytest.mark.parametrize("word", ["UNKNOWN_MEMBER_ID", "lag grows", ""])
def test_in_a_terminal(tmp_path: Path, columns: int, word: str) -> None:
    """It fits, but for what is to be copied; headings are in colour."""
    at = shown(tmp_path, "why", *word.split(), columns=columns)

    assert at.code == 0
    assert COLOUR.search(at.received)
    to_copy = {"kafkalab learn ", *(look.what for each in symptoms() for look in each.look)}
    wide = [line for line in COLOUR.sub("", at.received).splitlines() if len(line) > columns]
    assert [line for line in wide if not any(what in line for what in to_copy)] == []


def test_without_colours(tmp_path: Path) -> None:
    """The text is the same."""
    plain = shown(tmp_path, "why", "25", NO_COLOR="1")
    coloured = shown(tmp_path, "why", "25")

    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", plain.received)
    assert plain.lines == coloured.lines
