"""Shows each fact with its verdict as soon as it is judged, in place of pytest's dots."""

from __future__ import annotations

import textwrap
from collections.abc import Generator, Mapping
from functools import cached_property

import pytest

from kafkalab.lab import Lab
from kafkalab.learning_log.progress import hidden_facts
from kafkalab.learning_log.record import FactRecord, FactsSoFar, TestRecord
from kafkalab.learning_log.terminal import COLOURS, LEAST_WIDTH, Terminal, words_of


class FactLines:
    """Hooks of the controller. `-q` keeps the dots, and `-v` pytest's own lines."""

    def __init__(self, config: pytest.Config, lab: Lab, tests: Mapping[str, TestRecord]) -> None:
        """Take what the lines are made from.

        Args:
            config: pytest's.
            lab: the lab of the run.
            tests: the records of the tests, up to date when a report comes.
        """
        self._config = config
        self._lab = lab
        self._tests = tests
        self._so_far = FactsSoFar(lab.curriculum, tests, lab.edited)
        self._shown: set[str] = set()
        """the slugs of the facts that have their line"""
        self._is_reporting = False

    @cached_property
    def is_on(self) -> bool:
        """Whether this run has the lines; if another plugin has its own terminal, that one stays.

        Known as soon as pytest is configured.
        """
        # A command that started this pytest shows the verdicts itself.
        is_heard = self._lab.voice < 0
        usual = self._config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) == 0
        # With --kafkalab-predict the questions tell each result.
        asks = bool(self._config.option.kafkalab_predict)
        return type(self._reporter) is pytest.TerminalReporter and usual and is_heard and not asks

    @cached_property
    def _hidden(self) -> frozenset[str]:
        """The facts that were not predicted yet when the run began."""
        return hidden_facts(self._lab.curriculum, self._lab.settings.reports)

    @property
    def _reporter(self) -> pytest.TerminalReporter:
        reporter: pytest.TerminalReporter = self._config.pluginmanager.getplugin("terminalreporter")
        return reporter

    @cached_property
    def _shows_files(self) -> bool:
        """Whether pytest writes the name of a file before its dots; xdist switches it off."""
        return self._reporter.showfspath

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.is_on:
            # Without dots nothing would follow the name of a file.
            self._reporter.showfspath = self._shows_files and nodeid not in self._tests

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> Generator[None, tuple[str, object, object], tuple[str, object, object]]:
        status = yield
        # Later, the summary needs the words.
        if not (self._is_reporting and self.is_on and report.nodeid in self._tests):
            return status
        category, _, word = status
        # A test without letter and word does not count for the percentage behind the dots.
        return category, "", "" if self._lab.is_alone else word

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        self._is_reporting = True
        try:
            yield
        finally:
            self._is_reporting = False
        if not self.is_on:
            return
        fact = self._so_far.completed_by(report)
        # A plugin that repeats tests may end one again.
        if fact is not None and fact.slug not in self._shown:
            self._shown.add(fact.slug)
            self._show(fact)

    def _show(self, fact: FactRecord) -> None:
        terminal = Terminal(self._reporter)
        of = str(self._so_far.total)
        count = f"{len(self._shown):>{len(of)}}/{of} "
        verdict = f"{fact.verdict:<12} "
        width = max(LEAST_WIDTH, terminal.width - 1 - len(count + verdict))
        terminal.begin_line()
        terminal.part(count, light=True)
        terminal.part(verdict, **{COLOURS[fact.verdict]: True})
        words = words_of(fact, self._hidden)
        terminal.line(textwrap.shorten(words, width, placeholder=" ..."))
