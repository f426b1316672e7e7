"""Collects a run on the controller and hands it to the views."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kafkalab.curriculum import Curriculum
from kafkalab.fact_lines import FactLines
from kafkalab.lab import Lab
from kafkalab.learning_log import acts, run_report, summary, terminal
from kafkalab.learning_log.phase import PhaseData
from kafkalab.learning_log.pictures import pictures_of
from kafkalab.learning_log.progress import is_ci
from kafkalab.learning_log.record import RunRecord, TestRecord, facts_of
from kafkalab.learning_log.verdicts import Outcome
from kafkalab.learning_log.wording import why_no_proof, why_nothing
from kafkalab.own_code_judge import OwnCodeJudge
from kafkalab.run_page import RunPage

if TYPE_CHECKING:
    from kafkalab.learning_log.standing import Standing


class Recorder:
    """Hooks that run on the controller only, with and without xdist."""

    def __init__(self, config: pytest.Config, lab: Lab, page: RunPage) -> None:
        self._config = config
        self._lab = lab
        self._page = page
        self._pictures = pictures_of(lab.settings)
        self._log: Path | None = None
        """the learning log, once it is written"""
        self.tests: dict[str, TestRecord] = {}
        """the record of each selected test so far, by its node id"""
        self.fact_lines = FactLines(config, lab, self.tests)
        self._is_collected = False
        self._running: set[str] = set()
        self._exit_status: int | None = None
        self.record: RunRecord | None = None
        self._standing: Standing | None = None
        self._troubles: list[str] = []
        self.begin()

    def begin(self) -> None:
        """Note the start of the run, and the state of the learner's code.

        This is called again if pytest was prepared in advance and begins later.
        """
        self._began = time.monotonic()
        self._started = datetime.now().astimezone()
        self._own_code = OwnCodeJudge(self._lab)
        stamp = self._started.strftime("%Y-%m-%dT%H%M%S")
        self.record_path = self._lab.settings.reports / "runs" / f"{stamp}-{self._lab.id[:6]}.json"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self) -> None:
        self._is_collected = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # pytest calls this after Ctrl-C, too, with all items so far, before it has selected any.
        if not self._is_collected:
            return
        self._select(item.nodeid for item in session.items)
        if self._keyword_without_facts() and not self._config.option.collectonly:
            self._page.keep_the_last()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self._is_collected = True
        self._select(ids)

    def _select(self, nodeids: Any) -> None:
        for nodeid in nodeids:
            statement = self._lab.statement_of(nodeid)
            if statement is not None and nodeid not in self.tests:
                self.tests[nodeid] = TestRecord(nodeid, statement.slug, statement.role)

    def pytest_runtestloop(self) -> None:
        # From here on a killed run leaves a readable record that says it was not completed.
        if not self._config.option.collectonly:
            self._write(self._make_record(completed=False))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running.add(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._lab.saw_hypothesis |= any(name.startswith("_hypothesis") for name in vars(report))
        test = self.tests.get(report.nodeid)
        if test is None:
            return
        _tell_junit(report, test, self._lab.curriculum, test.slug in self._lab.edited)
        data = PhaseData.take_from(report)
        if data is None:
            # A report without data is one that xdist made because a worker crashed.
            test.add(Outcome.INTERRUPTED, str(report.longrepr), report.duration)
            self._running.discard(report.nodeid)
            return
        test.add(Outcome(data.outcome), data.reason, report.duration)
        test.evidence += data.evidence
        if report.when == "teardown":
            self._running.discard(report.nodeid)
            run_report.attach_evidence(report, test.evidence, self._pictures)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self._exit_status = int(exitstatus)
        for nodeid in self._running & set(self.tests):
            self.tests[nodeid].add(Outcome.INTERRUPTED, "the run ended while it ran", 0.0)
        if not self._config.option.collectonly:
            if exitstatus == pytest.ExitCode.OK and self._has_failed():
                # Another plugin repeated a test until it passed; one failure is enough to fail.
                session.exitstatus = self._exit_status = int(pytest.ExitCode.TESTS_FAILED)
            self.record = self._page.record = self._make_record(completed=True)
            self._judge_own_code(session, self.record)
            self._write(self.record)
            if self.record.facts:
                self._look_back()

    def _judge_own_code(self, session: pytest.Session, record: RunRecord) -> None:
        """Note the verdicts on the learner's components; without any verdict the run fails."""
        try:
            self._own_code.note(record)
        except OSError as error:
            self._troubles.append(f"{acts.FILE} cannot be written: {error.strerror}")
        if self._exit_status == pytest.ExitCode.OK and (lack := self._own_code.lack(record)):
            self._troubles.append(lack)
            session.exitstatus = self._exit_status = int(pytest.ExitCode.TESTS_FAILED)
            self.record = self._page.record = replace(record, exit_status=self._exit_status)

    def _has_failed(self) -> bool:
        failures = {Outcome.REFUTED, Outcome.INVALID, Outcome.INTERRUPTED}
        return any(test.outcome in failures for test in self.tests.values())

    def _write(self, record: RunRecord) -> None:
        record.write(self.record_path)
        if path := self._lab.settings.concept_summary:
            summary.write(record, self._lab.curriculum, path)

    def _look_back(self) -> None:
        """Combine this run with all earlier ones, and write the learning log."""
        # Imported here, so that workers, and projects without facts, start faster.
        from kafkalab.learning_log import page

        log = self._lab.settings.reports / page.NAME
        try:
            self._standing = self._standing_now()
            page.write(self._standing, log, self._pictures, self._page.path)
            self._log = log
            self._page.log = log
        except acts.BadActs as error:
            self._troubles.append(f"the learning log was not written: {error}")
        except OSError as error:
            self._troubles.append(
                f"the learning log was not written: {log}: {error.strerror}: check its rights, "
                "or name another folder with --kafkalab-reports"
            )
        except Exception as error:  # noqa: BLE001 - the run's result does not depend on the page
            self._troubles.append(
                f"the learning log was not written: {type(error).__name__}: {error}"
            )

    def _standing_now(self) -> Standing:
        """The learner's standing; without the notes, and with a message, if a note is broken.

        Raises:
            BadActs: the acts cannot be read.
        """
        from kafkalab.learning_log.journal import BadJournal
        from kafkalab.learning_log.standing import standing_of

        curriculum, reports = self._lab.curriculum, self._lab.settings.reports
        try:
            return standing_of(curriculum, reports)
        except BadJournal as error:
            self._troubles.append(f"without your notes: {error}")
            return standing_of(curriculum, reports, entries={})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        out, standing = terminal.Terminal(terminalreporter), self._standing
        if keyword := self._keyword_without_facts():
            why = why_nothing(keyword, self._lab.curriculum)
            out.line(f"kafkalab: {why}", red=True)
        if self.record is not None and self.record.facts:
            pages = {"log": self._log}
            if (verbosity := self._config.option.verbose) >= 0:
                pages |= {"page": self._page.path, "record": self.record_path}
            is_brief = verbosity < 0 or self.fact_lines.is_on
            view = terminal.View(is_brief, standing.hidden if standing else frozenset())
            terminal.show(out, self.record, self._lab.curriculum, pages, view)
            if standing is not None:
                self._show_standing(out, standing)
            for line in why_no_proof(self.record.facts, self._lab.edited, self._lab.curriculum):
                out.line(f"kafkalab: {line}", yellow=True)
        for trouble in self._troubles:
            out.line(f"kafkalab: {trouble}", red=True)

    def _show_standing(self, out: terminal.Terminal, standing: Standing) -> None:
        from kafkalab.learning_log.next_step import first_question, next_step

        question = None if standing.has_begun or is_ci() else first_question(standing)
        terminal.show_standing(out, standing, next_step(standing), question)

    def _keyword_without_facts(self) -> str:
        """The expression of -k, if it selected no fact; else empty.

        It is also empty if the collection was not finished, or if -k may be meant for the
        project's own tests.
        """
        if self.tests or not self._is_collected or not self._lab.is_alone:
            return ""
        return str(self._config.option.keyword or "")

    def _make_record(self, *, completed: bool) -> RunRecord:
        tests = tuple(self.tests.values())
        return RunRecord(
            run=self._lab.id,
            started=self._started.isoformat(timespec="seconds"),
            completed=completed,
            exit_status=self._exit_status,
            seconds=round(time.monotonic() - self._began, 2),
            command=self._lab.command,
            environment=_environment(),
            broker=self._broker(),
            solutions=str(self._lab.settings.solutions or ""),
            facts=facts_of(self._lab.curriculum, tests, self._lab.edited),
            tests=tests,
        )

    def _broker(self) -> dict[str, Any]:
        state = self._lab.lease.state() or self._lab.lease_apart.state() or {}
        return {
            "backend": self._lab.backend.name,
            "chosen": self._lab.reason,
            "description": self._lab.backend.describe(),
            **{key: state.get(key) for key in ("version", "start_seconds", "started_by", "notes")},
        }


def _tell_junit(
    report: pytest.TestReport, test: TestRecord, curriculum: Curriculum, is_edited: bool
) -> None:
    """Add the properties for JUnit XML to a test's last report."""
    statement = curriculum.statement_of(test.nodeid)
    if statement is not None and report.when == "teardown":
        sentence = statement.sentence
        report.user_properties += [("slug", test.slug), ("role", test.role), ("sentence", sentence)]
        report.user_properties += [("edited", "true")] if is_edited else []


def _environment() -> dict[str, str]:
    packages = ("pytest-kafkalab", "confluent-kafka", "pytest", "pytest-xdist")
    return {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        **{package: version(package) for package in packages},
    }
