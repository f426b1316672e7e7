"""Run each fact in a process of its own if it may run the learner's code.

The learner's code may hang where no signal reaches it, end its process, or change things that
all code of a process shares: the clock, the current folder, open files. So if
`--kafkalab-solutions` names a folder, pytest's own process runs none of its code. It forks a
process for each fact, takes the reports from there, and ends that process with all its
children. A fact has a verdict even if its process ends early or has to be killed.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from kafkalab import facts
from kafkalab.brokers.errors import BrokerError
from kafkalab.lab import Lab
from kafkalab.learning_log.phase import PhaseData
from kafkalab.learning_log.verdicts import Outcome
from kafkalab.loading import Loading, own_place, own_skip, why_ended
from kafkalab.offspring import Frame, Mouth, Offspring, orphans_adopted

# Seconds after its limit in which a fact may still clean up.
TIDY_LIMIT = 10.0

# Characters kept of the printed output and of a failure: half of them from each end.
MOST_SHOWN = 20_000
SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
)
"""an escape sequence of a terminal, such as a colour or a title; the last one may be cut off"""
SAFE_START = re.compile(r"\n|(?=\x1b)")


class Isolation:
    """Runs each fact in a process of its own."""

    def __init__(self, config: pytest.Config, lab: Lab) -> None:
        self._config = config
        self._lab = lab
        self._mouth: Mouth | None = None
        """set in the process of a fact; None in pytest's own process"""
        self._timers: dict[pytest.Item, Any] = {}
        self._loading = Loading(lab)

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        # The test does not run here. The timer is set in its own process, where it can name the
        # line at which the test hangs.
        if self._mouth is not None or not self._is_isolated(item):
            return None
        self._timers[item] = settings
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if not self._is_isolated(item):
            return None
        tell, place = item.ihook, item.location
        tell.pytest_runtest_logstart(nodeid=item.nodeid, location=place)
        for report in self._reports(item):
            tell.pytest_runtest_logreport(report=report)
        tell.pytest_runtest_logfinish(nodeid=item.nodeid, location=place)
        return True

    def pytest_enter_pdb(self) -> None:
        if self._mouth is not None:
            self._mouth.say(unlimited=True)

    def _is_isolated(self, item: pytest.Item) -> bool:
        return not self._lab.trouble and facts.statement_of(item, self._lab.curriculum) is not None

    def _reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        """Run a test, and return a report of each phase."""
        self._prepare(item)
        timer = self._timers.pop(item, None)
        limit = timer.timeout if timer else facts.time_limit(self._lab)
        reports: list[pytest.TestReport] = []
        began = time.monotonic()
        with orphans_adopted(), self._captured() as capture:
            if reason := self._why_not_loaded(item, limit):
                took = time.monotonic() - began
                return self._completed(item, [], Outcome.REFUTED, reason, capture(), took)
            offspring = Offspring(partial(self._be, item, timer))
            try:
                for said in offspring.said(limit + TIDY_LIMIT):
                    if "report" in said:
                        reports.append(self._unpacked(said["report"]))
                    if said.get("stop"):
                        item.session.shouldstop = said["stop"]
                stacks = offspring.stacks() if offspring.why_ended else []
            finally:
                offspring.end()
            printed = capture()
        if offspring.why_ended:
            took = time.monotonic() - began
            outcome, reason = self._judged(item, offspring, stacks)
            return self._completed(item, reports, outcome, reason, printed, took)
        return reports

    def _prepare(self, item: pytest.Item) -> None:
        """Make here what all facts share, or what must outlive the fact."""
        names = set(getattr(item, "fixturenames", ()))
        if "tmp_path" in names:
            # pytest gives the run's folder its number at the first request.
            self._config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        if item.get_closest_marker("skip") is not None:
            return
        # If this fails, the fact gets the same error when it asks for its broker.
        with contextlib.suppress(BrokerError):
            if "private_broker" in names or "solutions" in names:
                self._lab.lease.run.open()
            if "broker" in names and "private_broker" not in names:
                is_judge = _judges_a_component(item)
                (self._lab.lease if is_judge else self._lab.lease_apart).broker()

    def _why_not_loaded(self, item: pytest.Item, limit: float) -> str:
        """Why the component of a fact's task cannot be loaded; empty if it can or is not judged."""
        is_run = item.get_closest_marker("skip") is None and self._lab.run.folder.exists()
        if not is_run or not _judges_a_component(item):
            return ""
        return self._loading.why_not(self._component(item), limit)

    def _component(self, item: pytest.Item) -> str:
        """The name of the component of a fact's task."""
        statement = facts.statement_of(item, self._lab.curriculum)
        assert statement is not None
        return self._lab.curriculum.task(statement.task).component

    # In the fact's process

    def _be(self, item: pytest.Item, timer: Any, mouth: Mouth) -> None:
        """Run the phases of a fact in its own process, and send a report of each."""
        self._mouth = mouth
        self._lab.forget_lease()
        if timer is not None:
            item.ihook.pytest_timeout_set_timer(item=item, settings=timer)
        passed = self._run_phase(item, "setup")
        if passed:
            self._run_phase(item, "call")
        # The fixtures of the module and the session stay: other tests use them, too.
        self._run_phase(item, "teardown", nextitem=item.parent)
        mouth.say(done=True, stop=item.session.shouldstop)

    def _run_phase(self, item: pytest.Item, when: Any, **arguments: Any) -> bool:
        run = partial(getattr(item.ihook, f"pytest_runtest_{when}"), item=item, **arguments)
        # Every exception is the test's own, even KeyboardInterrupt: this process ignores Ctrl-C.
        surroundings = _Surroundings()
        call = pytest.CallInfo.from_call(partial(self._no_skip_of_its_own, run), when)
        surroundings.restore()
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        report.sections = [(name, shown(text)) for name, text in report.sections]
        if len(text := report.longreprtext) > 2 * MOST_SHOWN:
            report.longrepr = shown(text)
        assert self._mouth is not None
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._mouth.say(report=data)
        return report.passed

    def _no_skip_of_its_own(self, run: Callable[[], object]) -> None:
        """Run a phase; fail it if a component skips its own test."""
        try:
            run()
        except pytest.skip.Exception as skip:
            if reason := own_skip(skip, self._lab.solutions_folder):
                raise AssertionError(reason) from None
            raise

    # In pytest's own process

    @contextlib.contextmanager
    def _captured(self) -> Iterator[Any]:
        """Capture what is printed in the block; yield a function that returns it."""
        capture = self._config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            yield lambda: ""
            return
        capture.resume_global_capture()
        try:
            yield lambda: shown("".join(capture.read_global_capture()))
        finally:
            capture.suspend_global_capture()

    def _unpacked(self, data: dict[str, Any]) -> pytest.TestReport:
        hook = self._config.hook
        report = hook.pytest_report_from_serializable(config=self._config, data=data)
        if isinstance(report.longrepr, list):
            # The reason of a skip: JSON made a list of the tuple, and JUnit XML needs a tuple.
            report.longrepr = tuple(report.longrepr)
        return cast("pytest.TestReport", report)

    def _judged(
        self, item: pytest.Item, offspring: Offspring, stacks: Sequence[Sequence[Frame]]
    ) -> tuple[Outcome, str]:
        """The outcome and the reason of a fact if its process ended early."""
        place = own_place(stacks, self._lab.solutions_folder, item.path)
        if not (place or _judges_a_component(item)):
            if failure := facts.shared_broker_is_gone(self._lab):
                return Outcome.INVALID, failure
            late = offspring.is_late
            return (Outcome.INVALID if late else Outcome.INTERRUPTED), offspring.why_ended
        if offspring.is_late and not place and (failure := facts.shared_broker_is_gone(self._lab)):
            return Outcome.INVALID, failure
        return Outcome.REFUTED, why_ended(offspring, place, self._component(item))

    def _completed(
        self,
        item: pytest.Item,
        reports: Sequence[pytest.TestReport],
        outcome: Outcome,
        reason: str,
        printed: str,
        seconds: float,
    ) -> list[pytest.TestReport]:
        """The reports of all phases, with new ones for the phases that sent none."""
        made = [*reports]
        for when in ("setup", "call", "teardown")[len(made) :]:
            failed = all(each.passed for each in made) and when != "setup"
            if made and made[0].outcome != "passed" and when == "call":
                continue
            report = pytest.TestReport(
                item.nodeid,
                item.location,
                dict.fromkeys(item.keywords, 1),
                "failed" if failed else "passed",
                reason if failed else None,
                cast("Any", when),
                sections=[("Captured output", printed)] if failed and printed else (),
                duration=seconds if failed else 0.0,
            )
            PhaseData(outcome if failed else Outcome.PASSED, reason if failed else "", []).attach(
                report
            )
            made.append(report)
        return made


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """The text; its middle is left out if it is longer than that many characters.

    It cuts no escape sequence in half, and no colour runs on into the text after the cut.
    """
    if len(text) <= most:
        return text
    head = text[: _sequence_at(text, most // 2)[0]]
    tail = text[_sequence_at(text, len(text) - most // 2)[1] :]
    if start := SAFE_START.search(tail):
        tail = tail[start.end() :]
    end = "\x1b[0m" if "\x1b" in head else ""
    left_out = len(text) - len(head) - len(tail)
    return f"{head}{end}\n[... {left_out:,} characters are left out here ...]\n{tail}"


def _sequence_at(text: str, at: int) -> tuple[int, int]:
    """Start and end of the escape sequence around a position; else the position, twice."""
    found = SEQUENCE.match(text, text.rfind("\x1b", 0, at)) if "\x1b" in text[:at] else None
    return found.span() if found is not None and found.end() > at else (at, at)


def _judges_a_component(item: pytest.Item) -> bool:
    return "solutions" in getattr(item, "fixturenames", ())


class _Surroundings:
    """State that all code of a process shares and that pytest needs to make a report."""

    def __init__(self) -> None:
        self._modules = {each: dict(vars(each)) for each in (builtins, os, time)}
        self._environment = dict(os.environ)
        self._folder = Path.cwd()

    def restore(self) -> None:
        """Put everything back as it was."""
        for module, names in self._modules.items():
            vars(module).update(names)
        os.environ.update(self._environment)
        with contextlib.suppress(OSError):
            os.chdir(self._folder)
