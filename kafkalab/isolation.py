"""Facts that may run the learner's code run in processes of their own, one for each.

Such code may hang where no signal reaches it, end its process, or change what all code of a
process shares: its clock, its folder, its open files. So where `--kafkalab-solutions` names a
folder, pytest's own process runs none of it: it forks a process for each fact, takes the
reports that come from there, and ends it with all that it has started. A fact whose process
ends early, or has to be ended, has its verdict all the same.
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
from traceback import walk_tb
from typing import Any, cast

import pytest

from kafkalab import facts, own_code
from kafkalab.brokers.errors import BrokerError
from kafkalab.lab import Lab
from kafkalab.learning_log.phase import PhaseData
from kafkalab.learning_log.verdicts import TIMEOUT_TEXT, TOO_LATE, Outcome
from kafkalab.offspring import Frame, Mouth, Offspring, orphans_adopted

# Seconds beyond its limit in which a fact that heard of it may tidy up.
TIDY_LIMIT = 10.0

# Characters of what was printed, and of a failure, that are kept: half of them from each end.
MOST_SHOWN = 20_000
SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
)
"""an escape sequence of a terminal: a colour, a title, whatever; the last may lack its end"""
SAFE_START = re.compile(r"\n|(?=\x1b)")


class Isolation:
    """Runs each fact in a process of its own."""

    def __init__(self, config: pytest.Config, lab: Lab) -> None:
        self._config = config
        self._lab = lab
        self._mouth: Mouth | None = None
        """of the process of a fact; none in pytest's own"""
        self._timers: dict[pytest.Item, Any] = {}
        self._hangs: dict[Path, str] = {}
        """why the component of a task's module cannot be loaded, where that takes for ever"""

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        # The test is not run here. In its own process the timer is set, and tells the place.
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
        if _judges_a_component(item) and item.path in self._hangs:
            return self._completed(item, [], Outcome.REFUTED, self._hangs[item.path], "", 0.0)
        self._prepare(item)
        timer = self._timers.pop(item, None)
        limit = (timer.timeout if timer else facts.time_limit(self._lab)) + TIDY_LIMIT
        reports: list[pytest.TestReport] = []
        began = time.monotonic()
        with orphans_adopted(), self._captured() as capture:
            offspring = Offspring(partial(self._be, item, timer))
            try:
                for said in offspring.said(limit):
                    if "report" in said:
                        reports.append(self._unpacked(said["report"]))
                    if reason := said.get("hangs"):
                        self._hangs[item.path] = reason
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
        """Make here what is to outlive the fact, or is there for all facts."""
        names = set(getattr(item, "fixturenames", ()))
        if "tmp_path" in names:
            # pytest numbers the folder of a run when it is first asked for.
            self._config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        if item.get_closest_marker("skip") is not None:
            return
        # Why it cannot be had, the fact is told again when it asks.
        with contextlib.suppress(BrokerError):
            if "private_broker" in names:
                self._lab.lease.run.open()
            elif "broker" in names:
                self._lab.lease.broker()

    # In the fact's process

    def _be(self, item: pytest.Item, timer: Any, mouth: Mouth) -> None:
        """Be the process of a fact: run its phases, and tell of each."""
        self._mouth = mouth
        self._lab.forget_lease()
        if timer is not None:
            item.ihook.pytest_timeout_set_timer(item=item, settings=timer)
        passed = self._run_phase(item, "setup")
        if passed:
            self._run_phase(item, "call")
        # What is of a module or a session, and of others' tests too, stays as it is.
        self._run_phase(item, "teardown", nextitem=item.parent)
        mouth.say(done=True, stop=item.session.shouldstop)

    def _run_phase(self, item: pytest.Item, when: Any, **arguments: Any) -> bool:
        run = partial(getattr(item.ihook, f"pytest_runtest_{when}"), item=item, **arguments)
        # Whatever comes out of it is the test's, KeyboardInterrupt too: Ctrl-C is not heard here.
        surroundings = _Surroundings()
        call = pytest.CallInfo.from_call(partial(self._no_skip_of_its_own, run), when)
        surroundings.restore()
        report: pytest.TestReport = item.ihook.pytest_runtest_makereport(item=item, call=call)
        report.sections = [(name, shown(text)) for name, text in report.sections]
        if len(text := report.longreprtext) > 2 * MOST_SHOWN:
            report.longrepr = shown(text)
        assert self._mouth is not None
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._mouth.say(report=data, hangs=_loads_for_ever(call, report))
        return report.passed

    def _no_skip_of_its_own(self, run: Callable[[], object]) -> None:
        """Whether a component is judged is not for the component to say."""
        try:
            run()
        except pytest.skip.Exception as skip:
            for frame, line in walk_tb(skip.__traceback__):
                file, folder = Path(frame.f_code.co_filename), self._lab.solutions_folder
                if own_code.is_own(file, folder):
                    place = f"{file.relative_to(folder).as_posix()}:{line}"
                    raise AssertionError(f"{place}: it skips its own test: {skip}") from None
            raise

    # In pytest's own process

    @contextlib.contextmanager
    def _captured(self) -> Iterator[Any]:
        """Capture what is printed meanwhile; the value returns what was."""
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
            # Of a skip: JSON knows no tuple, and pytest's JUnit XML nothing else.
            report.longrepr = tuple(report.longrepr)
        return cast("pytest.TestReport", report)

    def _judged(
        self, item: pytest.Item, offspring: Offspring, stacks: Sequence[Sequence[Frame]]
    ) -> tuple[Outcome, str]:
        """What it says of a fact that its process ended early, and the reason."""
        reason = f"{TOO_LATE if offspring.is_late else ''}{offspring.why_ended}"
        if place := _own_place(stacks, item.path, self._lab.solutions_folder):
            reason = f"{place}: {reason}"
            if offspring.is_late and _is_loading(stacks):
                self._hangs[item.path] = reason
        if place or (_judges_a_component(item) and not offspring.is_late):
            return Outcome.REFUTED, reason
        if failure := facts.shared_broker_is_gone(self._lab):
            return Outcome.INVALID, failure
        if _judges_a_component(item):
            return Outcome.REFUTED, reason
        return (Outcome.INVALID if offspring.is_late else Outcome.INTERRUPTED), reason

    def _completed(
        self,
        item: pytest.Item,
        reports: Sequence[pytest.TestReport],
        outcome: Outcome,
        reason: str,
        printed: str,
        seconds: float,
    ) -> list[pytest.TestReport]:
        """The reports of the phases, with those that never came."""
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
    """The text, without its middle where it is longer than so many characters.

    No escape sequence is cut in half, and none goes on into what follows.
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
    """Where the escape sequence that goes on over a place begins and ends; the place itself."""
    found = SEQUENCE.match(text, text.rfind("\x1b", 0, at)) if "\x1b" in text[:at] else None
    return found.span() if found is not None and found.end() > at else (at, at)


def _judges_a_component(item: pytest.Item) -> bool:
    return "solutions" in getattr(item, "fixturenames", ())


def _loads_for_ever(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    """Why a component cannot be loaded, where the limit ran out over it; else empty."""
    if call.excinfo is None or not str(call.excinfo.value).startswith(TIMEOUT_TEXT):
        return ""
    frames = walk_tb(call.excinfo.value.__traceback__)
    if own_code.Folder.load.__code__ not in {frame.f_code for frame, _ in frames}:
        return ""
    data = PhaseData.take_from(report)
    assert data is not None
    data.attach(report)
    return data.reason


def _is_loading(stacks: Sequence[Sequence[Frame]]) -> bool:
    code = own_code.Folder.load.__code__
    where = Path(code.co_filename)
    return any(
        (file, function) == (where, code.co_name) for stack in stacks for file, _, function in stack
    )


def _own_place(stacks: Sequence[Sequence[Frame]], test: Path, folder: Path) -> str:
    """File and line of the learner's code in which a process stood; empty where it did not.

    The thread of the test itself counts first.
    """
    for stack in sorted(stacks, key=lambda each: test not in {frame.file for frame in each}):
        for file, line, _ in stack:
            if own_code.is_own(file, folder) and file != test:
                return f"{file.relative_to(folder).as_posix()}:{line}"
    return ""


class _Surroundings:
    """What all code of a process shares, and no report can be made without."""

    def __init__(self) -> None:
        self._modules = {each: dict(vars(each)) for each in (builtins, os, time)}
        self._environment = dict(os.environ)
        self._folder = Path.cwd()

    def restore(self) -> None:
        """Make it as it was."""
        for module, names in self._modules.items():
            vars(module).update(names)
        os.environ.update(self._environment)
        with contextlib.suppress(OSError):
            os.chdir(self._folder)
