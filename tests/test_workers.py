"""The number of workers of a run, if the ini file asks for them and the call says nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kafkalab import workers

FACT = """
    @pytest.mark.fact("thing-{n}", scope="any")
    def test_thing_{n}(evidence):
        '''Thing {n} is a thing.'''
"""
MANY = range(workers.FEW)
ASKS = f"-o{workers.INI}={workers.AUTO}"


@pytest.fixture
def facts(project: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with as many facts as are worth a worker; on a machine with two cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    tests = "".join(FACT.format(n=n) for n in MANY)
    project.teach(tests, {f"thing-{n}": "there is none" for n in MANY})
    return project


def workers_of(result: pytest.RunResult) -> int:
    """How many workers a run had; it has run each selected test once."""
    found = re.search(r"created: (\d+)/", result.stdout.str())
    return int(found[1]) if found else 0


def test_a_project_may_ask_for_workers(facts: Any) -> None:
    """With `kafkalab_workers = auto` there are some; all facts are in one record."""
    result = facts.run(ASKS)

    result.assert_outcomes(passed=len(MANY))
    assert workers_of(result) >= 2
    assert set(facts.verdicts().values()) == {"demonstrated"}


@pytest.mark.parametrize(
    "call",
    [
        ["-n0"],
        ["-p", "no:xdist"],
        ["-s"],
        ["--pdb"],
        ["--trace"],
        ["--co"],
        ["--lf"],
        ["--sw"],
        ["-k", "thing_1"],
        ["-k", "thing_1 or thing_2 or nothing"],
        ["-m", "control"],
        ["test_task_9_1_things.py::test_thing_2"],
    ],
    ids=" ".join,
)
def test_a_call_that_is_for_one_process_has_none(facts: Any, call: list[str]) -> None:
    """What needs a terminal, what is soon done, and what says how many."""
    result = facts.run(ASKS, *call)

    assert workers_of(result) == 0
    assert "INTERNALERROR" not in result.stdout.str()


@pytest.mark.parametrize(
    "call", [["-k", "thing"], ["-k", "not nothing"], ["-m", "fact"], ["-x"], ["."]]
)
def test_a_call_that_is_for_many_has_some(facts: Any, call: list[str]) -> None:
    """Whatever else it says."""
    result = facts.run(ASKS, "-v", *call)

    result.assert_outcomes(passed=len(MANY))
    assert "[gw" in result.stdout.str()


def test_the_call_has_the_last_word(facts: Any) -> None:
    """Who names a number gets it."""
    assert workers_of(facts.run(ASKS, "-n3")) == 3


def test_nobody_is_given_workers_unasked(facts: Any) -> None:
    """In any other project pytest does as before."""
    assert workers_of(facts.run()) == 0


def test_their_own_tests_are_left_alone(facts: Any) -> None:
    """A call on tests that are no facts has no workers."""
    (facts.folder / "own").mkdir()
    own = "\n".join(f"def test_own_{n}(): pass" for n in MANY)
    (facts.folder / "own" / "test_own.py").write_text(own, "utf-8")

    result = facts.run(ASKS, "own")

    result.assert_outcomes(passed=len(MANY))
    assert workers_of(result) == 0


def test_another_value_is_one_line(facts: Any) -> None:
    """It says what there is."""
    result = facts.run(f"-o{workers.INI}=lots")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*kafkalab_workers is lots in *: it can be auto, or empty"])
    assert "Traceback" not in result.stderr.str()
