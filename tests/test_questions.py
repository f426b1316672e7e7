"""`pytest --kafkalab-predict`: each Kafka fact is asked before it runs, and told after it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from screens import CTRL_C, CTRL_D, ENTER, Screen, screen

from kafkalab.learning_log import acts

LESSON = """
    @pytest.mark.fact("thing", scope="any client")
    @pytest.mark.parametrize("size", [1, 2])
    @pytest.mark.timeout(5)
    def test_a_thing_is(size):
        '''A thing is a thing.

        So it was ever.
        '''
        print("printed by a test")

    @pytest.mark.control("thing", changes="there is none")
    def test_no_thing():
        '''Without a thing nothing is.'''

    @pytest.mark.fact("other", scope="any client")
    def test_another_thing():
        '''Another thing is another.'''

    @pytest.mark.fact("own", scope="the component topics")
    def test_own(solutions):
        '''Topics are made.'''
"""

FACTS = {"thing": "", "other": "there is none", "own": "there is none"}

QUESTIONS = """
[thing]
question = "What may a thing be?"
choices = [
  { text = "No thing", tempting = "Nothing is, some think." },
  { text = "A thing", right = true },
]

[other]
question = "And another?"
choices = [
  { text = "The same", tempting = "They look alike." },
  { text = "Another", right = true },
]
"""


@pytest.fixture
def lessons(project: Any) -> Any:
    """A project with two questions."""
    project.teach(LESSON, FACTS)
    (project.folder / "predictions").mkdir()
    (project.folder / "predictions" / "task_9_1.toml").write_text(QUESTIONS, "utf-8")
    return project


@contextmanager
def running(project: Any, *arguments: str) -> Iterator[Screen]:
    """A pytest that asks, in a terminal."""
    options = ["-p", "no:randomly", "--kafkalab-predict", *arguments]
    command = [sys.executable, "-m", "pytest", *options]
    with screen(command, project.folder, environment={"NO_COLOR": "1"}) as at:
        yield at


def done(project: Any) -> list[tuple[str, dict[str, Any]]]:
    """What was predicted of which fact."""
    found, _ = acts.read(project.folder / "reports" / acts.FILE)
    return [(act.about, act.said) for act in found]


@pytest.mark.parametrize("capture", ["fd", "sys", "no", "tee-sys"])
def test_it_asks_before_a_fact_and_tells_after_it(lessons: Any, capture: str) -> None:
    """Once for all cases of a fact; components are not asked. Tests print where they always do."""
    with running(lessons, f"--capture={capture}") as at:
        at.see("What may a thing be?", "(q leaves) >")
        assert "printed by" not in at.received
        at.type("x")
        at.see("Please answer a, b, ? or q (to leave).", "(q leaves) >")
        at.type("a")
        at.see(
            "Not so: a: No thing Nothing is, some think. It is b: A thing "
            "A thing is a thing. So it was ever. To say why: kafkalab learn thing",
            "And another?",
            "(q leaves) >",
        )
        at.type("?")
        at.see("It is b: Another Another thing is another.")
        assert at.end() == 0

    assert ("printed by a test" in at.received) == (capture in ("no", "tee-sys"))
    assert at.received.count("What may a thing be?") == 1
    assert done(lessons) == [
        ("thing", {"choice": "No thing", "right": False}),
        ("other", {"choice": "", "right": False}),
    ]
    assert set(lessons.verdicts().values()) == {"demonstrated"}


def test_what_was_predicted_is_not_asked_again(lessons: Any) -> None:
    """Nor is what was seen lately: a prediction of it would not count. One line says so of each."""
    path = lessons.folder / "reports" / acts.FILE
    acts.append(path, acts.PREDICTED, "thing", choice="A thing", right=True)
    acts.append(path, acts.SEEN, "other")

    with running(lessons) as at:
        assert at.end() == 0

    assert "What may a thing be?" not in at.received
    assert "And another?" not in at.received
    told = " ".join(at.received.split())
    assert told.count("thing is not asked: you predicted it on ") == 1, "once for all its cases"
    assert "other is not asked: you have seen the answer, and a prediction counts" in told


def test_the_time_of_an_answer_is_not_the_facts(lessons: Any) -> None:
    """A fact has its time limit, and whoever thinks has none."""
    lessons.teach(LESSON.replace("timeout(5)", "timeout(1)"), FACTS)

    with running(lessons, "-k", "thing") as at:
        at.see("(q leaves) >")
        # Not seen before the limit is over.
        with pytest.raises(AssertionError, match=r"waited 1\.5 s"):
            at.see("Timeout", limit=1.5)
        at.type("b")
        at.see("Right: b: A thing", "And another?")
        at.type("b")
        assert at.end() == 0


@pytest.mark.parametrize("key", [f"q{ENTER}", CTRL_D, CTRL_C], ids=["q", "end", "interrupt"])
def test_who_leaves_ends_the_run(lessons: Any, key: str) -> None:
    """As one that was interrupted: what was answered is kept, the rest did not run."""
    with running(lessons) as at:
        at.see("What may a thing be?", "(q leaves) >")
        at.type("b")
        at.see("And another?", "(q leaves) >")
        at.press(key)
        assert at.end() == 2

    assert "INTERNALERROR" not in at.received
    assert [slug for slug, _ in done(lessons)] == ["thing"]
    assert lessons.verdicts() == {"thing": "demonstrated", "other": "not run", "own": "not run"}


def test_a_fact_that_is_skipped_is_not_asked(lessons: Any) -> None:
    needy = LESSON.replace("def test_another", "@pytest.mark.needs('jars')\n    def test_another")
    lessons.teach(needy, FACTS)

    with running(lessons, "-k", "other") as at:
        assert at.end() == 0

    assert "And another?" not in at.received
    assert "1 skipped" in at.received


def test_it_asks_nobody_in_parallel(lessons: Any) -> None:
    """One line, and nothing runs."""
    with running(lessons, "-n", "2") as at:
        assert at.end() == int(pytest.ExitCode.USAGE_ERROR)

    assert "ERROR: --kafkalab-predict asks one question at a time: run without -n" in at.received
    assert not lessons.launches


def test_it_asks_nobody_without_a_terminal(lessons: Any) -> None:
    """One line, and nothing runs."""
    result = lessons.run("--kafkalab-predict")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --kafkalab-predict asks in the terminal, and there is *"])


def test_nobody_is_asked_where_nothing_runs(lessons: Any) -> None:
    """As where facts are only collected."""
    assert lessons.run("--kafkalab-predict", "--collect-only", "-q").ret == 0
