"""What pytest-html writes of a run: asked for, filled with facts, and restricted."""

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
from kafkalab.learning_log.pictures import PICTURES, Pictures
from kafkalab.learning_log.progress import hidden_facts, question_of
from kafkalab.learning_log.record import RunRecord
from kafkalab.learning_log.terminal import Terminal
from kafkalab.learning_log.written import require_ours, write_whole


class RunPage:
    """Hooks of pytest-html, on the controller; without it there is no page."""

    def __init__(self, config: pytest.Config, lab: Lab) -> None:
        self._config = config
        self._lab = lab
        self._code = code.Code(lab.curriculum, Pictures(lab.settings.reports / PICTURES))
        self._is_ours = False
        """whether the page is of facts, and not a host's"""
        self.trouble = ""
        """why there is no page; else empty"""
        self.record: RunRecord | None = None
        """what it shows, once the run is over"""
        self.log: Path | None = None
        """the learning log, to be linked, once it is written"""

    def ask_for_it(self) -> None:
        """Have pytest-html write the run's page, unless the user asked for one elsewhere.

        A page that a host asked for, and on which its own tests stand, stays as it is.
        Called before pytest-html is configured.
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
        """Where the run's page is written; None without pytest-html."""
        path = getattr(self._config.option, "htmlpath", None)
        return self._config.invocation_params.dir / path if path else None

    def tell_environment(self) -> None:
        """Name the Kafka of this run among what pytest-html shows as its environment."""
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
            # A page that cannot be written once more stays as pytest-html has written it.
            with contextlib.suppress(OSError):
                run_report.restrict(self.path)

    def keep_the_last(self) -> None:
        """Do not write an empty page over that of the last run."""
        plugins = self._config.pluginmanager
        for plugin in plugins.get_plugins():
            if type(plugin).__module__.startswith("pytest_html."):
                plugins.unregister(plugin)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The recorder is registered later, so that its evidence is there by now.
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
        """The facts whose answers were yet to be predicted when the first of them had run."""
        return hidden_facts(self._lab.curriculum, self._lab.settings.reports)

    def _question_before(self, statement: Statement | None, report: pytest.TestReport) -> str:
        """What stands in a sentence's place; empty where it gives nothing away, or has failed."""
        if statement is None or report.failed or statement.slug not in self._hidden:
            return ""
        return question_of(self._lab.curriculum.task(statement.task), statement.slug)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, data: list[str]) -> None:
        if self._is_ours:
            run_report.change_log(data)


def _why_not(path: Path, root: Path) -> str:
    """Why pytest-html cannot write the run's page there, in one line; empty where it can."""
    try:
        # Both stand on the page, which is UTF-8.
        str(path).encode(), str(root).encode()
        require_ours(path, run_report.MARK)
        if path.exists() and path.stat().st_nlink > 1:
            # pytest-html writes into the file: another name of it is to keep what it has.
            write_whole(path, path.read_bytes())
    except UnicodeEncodeError:
        reason = "its folder's name is no UTF-8"
    except OSError as error:
        reason = f"{path}: {error.strerror}"
    else:
        return ""
    return f"the page of the run was not written: {reason}: name another with --kafkalab-reports"
