"""Run experiments, and users' own tests with evidence, as pytest items that never count.

An experiment runs as its fact does: with the same fixtures, needs and limits. It is not a
statement of the curriculum, so it appears in no record, log or verdict. It has a page of
its own instead (`kafkalab.learning_log.experiment`).
"""

from __future__ import annotations

import bisect
import contextlib
import json
import re
import tokenize
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kafkalab import __version__, collection, facts
from kafkalab.brokers.capabilities import CAPABILITIES
from kafkalab.brokers.errors import BrokerError
from kafkalab.curriculum import Statement
from kafkalab.lab import Lab
from kafkalab.learning_log import run_report
from kafkalab.learning_log.phase import PhaseData
from kafkalab.learning_log.pictures import pictures_of
from kafkalab.learning_log.record import TestRecord
from kafkalab.learning_log.terminal import StepLines, Terminal
from kafkalab.learning_log.verdicts import Outcome

if TYPE_CHECKING:
    from kafkalab.learning_log.experiment import Experiment, Tried

MARKER = (
    "experiment(slug, changes='', versions='', needs=[]): a copy of a fact of kafkalab, to be "
    "changed as you like; it never counts"
)

PROPERTY = "kafkalab-observed"
"""the name in `user_properties` under which a report carries a test's observations"""

IN_A_FILE = re.compile(r"pytest\.mark\.experiment\(\s*['\"]([\w-]+)['\"]")


@dataclass(frozen=True)
class Observed:
    """The data that one phase of a test sends to the controller."""

    slug: str
    """the fact of which it is an experiment; empty for a user's own test"""
    changes: str
    sentence: str
    file: str
    phase: PhaseData

    def attach(self, report: pytest.TestReport) -> None:
        """Put it on a report, as one string: every transport can carry a string."""
        phase = [self.phase.outcome, self.phase.reason, self.phase.evidence]
        text = json.dumps([self.slug, self.changes, self.sentence, self.file, phase])
        report.user_properties.append((PROPERTY, text))

    @classmethod
    def take_from(cls, report: pytest.TestReport) -> Observed | None:
        """Take it off a report, so that JUnit XML stays small; None when there is none."""
        for row in report.user_properties:
            if row[0] == PROPERTY:
                report.user_properties.remove(row)
                slug, changes, sentence, file, phase = json.loads(str(row[1]))
                return cls(slug, changes, sentence, file, PhaseData(*phase))
        return None


class Experiments:
    """Hooks that run where tests run, in workers too."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: Sequence[pytest.Item]
    ) -> None:
        stated = [(item, found) for item in items if (found := self._original(item))]
        if not stated:
            return
        for item, original in stated:
            facts.add_keywords(item, original)
            collection.shield(item, item.path.parent)
            if not config.option.collectonly and not self._lab.trouble:
                self._prepare(item, original)
        if not (config.option.collectonly or self._lab.is_active):
            self._prepare_kafka(config)

    def _prepare_kafka(self, config: pytest.Config) -> None:
        """Prepare Kafka before a time limit begins; a run of facts has done it already."""
        reporter = config.pluginmanager.getplugin("terminalreporter")
        steps = StepLines(None if self._lab.is_worker else reporter)
        # Each test that needs a broker reports such an error itself.
        with contextlib.suppress(BrokerError):
            self._lab.backend.prepare(steps)

    def _prepare(self, item: pytest.Item, original: Statement) -> None:
        backend, given = self._lab.backend, _mark(item).kwargs
        collection.limit_time(item, facts.time_limit(self._lab))
        needs = list(given.get("needs", ()))
        if unknown := [need for need in needs if need not in CAPABILITIES]:
            reason = f"no broker has {unknown[0]}: there are {', '.join(CAPABILITIES)}"
            item.add_marker(pytest.mark.skip(reason=reason))
            return
        facts.skip_unmet_needs(item, backend.capabilities, backend.name, needs)
        stated = replace(original, versions=given.get("versions", ""))
        facts.skip_other_versions(item, stated, backend.kafka_version)

    def _original(self, item: pytest.Item) -> Statement | None:
        """The fact of which an item is an experiment; None for any other test."""
        mark = item.get_closest_marker("experiment")
        if mark is None or not mark.args or item.path.parent == self._lab.curriculum.folder:
            return None
        return self._lab.curriculum.stated_facts.get(str(mark.args[0]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        if self._original(item) is None:
            return (yield)
        with facts.plain_reasons(item):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self._lab.trouble and self._original(item) is not None:
            raise BrokerError.told_again(self._lab.trouble)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        original = self._original(item)
        if original is not None:
            phase = facts.phase_of(item, call, report, self._lab)
            changes = str(_mark(item).kwargs.get("changes", ""))
            Observed(original.slug, changes, _sentence(item), str(item.path), phase).attach(report)
        elif report.when == "teardown" and not self._is_fact(item):
            evidence = item.stash.get(facts.evidence_key, None)
            if evidence is not None and evidence.items:
                phase = PhaseData("", "", evidence.items)
                Observed("", "", "", str(item.path), phase).attach(report)
        return report

    def _is_fact(self, item: pytest.Item) -> bool:
        lab = self._lab
        return lab.is_active and facts.statement_of(item, lab.curriculum) is not None


class ExperimentPages:
    """Hooks that run on the controller only, with and without xdist."""

    def __init__(self, config: pytest.Config, lab: Lab) -> None:
        self._config = config
        self._lab = lab
        self._pictures = pictures_of(lab.settings)
        self._experiments: dict[Path, Experiment] = {}
        self._tests: dict[str, Tried] = {}
        self._running: set[str] = set()
        self._pages: list[Path] = []
        self._trouble: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running.add(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        observed = Observed.take_from(report)
        if observed is None:
            if report.when not in ("setup", "call", "teardown"):
                self._take_crash(report)
            return
        if observed.slug:
            self._take(report, observed)
        if report.when == "teardown":
            self._running.discard(report.nodeid)
            if getattr(self._config.option, "htmlpath", None):
                run_report.attach_evidence(report, observed.phase.evidence, self._pictures)

    def _take(self, report: pytest.TestReport, observed: Observed) -> None:
        test = self._test(report.nodeid, report.location[1] or 0, observed)
        test.record.add(Outcome(observed.phase.outcome), observed.phase.reason, report.duration)
        test.record.evidence += observed.phase.evidence

    def _take_crash(self, report: pytest.TestReport) -> None:
        """Take the report that xdist makes when a worker crashed: it has only a node id."""
        path, _, name = report.nodeid.partition("::")
        file = self._config.rootpath / path
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found = IN_A_FILE.search(file.read_text("utf-8"))
            if found and found[1] in self._lab.curriculum.stated_facts:
                phase = PhaseData(Outcome.INTERRUPTED, str(report.longrepr), [])
                self._take(report, Observed(found[1], "", name, str(file), phase))

    def _test(self, nodeid: str, line: int, observed: Observed) -> Tried:
        # Imported here, so that a project without experiments starts faster.
        from kafkalab.learning_log.experiment import Experiment, Tried

        if nodeid not in self._tests:
            file = Path(observed.file)
            if file not in self._experiments:
                differs = self._differences(observed.slug, file)
                self._experiments[file] = Experiment(observed.slug, file, differs, [], __version__)
            record = TestRecord(nodeid, observed.slug, "experiment")
            tried = Tried(observed.sentence, observed.changes, line, record)
            self._tests[nodeid] = tried
            # Tests may run in any order; the page shows them in the order of the file.
            bisect.insort(self._experiments[file].tests, tried, key=lambda each: each.line)
        return self._tests[nodeid]

    def _differences(self, slug: str, file: Path) -> Sequence[str] | None:
        from kafkalab.curriculum.experiment import body_of, differences

        try:
            # Read as Python does, in the encoding that the file declares.
            with tokenize.open(file) as text:
                return differences(body_of(self._lab.curriculum, slug), text.read())
        except (OSError, UnicodeDecodeError, SyntaxError) as error:
            self._trouble.append(f"cannot compare {file} with its fact: {error}")
            return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        if not self._experiments:
            return
        from kafkalab.learning_log import experiment

        for nodeid in self._running & set(self._tests):
            record = self._tests[nodeid].record
            record.add(Outcome.INTERRUPTED, "the run ended while it ran", 0.0)
        reports = self._lab.settings.reports
        for each in self._experiments.values():
            try:
                page = experiment.page_of(each.file, reports, self._pages)
                experiment.write(each, page, self._pictures)
                self._pages.append(page)
            except OSError as error:
                self._trouble.append(
                    f"the page of an experiment was not written: {error.filename}: "
                    f"{error.strerror}: name another folder with --kafkalab-reports"
                )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._experiments:
            return
        from kafkalab.learning_log import experiment

        out = Terminal(terminalreporter)
        experiment.show(out, list(self._experiments.values()), self._pages)
        for line in self._trouble:
            out.line(f"kafkalab: {line}", red=True)


def _mark(item: pytest.Item) -> pytest.Mark:
    mark = item.get_closest_marker("experiment")
    assert mark is not None, "only an experiment has this mark"
    return mark


def _sentence(item: pytest.Item) -> str:
    """The first line of a test's docstring, or its name if it has no docstring."""
    text = (getattr(getattr(item, "obj", None), "__doc__", None) or "").strip()
    return text.partition("\n")[0] or item.name
