"""The commands about the learning log, as they are called in a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kafkalab.cli import main
from kafkalab.learning_log import acts

ONE_FACT = """
    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is():
        '''A thing is a thing, however long the sentence about it may be in the end.'''
        assert 1 == 1, "one is one"
"""


OWN_FACT = """
    @pytest.mark.fact("made", scope="the component topics")
    def test_it_is_made(solutions):
        '''Something is made.'''
        solutions.topics
"""

# typer colours its own errors, also where they are piped, if the environment asks for it.
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


Call = Callable[..., Said]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Any) -> Call:
    """Call `kafkalab` in a project, which teaches one fact; its terminal is 80 columns wide."""
    project.teach(ONE_FACT, {"thing": "there is none"})
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "module.toml")
    monkeypatch.delenv("KAFKALAB_REPORTS", raising=False)

    def call(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["kafkalab", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Said(printed.out, printed.err, code)

    return call


def test_status_before_the_first_run(call: Call, project: Any) -> None:
    """It names the first step; it could be told, so the exit code is 0."""
    project.asks("thing")

    said = call("status")

    assert said.code == 0
    assert said.out.splitlines()[:3] == [
        "Module T: A module for tests",
        "Yours 0 %: predicted 0 of 1, explained 0 of 1",
        "Proved here: 0 of 1 facts, in 0 runs",
    ]
    assert re.search(r"^> +9\.1 Things +not started +0 % +0 of 0 +0 of 1$", said.out, re.MULTILINE)
    assert "Next: Begin task 9.1, Things: What is a thing?\n  kafkalab learn 9.1\n" in said.out


def test_status_after_a_run(call: Call, project: Any) -> None:
    """The run proved facts, and nothing is the learner's."""
    project.asks("thing")
    project.run("-k", "task_9_1")

    said = call("status", "9.1")

    assert said.code == 0
    assert "Yours 0 %: predicted 0 of 1, explained 0 of 1\n" in said.out
    assert "Proved here: 1 of 1 facts, in 1 run\n" in said.out


def test_status_after_predicting_and_explaining(call: Call, project: Any) -> None:
    """Both are the learner's, without any run."""
    project.asks("thing")
    project.did(acts.PREDICTED, "thing", choice="Nothing", right=False)
    project.did(acts.EXPLAINED, "thing", sentence="So it is.", agrees=True)

    said = call("status")

    assert "Yours 100 %: predicted 1 of 1, explained 1 of 1\n" in said.out
    assert re.search(r"9\.1 Things +done +100 % +0 of 0 +0 of 1$", said.out, re.MULTILINE)
    assert "Next: Module T is done: predicted, explained and built. Go on.\n" in said.out


JUDGES = {
    "nothing": ([], {"--proved", "--learned", "--own"}),
    "a run": (["run"], {"--learned", "--own"}),
    "predicted": (["predicted"], {"--proved", "--learned", "--own"}),
    "predicted and explained": (["predicted", "explained"], {"--proved", "--own"}),
    "own code": (["own"], {"--learned"}),
    "all": (["run", "predicted", "explained", "own"], set()),
}


@pytest.mark.parametrize(("done", "failing"), JUDGES.values(), ids=JUDGES)
def test_status_judges_what_it_is_asked_to(
    call: Call, project: Any, done: list[str], failing: set[str]
) -> None:
    """Exit code 1 where something is missing in the tasks asked for, with a line that says what."""
    project.teach(ONE_FACT + OWN_FACT, {"thing": "there is none", "made": "there is none"})
    project.asks("thing")
    (project.folder / "mine").mkdir()
    (project.folder / "mine" / "topics.py").write_text("made = 1\n", "utf-8")
    if "run" in done:
        project.run()
    if "own" in done:
        project.run("--kafkalab-solutions=mine")
    if "predicted" in done:
        project.did(acts.PREDICTED, "thing", choice="Something", right=True)
    if "explained" in done:
        project.did(acts.EXPLAINED, "thing", sentence="So it is.", agrees=True)

    judged = {
        option: call("status", option, "9.1") for option in ("--proved", "--learned", "--own")
    }

    assert {option for option, said in judged.items() if said.code == 1} == failing
    assert {said.code for said in judged.values()} <= {0, 1}
    assert call("status").code == 0
    lacks = {
        option: f"9.1: {count} facts {what}\n"
        for option, count, what in (
            ("--proved", "0 of 2", "demonstrated here"),
            ("--own", "0 of 1", "hold for your own code"),
        )
    }
    for option in failing & set(lacks):
        assert lacks[option] in judged[option].out


def test_status_tells_what_failed_in_the_tasks_asked_for(call: Call, project: Any) -> None:
    """The sentence, what was expected and seen, and how to run it again."""
    project.teach(ONE_FACT.replace("1 == 1", "1 == 2"), {"thing": "there is none"})
    project.run()

    said = call("status", "task_9_1", "--proved")

    assert said.code == 1
    assert (
        "  refuted: A thing is a thing, however long the sentence about it may be in the\n"
        "  end.\n"
        "    expected: one is one\n"
        "    seen:     1\n"
        "    expected: 2\n"
        "    pytest -k thing\n"
    ) in said.out


def test_status_tells_own_code_from_the_reference(call: Call, project: Any) -> None:
    """What one's own code fails is told as that, and run again with it."""
    own = """
    @pytest.mark.fact("thing", scope="the component topics")
    def test_a_thing_is(solutions):
        '''A thing is a thing.'''
        assert solutions.folder.name != "mine", "it is not mine"
    """
    project.teach(own, {"thing": "there is none"})
    (project.folder / "mine").mkdir()
    project.run()
    project.run("--kafkalab-solutions=mine")

    said = call("status", "9.1")

    assert said.code == 0, "the reference demonstrates it"
    assert (
        "  refuted: A thing is a thing. In your own code.\n"
        "    expected: it is not mine\n"
        "    seen:     'mine'\n"
        "    expected: anything but 'mine'\n"
    ) in said.out
    assert "    pytest -k thing --kafkalab-solutions=mine\n" in said.out


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_status_fits_the_terminal(
    call: Call, project: Any, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """No line is wider than the terminal, but for those that are to be copied."""
    project.run()
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = call("status", "9.1").out.splitlines()

    assert all(len(line) <= columns for line in lines if "pytest" not in line)


def test_status_is_plain_text_where_it_is_piped(call: Call) -> None:
    """No colours, nor anything else that only a terminal understands."""
    assert "\x1b" not in call("status").out


def test_status_as_data(call: Call, project: Any) -> None:
    """The names are stable, whatever the terminal shows."""
    project.asks("thing")
    project.run()

    data = json.loads(call("status", "--json").out)

    assert list(data) == [
        "schema",
        "module",
        "yours",
        "proved",
        "learnings",
        "code_files",
        "runs",
        "here",
        "next",
        "lacks",
        "set_aside",
        "tasks",
    ]
    assert data["proved"] == {"done": 1, "of": 1}
    assert data["yours"] == {
        "percent": 0,
        "predicted": {"done": 0, "of": 1},
        "explained": {"done": 0, "of": 1},
        "built": {"done": 0, "of": 0},
        "answered": None,
        "surprises": 0,
        "due": 0,
        "questions_due": 0,
        "changed": 0,
    }
    (task,) = data["tasks"]
    assert (task["id"], task["status"], task["own_code"]) == ("9.1", "not started", None)
    (fact,) = task["facts"]
    assert (fact["slug"], fact["verdict"], fact["optional"]) == ("thing", "demonstrated", False)
    assert fact["proved"] == project.record()["started"]
    assert fact["sentence"].startswith("A thing is a thing")


def test_data_gives_no_answer_away(
    call: Call, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the learner has begun, a fact that is not predicted has a question and no sentence."""
    monkeypatch.delenv("CI", raising=False)
    project.asks("thing")
    project.did(acts.SEEN, "another")

    (fact,) = json.loads(call("status", "--json").out)["tasks"][0]["facts"]

    assert (fact["question"], fact["sentence"]) == ("What of thing?", None)


def test_acts_that_cannot_be_read_are_one_line(call: Call, project: Any) -> None:
    """Exit code 2: where one stands could not be told."""
    (project.folder / "reports" / acts.FILE).mkdir(parents=True)

    said = call("status")

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "acts.jsonl: it cannot be read: Is a directory" in said.err


def test_a_task_that_does_not_exist(call: Call) -> None:
    """Exit code 2, and the tasks that do."""
    said = call("status", "7.1")

    assert said.code == 2
    assert "there is no task 7.1: there are 9.1" in said.err


def test_hostile_content_does_not_reach_the_terminal(call: Call, project: Any) -> None:
    """Control characters in records, file names and notes are shown, and do nothing."""
    body = ONE_FACT.replace("1 == 1, ", "1 == 2, 'a \\x1b[31m[bold]red \\u202e' ")
    project.teach(body, {"thing": "there is none"})
    project.run()
    (project.folder / "reports" / "runs" / "\x1b[2J.json").write_text("", "utf-8")
    call("note", "9.1", "--aha", "\x1b]0;title\x07 [bold]bold[/bold]")

    said = [call("status", "9.1"), call("note", "9.1")]

    text = "".join(each.out + each.err for each in said)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "\\x1b[31m[bold]red \\u202e" in text
    assert "\\x1b[2J.json is set aside" in text
    assert "\\x1b]0;title\\x07 [bold]bold[/bold]" in text


def test_a_broken_manifest_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2: where one stands could not be told."""
    monkeypatch.setenv("KAFKALAB_CURRICULUM", "nowhere.toml")

    said = call("status")

    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "nowhere.toml: No such file or directory" in said.err


# Notes


def test_a_note_is_written_and_shown(call: Call, project: Any) -> None:
    """The whole entry is shown, and where it stands."""
    call("note", "9.1", "--aha", "One.", "--aha", "Two.", "--minutes", "40")

    said = call("note", "9_1", "--difficulty", "3", "--started", "2026-01-31", "--challenge", "Hm.")

    assert said.code == 0
    assert said.out.splitlines() == [
        "9.1 Things",
        "  started     2026-01-31",
        "  completed   -",
        "  minutes     40",
        "  difficulty  3",
        "  aha         One.",
        "  aha         Two.",
        "  challenges  Hm.",
        f"  journal     {project.folder / 'reports' / 'journal.toml'}",
    ]


def test_a_task_without_notes_is_shown_with_the_time_of_its_runs(call: Call, project: Any) -> None:
    """Nothing is written then."""
    project.run()

    said = call("note", "9.1")

    assert "  minutes     none noted; your runs say 1\n" in said.out
    assert not (project.folder / "reports" / "journal.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["9.1", "--difficulty", "6"], "difficulty is a whole number from 1 to 5"),
        (["9.1", "--minutes", "-3"], "minutes is a whole number from 0 to 525600"),
        (["9.1", "--minutes", "many"], "Invalid value for '--minutes'"),
        (["9.1", "--started", "soon"], "--started is a date such as 2026-01-31"),
        (["7.1", "--minutes", "3"], "there is no task 7.1"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_note_is_refused(
    call: Call, project: Any, arguments: list[str], problem: str
) -> None:
    """Exit code 2, no traceback, and no journal."""
    said = call("note", *arguments)

    assert said.code == 2
    assert problem in ANSI.sub("", said.err)
    assert not (project.folder / "reports" / "journal.toml").exists()


def test_a_broken_journal_is_told_by_every_command(call: Call, project: Any) -> None:
    """One line with file, line and column; the journal stays as it is.

    Where one stands is in the records, and is told all the same.
    """
    path = project.folder / "reports" / "journal.toml"
    path.parent.mkdir()
    path.write_text("[task_9_1]\nminutes = \n", "utf-8")

    said = [call("status"), call("note", "9.1"), call("note", "9.1", "--minutes", "3")]

    problem = f"{path}:2:11: Invalid value\n"
    assert [each.code for each in said] == [0, 2, 2]
    assert said[0].err == f"kafkalab: without your notes: {problem}"
    assert "Proved here: 0 of 1 facts" in said[0].out
    assert {each.err for each in said[1:]} == {f"kafkalab: {problem}"}
    assert path.read_text("utf-8") == "[task_9_1]\nminutes = \n"


def test_a_run_goes_on_with_a_broken_journal(call: Call, project: Any) -> None:
    """The run has its verdicts and its record, and says what is wrong with the journal."""
    call("note", "9.1", "--minutes", "3")
    path = project.folder / "reports" / "journal.toml"
    path.write_text("[task_9_1]\nminutes = \n", "utf-8")

    result = project.run()

    assert result.ret == 0
    result.stdout.fnmatch_lines(["kafkalab: *journal.toml:2:11: Invalid value"])
    assert project.verdicts() == {"thing": "demonstrated"}


# The report


def test_there_is_no_log_yet(call: Call) -> None:
    """It says how to get one."""
    said = call("report")

    assert said.code == 1
    assert re.fullmatch(
        r"kafkalab: there is no run in .* yet: begin with kafkalab learn 1.1, .*\n", said.err
    )


@pytest.fixture
def log(project: Any) -> Path:
    """The learning log, which a run has written."""
    project.run()
    path: Path = project.folder / "reports" / "learning_log.html"
    return path


def test_the_log_is_opened_in_the_browser(
    call: Call, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its path is printed, for those who open it otherwise."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)

    said = call("report")

    assert said == Said(f"{log}\n", "", 0)
    assert opened == [log.as_uri()]


def test_the_log_is_only_printed(call: Call, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --print no browser is started."""
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("a browser was started"))

    assert call("report", "--print") == Said(f"{log}\n", "", 0)


def test_a_note_stands_in_the_log_at_once(call: Call, log: Path) -> None:
    """Whoever looks next sees it, and what was edited by hand after `report`."""
    call("note", "9.1", "--aha", "It is what it is.")

    assert "It is what it is." in log.read_text("utf-8")
    path = log.with_name("journal.toml")
    path.write_text(path.read_text("utf-8").replace("what it is", "as it is"), "utf-8")
    call("report", "--print")
    assert "It is as it is." in log.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--completed", "2999-01-01"], "--completed 2999-01-01 is yet to come"),
        (
            ["--started", "2026-01-05", "--completed", "2026-01-04"],
            "completed on 2026-01-04 is before started on 2026-01-05",
        ),
    ],
)
def test_days_that_cannot_be(call: Call, log: Path, arguments: list[str], problem: str) -> None:
    """They are refused, and the journal stays as it is."""
    said = call("note", "9.1", *arguments)

    assert (said.code, said.err) == (2, f"kafkalab: {problem}\n")
    assert not log.with_name("journal.toml").exists()


def test_no_browser_can_be_started(call: Call, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is there to be opened by hand; the exit code says that nothing was opened."""
    monkeypatch.setattr("webbrowser.open", lambda _: False)

    said = call("report")

    assert (said.out, said.code) == (f"{log}\n", 1)
    assert "no browser could be started" in said.err


# facts


def seen(project: Any) -> list[str]:
    """The facts whose answers were opened."""
    done, _ = acts.read(project.folder / "reports" / acts.FILE)
    return [act.about for act in done if act.kind == acts.SEEN]


def test_facts_are_listed_with_questions_and_without_answers(
    call: Call, project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence would give the answer away: whoever asks for it has seen it, which is noted."""
    monkeypatch.delenv("CI", raising=False)
    project.asks("thing")

    asked, before = call("facts", "9.1"), seen(project)
    shown = call("facts", "--show")

    assert asked.code == shown.code == 0
    assert asked.out.splitlines() == [
        "9.1 Things: What is a thing?",
        "",
        "  thing",
        "    What of thing?",
        "",
    ]
    assert "    A thing is a thing, however long" in shown.out
    assert shown.out.endswith("1 answer was opened: a prediction counts again in a week.\n")
    assert (before, seen(project)) == ([], ["thing"])
    assert "    A thing is a thing, however long" in call("facts").out, "it is open now"
    call("facts", "thing", "--show")
    assert seen(project) == ["thing"], "what is open cannot be opened"


def test_answers_that_are_known_are_not_opened(call: Call, project: Any) -> None:
    """What was predicted, and what CI prints, is no act."""
    project.asks("thing")
    project.did(acts.PREDICTED, "thing", choice="Nothing", right=False)

    call("facts", "thing", "--show")

    assert seen(project) == []


@pytest.mark.parametrize("given", ["thing", "THING", "thing-one", "task_9", "9.9", "", "7"])
def test_what_is_no_task_and_no_fact(call: Call, given: str) -> None:
    """One line, with what there is."""
    said = call("facts", given)

    assert said.code == (0 if given == "thing" else 2)
    assert said.err.count("\n") == (0 if given == "thing" else 1)


def test_facts_without_a_question_are_listed_with_their_sentences(call: Call) -> None:
    """As those about a component: what it must do is no secret."""
    assert "    A thing is a thing, however long" in call("facts").out


def test_facts_of_a_task_that_does_not_exist(call: Call) -> None:
    assert call("facts", "3.1").err == "kafkalab: there is no task 3.1: there are 9.1\n"


# Terminals


def test_a_terminal_that_says_it_has_no_columns_gets_some(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some that are not there yet say."""
    monkeypatch.setenv("COLUMNS", "0")

    said = call("status")

    assert "not started" in " ".join(said.out.split())


def test_a_terminal_that_knows_few_letters_gets_the_others_as_python_writes_them(
    project: Any,
) -> None:
    """No traceback, whatever the locale is."""
    project.teach(ONE_FACT, {"thing": "there is none"})
    c = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "20"}
    environment = {**os.environ, **c, "KAFKALAB_CURRICULUM": "module.toml"}
    program = "import sys; from kafkalab.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "note", "9.1", "--aha", "\u00fcber"],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        # 60 s: a command takes half a second.
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"ber" in done.stdout
