"""`--kafkalab-predict`: ask a question before each Kafka fact, and show the answer after it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from kafkalab import typed
from kafkalab.curriculum import Statement
from kafkalab.curriculum.predictions import Prediction
from kafkalab.facts import statement_of
from kafkalab.lab import Lab
from kafkalab.learning_log import acts, asking
from kafkalab.learning_log.asking import Answer
from kafkalab.learning_log.progress import FactProgress, replay
from kafkalab.learning_log.terminal import Conversation

FLAG = "--kafkalab-predict"


def check(config: pytest.Config) -> None:
    """Refuse to ask if no answer can be typed.

    Raises:
        UsageError: tests run in several processes, or there is no terminal.
    """
    if getattr(config.option, "dist", "no") != "no":
        raise pytest.UsageError(f"{FLAG} asks one question at a time: run without -n")
    with _terminal_of(config):
        is_terminal = typed.is_terminal()
    if not is_terminal:
        raise pytest.UsageError(
            f"{FLAG} asks in the terminal, and there is none: run it in one, "
            "or pipe answers to `kafkalab learn`"
        )


class Questions:
    """Hooks that ask for predictions that are still open, and show the results."""

    def __init__(self, config: pytest.Config, lab: Lab) -> None:
        self._config = config
        self._lab = lab
        self._to_come: Counter[str] = Counter()
        """how many tests of each fact are still to run, by slug"""
        self._answers: dict[str, Answer] = {}
        """the answers in this run, by slug"""
        self._passed_over: set[str] = set()
        """the facts without a question; the reason has been printed"""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        stated = (statement_of(item, self._lab.curriculum) for item in session.items)
        self._to_come.update(each.slug for each in stated if each and each.role == "fact")

    # Runs first, so that the time for an answer does not count as the fact's.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        stated = statement_of(item, self._lab.curriculum)
        prediction = self._prediction_of(stated)
        if stated is None or prediction is None:
            return (yield)
        slug = stated.slug
        is_skipped = item.get_closest_marker("skip") is not None
        if slug not in {*self._answers, *self._passed_over} and not is_skipped:
            done = self._done(stated)
            if done.can_be_predicted:
                self._answers[slug] = self._ask(prediction, slug)
            else:
                self._passed_over.add(slug)
                self._tell_why_not(done, slug)
        result = yield
        self._to_come[slug] -= 1
        if slug in self._answers and not self._to_come[slug]:
            self._tell(stated, prediction)
        return result

    def _prediction_of(self, stated: Statement | None) -> Prediction | None:
        if stated is None or stated.role != "fact":
            return None
        return self._lab.curriculum.task(stated.task).predictions.get(stated.slug)

    def _done(self, stated: Statement) -> FactProgress:
        done, _ = acts.read(self._path)
        reports, tasks = self._lab.settings.reports, self._lab.curriculum.tasks
        return replay(done, tasks, reports).of(stated.slug, stated.task)

    def _tell_why_not(self, done: FactProgress, slug: str) -> None:
        talk = self._talk()
        talk.line()
        if done.predicted is not None:
            day = done.predicted.at.date().isoformat()
            talk.line(f"{slug} is not asked: you predicted it on {day}")
        elif done.shown_until is not None:
            day = done.shown_until.date().isoformat()
            talk.line(
                f"{slug} is not asked: you have seen the answer, and a prediction counts "
                f"again from {day} on"
            )

    @property
    def _path(self) -> Path:
        return self._lab.settings.reports / acts.FILE

    def _ask(self, prediction: Prediction, slug: str) -> Answer:
        talk = self._talk()
        with _terminal_of(self._config):
            talk.line()
            try:
                answer = asking.predict(talk, prediction)
            except asking.Left:
                pytest.exit("you left; what you answered is kept")
        try:
            asking.keep(self._path, slug, answer)
        except OSError as error:
            pytest.exit(f"your answer cannot be kept in {self._path}: {error.strerror}")
        return answer

    def _tell(self, stated: Statement, prediction: Prediction) -> None:
        talk = self._talk()
        talk.line()
        asking.tell_result(talk, prediction, self._answers[stated.slug])
        asking.tell_fact(talk, stated)
        talk.line(f"To say why: kafkalab learn {stated.slug}")

    def _talk(self) -> Conversation:
        return Conversation(self._config.pluginmanager.getplugin("terminalreporter"))


@contextlib.contextmanager
def _terminal_of(config: pytest.Config) -> Iterator[None]:
    """Let the block use the terminal, which pytest captures; only between two tests."""
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        yield
        return
    capture.suspend_global_capture(in_=True)
    try:
        yield
    finally:
        # pytest's way to capture stdin again, and to leave stdout and stderr free.
        capture.resume_global_capture()
        capture.suspend_global_capture()
