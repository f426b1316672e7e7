"""A line for each fact as soon as it is judged, in place of pytest's dots."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
from screens import COLOUR, screen

from kafkalab.learning_log import acts

FACTS = """
    @pytest.mark.fact("thing", scope="any")
    def test_thing(evidence):
        '''A thing is a thing.'''
        evidence.table("Seen", [{"thing": 1}])
        assert 1 == 1, "one is one"

    @pytest.mark.control("thing", changes="the thing")
    def test_no_thing(evidence):
        '''What is no thing is not.'''
        assert 0 == 0, "none is none"

    @pytest.mark.fact("other", scope="any")
    @pytest.mark.parametrize("number", [1, 2])
    def test_other(evidence, number):
        '''Another thing is like other things that are things, as each of them is another one.'''
        evidence.table("Seen", [{"thing": number}])
        assert number, "there is one"
"""
NO_CONTROL = {"thing": "", "other": "there is none"}
LONG = "Another thing is like other things that are things, as each of them is another one."
WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])


def lines_of(result: pytest.RunResult) -> list[str]:
    """The lines of facts, without their count, sorted."""
    found = re.findall(r"^ ?\d+/\d+ (\w+ .*)$", result.stdout.str(), re.MULTILINE)
    return sorted(" ".join(each.split()) for each in found)


@WORKERS
def test_each_fact_has_one_line(project: Any, workers: str) -> None:
    """When its last test is over, with its verdict and a count; in the end only what is left."""
    project.teach(FACTS, NO_CONTROL)

    result = project.run(workers)

    assert lines_of(result) == [
        "demonstrated A thing is a thing.",
        "demonstrated Another thing is like other things that are things, as ...",
    ]
    result.stdout.fnmatch_lines(["1/2 demonstrated *", "2/2 demonstrated *"])
    result.stdout.fnmatch_lines(["9.1 Things: 2 of 2 facts demonstrated"])
    # No dots, no name of a file, no percent; and the sentence of a control only with -v.
    told = result.stdout.str()
    for text in ("\n.", "test_task_9_1_things.py", "100%", "What is no thing is not"):
        assert text not in told, f"{text!r} is not shown"


@WORKERS
def test_a_failure_has_its_line_and_is_told_in_the_end(project: Any, workers: str) -> None:
    """As pytest tells it, and as a fact with its reason."""
    project.teach(FACTS.replace("1 == 1", "1 == 2"), NO_CONTROL)

    result = project.run(workers)

    assert "refuted A thing is a thing." in lines_of(result)
    result.stdout.fnmatch_lines(
        [
            "9.1 Things: 1 of 2 facts*",
            "  refuted *s A thing is a thing.",
            "*one is one*",
            "FAILED *",
        ]
    )


@WORKERS
def test_quiet_keeps_dots_and_verbose_the_lines_of_pytest(project: Any, workers: str) -> None:
    """As a user of pytest knows them."""
    project.teach(FACTS, NO_CONTROL)

    quiet, loud = project.run(workers, "-q"), project.run(workers, "-v")

    assert lines_of(quiet) == lines_of(loud) == []
    quiet.stdout.re_match_lines([r"\.{4} +\[100%\]"])
    loud.stdout.fnmatch_lines(["*test_other?1? *", "    control * s What is no thing is not."])
    assert loud.stdout.str().count("PASSED") == 4


def test_what_is_yet_to_be_predicted_is_not_given_away(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line has the slug, unless it fails."""
    # In CI nothing is hidden.
    monkeypatch.delenv("CI", raising=False)
    project.teach(FACTS, NO_CONTROL)
    project.asks("thing", "other")
    project.did(acts.PREDICTED, "other", choice="Something", right=True, sure=False)

    right = project.run("-n0")
    project.teach(FACTS.replace("1 == 1", "1 == 2"), NO_CONTROL)
    wrong = project.run("-n0")

    assert "demonstrated thing" in lines_of(right)
    assert "A thing is a thing" not in right.stdout.str()
    assert "refuted A thing is a thing." in lines_of(wrong)


def test_a_line_is_as_wide_as_the_terminal(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer sentences are cut; a wide terminal shows all of them."""
    project.teach(FACTS, NO_CONTROL)
    for columns, expected in ((40, "Another thing is ..."), (120, LONG)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert f"demonstrated {expected}" in lines_of(project.run("-n0")), columns


def test_colours_are_for_terminals(project: Any) -> None:
    """Without one there is no escape sequence, unless it is asked for."""
    project.teach(FACTS, NO_CONTROL)

    assert "\x1b" not in project.run("-n0").stdout.str()
    told = project.run("-n0", "--color=yes").stdout.str()
    assert re.search(r"\x1b\[32mdemonstrated \x1b\[0m", told)


def test_tests_of_ones_own_keep_their_dots(host: Any) -> None:
    """The lines of facts stand between them, each on a line of its own."""
    host.teach(FACTS, NO_CONTROL)
    host.write("tests/test_first.py", "def test_one(): pass\ndef test_two(): pass")
    host.write("tests_more/test_last.py", "def test_three(): pass")
    for workers in ("-n0", "-n1"):
        result = host.run(workers, "tests", "lessons", "tests_more")
        assert len(lines_of(result)) == 2, f"each begins its line with {workers}"
        assert re.search(r"(^|\s)\.\.\s*$", result.stdout.str(), re.MULTILINE)
        result.assert_outcomes(passed=7)


WAITS = """
    @pytest.mark.fact("thing", scope="any")
    def test_thing(evidence):
        '''A thing is a thing.'''

    @pytest.mark.fact("other", scope="any")
    def test_other(evidence):
        '''It comes when it may.'''
        wait_until(pathlib.Path("go").exists, limit=60, what="the file")
"""


@pytest.mark.parametrize("workers", ["-n0", "-n1"], ids=["one process", "a worker"])
def test_a_line_comes_when_the_fact_is_judged(
    project: Any, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """And not at the end; in a terminal, in colour, and nothing moves the cursor back."""
    # pytester's own variable.
    monkeypatch.delenv("PY_COLORS", raising=False)
    project.teach(WAITS, dict.fromkeys(NO_CONTROL, "there is none"))
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", workers]

    with screen(command, project.folder) as at:
        at.see("1/2 demonstrated A thing is a thing.")
        assert "2/2" not in " ".join(at.whole), "the other one is not judged yet"
        (project.folder / "go").touch()
        at.see("2/2 demonstrated It comes when it may.", "2 passed")
        assert at.end() == 0

    (line,) = (each for each in at.received.splitlines() if "A thing is a thing." in each)
    assert COLOUR.search(line)
    assert COLOUR.sub("", line) == "1/2 demonstrated A thing is a thing."


def test_another_terminal_stays_as_it_is(project: Any) -> None:
    """A plugin that replaces pytest's terminal, as pytest-sugar does, shows what it shows."""
    project.teach(FACTS, NO_CONTROL)
    with (project.folder / "conftest.py").open("a") as conftest:
        conftest.write(OTHER_TERMINAL)

    result = project.run("-n0")

    assert lines_of(result) == []
    assert "    control" in result.stdout.str(), "the facts are told in full in the end"


OTHER_TERMINAL = """
import sys
import pytest
from _pytest.terminal import TerminalReporter


class Other(TerminalReporter):
    pass


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    plugins = config.pluginmanager
    plugins.unregister(name="terminalreporter")
    plugins.register(Other(config, sys.stdout), "terminalreporter")
"""
