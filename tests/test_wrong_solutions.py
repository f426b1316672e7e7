"""The facts have teeth: each wrong solution is refuted by the fact that it names.

Each runs pytest as a learner does, with `--solutions`, on a real broker.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kafkalab.curriculum import load
from kafkalab.solutions import REFERENCE

REPOSITORY = Path(__file__).parents[1]
WRONG = sorted((REPOSITORY / "tests" / "wrong").glob("*/"))

# Named by the project as the three that must leave the facts about Kafka unharmed.
ON_THE_WHOLE_MODULE = ("recreates_on_drift", "returns_early", "swallows_failures")

# How the reason of an exception begins; that of an expectation is a sentence.
CRASH = re.compile(r"\w+(Error|Exception): ")

COMPONENT_FACTS = "provision or describe_tells"

# A whole module takes about ten seconds, several times that on a loaded machine.
RUN_LIMIT = 240


def judged(solutions: Path, reports: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Have the facts judge a solution; return pytest's exit code and the record's facts by slug."""
    module = REPOSITORY / "tests_module_a" / "test_task_1_1_topics.py"
    command = [sys.executable, "-m", "pytest", str(module), "--kafka-backend=embedded"]
    command += ["--solutions", str(solutions), "--reports", str(reports), *arguments]
    ended = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, timeout=RUN_LIMIT, check=False
    )
    (record,) = (reports / "runs").glob("*.json")
    facts = json.loads(record.read_text("utf-8"))["facts"]
    return ended.returncode, {fact["slug"]: fact for fact in facts}


def is_about_the_component(fact: dict[str, Any]) -> bool:
    """Whether a fact judges a component; all others are about Kafka."""
    return str(fact["scope"]).startswith("the component")


def named_by(solution: Path) -> str:
    """The slug of the fact that must refute a wrong solution."""
    spec = importlib.util.spec_from_file_location(f"wrong_{solution.name}", solution / "topics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.CAUGHT_BY)


@pytest.mark.parametrize("solution", WRONG, ids=lambda path: path.name)
def test_a_wrong_solution_is_refuted_by_its_fact(solution: Path, tmp_path: Path) -> None:
    """The fact that a wrong solution names refutes it; the facts about Kafka are unharmed."""
    whole = solution.name in ON_THE_WHOLE_MODULE
    selection = ["-n", "4"] if whole else ["-k", COMPONENT_FACTS]

    exit_code, facts = judged(solution, tmp_path, *selection)

    caught = facts[named_by(solution)]
    verdicts = {slug: fact["verdict"] for slug, fact in facts.items()}
    assert caught["verdict"] == "refuted", verdicts
    assert not CRASH.match(caught["reason"]), "caught for a crash, not for what it does"
    assert exit_code == pytest.ExitCode.TESTS_FAILED
    assert not {"invalid", "interrupted"} & set(verdicts.values()), facts
    kafka = {s: f["verdict"] for s, f in facts.items() if not is_about_the_component(f)}
    assert set(kafka.values()) == ({"demonstrated"} if whole else set()), kafka


def test_the_reference_passes_by_the_same_way(tmp_path: Path) -> None:
    """Given with `--solutions`, the reference passes every component fact."""
    exit_code, facts = judged(REFERENCE, tmp_path, "-k", COMPONENT_FACTS)

    assert exit_code == pytest.ExitCode.OK
    assert {fact["verdict"] for fact in facts.values()} == {"demonstrated"}


def test_each_component_fact_has_a_wrong_solution() -> None:
    """Every component fact is named by a wrong solution, and by the curriculum's reason."""
    component = {
        statement.slug
        for statement in load().statements
        if statement.scope.startswith("the component")
    }
    named = {named_by(solution): solution.name for solution in WRONG}

    assert set(named) == component
    for task in load().tasks:
        for slug in component & set(task.facts):
            assert f"tests/wrong/{named[slug]}/" in task.facts[slug].no_control


MISFITS = {
    "no such function": "",
    "another signature": "def provision(): ...\ndef describe(): ...",
    "nothing returned": "def provision(config, definitions, *, grow=False): ...\n"
    "def describe(config, names): ...",
    "a syntax error": "def provision(:",
    "an exception": "def provision(config, definitions, *, grow=False): raise OSError('mine')\n"
    "describe = None",
}


@pytest.mark.parametrize("code", MISFITS.values(), ids=MISFITS)
def test_code_that_does_not_fit_is_refuted(code: str, tmp_path: Path) -> None:
    """A component that lacks what is asked for, or returns something else, is refuted by name."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "topics.py").write_text(code, "utf-8")

    exit_code, facts = judged(tmp_path / "lab", tmp_path, "-k", "describe_tells or what_failed")

    assert exit_code == pytest.ExitCode.TESTS_FAILED
    assert {fact["verdict"] for fact in facts.values()} == {"refuted"}, facts


def test_a_missing_component_is_a_skip_with_a_remedy(tmp_path: Path) -> None:
    """A folder without the task's file skips its component facts, and says what to do."""
    exit_code, facts = judged(tmp_path, tmp_path, "-k", "describe_tells")

    (fact,) = facts.values()
    assert exit_code == pytest.ExitCode.OK
    assert fact["verdict"] == "not run"
    assert "topics.py is not there: write it, or leave --solutions out" in fact["reason"]
