"""Have pytest-html write a page of the run, add the facts to it, and restrict its scripts."""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kafkalab.curriculum import Statement
from kafkalab.lab import Lab
from kafkalab.learning_log import code, run_report
from kafkalab.learning_log.links import relative_link
from kafkalab.learning_log.pictures import pictures_of
from kafkalab.learning_log.progress import hidden_facts, question_of
from kafkalab.learning_log.record import RunRecord
from kafkalab.learning_log.terminal import Terminal
from kafkalab.learning_log.written import require_ours, write_whole


class RunPage:
    """Hooks of pytest-html, on the controller; without pytest-html there is no page."""

    def __init__(self, config: pytest.Config, lab: Lab) -> None:
        self._config = config
        self._lab = lab
        self._code = code.Code(lab.curriculum, pictures_of(lab.settings))
        self._is_ours = False
        """whether the page is about facts, and not about a project's own tests"""
        self.trouble = ""
        """why there is no page; else empty"""
        self.record: RunRecord | None = None
        """the record that the page shows, once the run is over"""
        self.log: Path | None = None
        """the learning log, for a link to it, once it is written"""

    def ask_for_it(self) -> None:
        """Have pytest-html write the run's page, unless the user named another file.

        If a project asked for a page with its own tests, that page is not changed.
        Call this before pytest-html is configured.
        """
        option = self._config.option
        # pytest-html writes no page without pytest-metadata.
        has_html = self._config.pluginmanager.hasplugin("metadata") and hasattr(option, "htmlpath")
        if not has_html or option.collectonly:
            return
        self._is_ours = option.htmlpath is None or self._lab.is_alone
        if option.htmlpath is None:
            path = self._lab.settings.reports / run_report.RUN_PAGE
            self.trouble = _why_not(path, self._config.rootpath)
            if self.trouble:
                self._is_ours = False
                return
            option.htmlpath = str(path)
        if self._is_ours:
            option.self_contained_html = True
            option.css += [str(run_report.STYLE), str(code.STYLE)]

    @property
    def path(self) -> Path | None:
        """The file of the run's page; None without pytest-html."""
        path = getattr(self._config.option, "htmlpath", None)
        return self._config.invocation_params.dir / path if path else None

    def tell_environment(self) -> None:
        """Add the Kafka of this run to the environment that pytest-html shows."""
        try:
            from pytest_metadata.plugin import metadata_key
        except ImportError:
            return
        rows = self._config.stash.get(metadata_key, None)
        if rows is not None and self._is_ours:
            rows["Kafka"] = self._lab.backend.describe()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.trouble:
            Terminal(terminalreporter).line(f"kafkalab: {self.trouble}", red=True)

    def pytest_unconfigure(self) -> None:
        # pytest-html has written its page by now.
        if self._is_ours and self.path is not None and self.path.exists():
            # If the page cannot be written again, it stays as pytest-html has written it.
            with contextlib.suppress(OSError):
                run_report.restrict(self.path)

    def keep_the_last(self) -> None:
        """Keep the page of the last run: an empty page must not overwrite it."""
        plugins = self._config.pluginmanager
        for plugin in plugins.get_plugins():
            if type(plugin).__module__.startswith("pytest_html."):
                plugins.unregister(plugin)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # pytest calls the recorder first, as it was registered later: the evidence is there.
        statement = self._lab.statement_of(report.nodeid) if report.when == "teardown" else None
        if statement is not None and self._is_ours:
            run_report.attach_statement(report, statement, self._code)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        if self._is_ours:
            report.title = f"kafkalab: Module {self._lab.curriculum.id}, one run"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        if self.record is not None and self._is_ours:
            log = relative_link(self.log, self.path.parent) if self.log and self.path else ""
            page = run_report.summary(self.record, self._lab.curriculum, log, self._hidden)
            prefix.append(page)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        if self._is_ours:
            run_report.change_header(cells)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: Any, cells: list[str]) -> None:
        if self._is_ours:
            statement = self._lab.statement_of(report.nodeid)
            run_report.change_row(cells, statement, self._question_before(statement, report))

    @cached_property
    def _hidden(self) -> frozenset[str]:
        """The facts that were not predicted yet when the first row was made."""
        return hidden_facts(self._lab.curriculum, self._lab.settings.reports)

    def _question_before(self, statement: Statement | None, report: pytest.TestReport) -> str:
        """The question to show instead of a hidden sentence; empty if the sentence may be shown.

        The sentence of a failed test is always shown.
        """
        if statement is None or report.failed or statement.slug not in self._hidden:
            return ""
        return question_of(self._lab.curriculum.task(statement.task), statement.slug)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, data: list[str]) -> None:
        if self._is_ours:
            run_report.change_log(data)


def _why_not(path: Path, root: Path) -> str:
    """Why pytest-html cannot write the run's page there, in one line; empty if it can."""
    try:
        # The page contains both paths, and is UTF-8.
        str(path).encode(), str(root).encode()
        require_ours(path, run_report.MARK)
        if path.exists() and path.stat().st_nlink > 1:
            # The file has another name (a hard link), and pytest-html writes into it: a new file
            # keeps the content under the other name.
            write_whole(path, path.read_bytes())
    except UnicodeEncodeError:
        reason = "its folder's name is not UTF-8"
    except OSError as error:
        reason = f"{path}: {error.strerror}"
    else:
        return ""
    return f"the page of the run was not written: {reason}: name another with --kafkalab-reports"
