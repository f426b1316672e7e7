"""The facts have teeth: what a run with `--kafkalab-solutions` says of wrong solutions.

Each wrong solution is judged in tests/wrong/, and each right one of another style in tests/right/.
Here some run pytest as a learner does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kafkalab.curriculum import Statement, Task, load
from kafkalab.learning_log.verdicts import TOO_LATE
from kafkalab.solutions import REFERENCE
from tests.judged import CRASH, said_by

REPOSITORY = Path(__file__).parents[1]
WRONG = sorted(path.parent for path in (REPOSITORY / "tests" / "wrong").glob("*/*.py"))

CURRICULUM = load()
TASKS = {task.component: task for task in CURRICULUM.tasks}

# Named by the project as the three that must leave the facts about Kafka unharmed.
ON_THE_WHOLE_MODULE = ("recreates_on_drift", "returns_early", "swallows_failures")

# A whole module takes about ten seconds, several times that on a loaded machine.
RUN_LIMIT = 240


def judged(
    task: Task, solutions: Path, reports: Path, *arguments: str, only: Sequence[str] = ()
) -> tuple[int, dict[str, Any]]:
    """Have a task's facts judge a solution, all or only some.

    Returns:
        pytest's exit code, and the record's facts by slug.
    """
    modules = [f"{CURRICULUM.folder / module}.py" for module in task.modules]
    tests = [
        f"{CURRICULUM.folder / each.module}.py::{each.function}"
        for each in statements(task)
        if each.slug in only
    ]
    command = [sys.executable, "-m", "pytest", *(tests or modules)]
    command += [
        "--kafkalab-backend=embedded",
        f"--kafkalab-solutions={solutions}",
        f"--kafkalab-reports={reports}",
    ]
    command += arguments
    ended = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, timeout=RUN_LIMIT, check=False
    )
    (record,) = (reports / "runs").glob("*.json")
    facts = json.loads(record.read_text("utf-8"))["facts"]
    return ended.returncode, {fact["slug"]: fact for fact in facts}


def statements(task: Task) -> list[Statement]:
    """What a task's tests state."""
    return [each for each in CURRICULUM.statements if each.task == task.id]


def component_facts(task: Task) -> list[str]:
    """The slugs of a task's facts about its component; all others are about Kafka."""
    return [each.slug for each in statements(task) if each.scope.startswith("the component")]


def task_of(solution: Path) -> Task:
    """The task whose component a wrong solution offers: its one file has the name."""
    (file,) = solution.glob("*.py")
    return TASKS[file.stem]


def named_by(solution: Path) -> str:
    """The slug of the fact that must refute a wrong solution."""
    (file,) = solution.glob("*.py")
    return str(said_by(file, "CAUGHT_BY"))


@pytest.mark.parametrize(
    "reason",
    [
        f"delivery.py:34: {TOO_LATE}Timeout (>60.0s) from pytest-timeout.",
        "topics.py:3: SyntaxError: invalid syntax: def provision(:",
        "ValueError: no message",
    ],
)
def test_a_limit_or_a_crash_is_no_refutation_by_a_fact(reason: str) -> None:
    """A wrong solution must be caught for what it does: these reasons are told from that."""
    assert CRASH.match(reason)
    assert not CRASH.match("none is missing\nassert [1] == [1, 2]")


@pytest.mark.parametrize("name", ON_THE_WHOLE_MODULE)
def test_a_wrong_solution_leaves_the_facts_about_kafka_unharmed(name: str, tmp_path: Path) -> None:
    """With a whole module its fact refutes it, for what it does, and Kafka's facts still hold."""
    solution = REPOSITORY / "tests" / "wrong" / name
    task, slug = task_of(solution), named_by(solution)

    exit_code, facts = judged(task, solution, tmp_path, "-n", "2")

    verdicts = {each: fact["verdict"] for each, fact in facts.items()}
    assert verdicts[slug] == "refuted", verdicts
    assert not CRASH.match(facts[slug]["reason"]), "caught for what it does, no crash or hang"
    assert exit_code == pytest.ExitCode.TESTS_FAILED
    assert not {"invalid", "interrupted"} & set(verdicts.values()), facts
    kafka = {each: verdicts[each] for each in verdicts if each not in component_facts(task)}
    assert set(kafka.values()) == {"demonstrated"}, kafka


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_reference_passes_by_the_same_way(task: Task, tmp_path: Path) -> None:
    """Given with `--kafkalab-solutions`, the reference passes: one fact of each task shows it.

    Without the option all of them run in Module A.
    """
    slug, *_ = component_facts(task)

    exit_code, facts = judged(task, REFERENCE, tmp_path, only=[slug])

    assert exit_code == pytest.ExitCode.OK
    assert {each: fact["verdict"] for each, fact in facts.items()} == {slug: "demonstrated"}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_each_component_fact_has_a_wrong_solution(task: Task) -> None:
    """Every component fact is named by a wrong solution, and by the curriculum's reason."""
    named: dict[str, set[str]] = {slug: set() for slug in component_facts(task)}
    for each in WRONG:
        if task_of(each) is task:
            named[named_by(each)].add(each.name)

    for slug, folders in named.items():
        reason = task.facts[slug].no_control
        assert any(f"tests/wrong/{folder}/" in reason for folder in folders), slug


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

    slugs = ["describe-tells-what-is-there", "provision-names-what-failed"]
    exit_code, facts = judged(TASKS["topics"], tmp_path / "lab", tmp_path, only=slugs)

    assert exit_code == pytest.ExitCode.TESTS_FAILED
    assert {fact["verdict"] for fact in facts.values()} == {"refuted"}, facts


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_missing_component_is_no_success_and_has_a_remedy(task: Task, tmp_path: Path) -> None:
    """A folder without the task's file skips its component facts, says what to do, and fails."""
    slugs = component_facts(task)

    exit_code, facts = judged(task, tmp_path, tmp_path, only=slugs)

    missing = tmp_path / f"{task.component}.py"
    remedy = f"{missing} is not there: write it, or leave --kafkalab-solutions out"
    assert exit_code == pytest.ExitCode.TESTS_FAILED
    assert {each["verdict"] for each in facts.values()} == {"not run"}
    assert {slug: fact["reason"] for slug, fact in facts.items()} == dict.fromkeys(slugs, remedy)
