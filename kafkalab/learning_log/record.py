"""A run as data, from which the terminal's view and all pages are made."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafkalab.curriculum import Curriculum, Statement
from kafkalab.learning_log.verdicts import SEVERITY, Outcome, Verdict, verdict, worst
from kafkalab.learning_log.written import write_whole
from kafkalab.readable import LINES, readable

if TYPE_CHECKING:
    import pytest

SCHEMA = 1

EDITED = "its test was edited, so it does not count as proof"


@dataclass
class TestRecord:
    """What happened to one test item."""

    # Its name begins like a test's; pytest must not take it for one.
    __test__ = False

    nodeid: str
    slug: str
    role: str
    outcome: Outcome = Outcome.NOT_RUN
    reason: str = ""
    seconds: float = 0.0
    evidence: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcome: Outcome, reason: str, seconds: float) -> None:
        """Add the result of one phase: the worst outcome counts, with its own reason."""
        self.seconds += seconds
        if self.outcome is Outcome.NOT_RUN or SEVERITY.index(outcome) < SEVERITY.index(
            self.outcome
        ):
            # Escapes for a terminal's colours or bell mean nothing in a record.
            self.outcome, self.reason = outcome, readable(reason, keep=LINES)


@dataclass(frozen=True, slots=True)
class ControlRecord:
    """What happened to one control; for a parametrised one, the worst of its cases."""

    sentence: str
    changes: str
    outcome: Outcome
    reason: str
    seconds: float


def is_about_component(scope: str) -> bool:
    """Whether a fact of this scope judges a component; all others are about Kafka."""
    return scope.startswith("the component")


def holds_for(scope: str, versions: str) -> str:
    """Scope and versions of Kafka in one phrase, as in `KIP-848, Kafka <4.3`."""
    return f"{scope}, Kafka {versions}" if versions else scope


@dataclass(frozen=True, slots=True)
class FactRecord:
    """The verdict on one fact after the run, and what it rests on.

    Records of earlier runs are read, too: so each field that is added needs a default.
    """

    slug: str
    task: str
    sentence: str
    scope: str
    verdict: Verdict
    reason: str
    seconds: float
    controls: tuple[ControlRecord, ...]
    no_control: str
    versions: str = ""
    """the versions of Kafka for which it is stated, as in `>=4.1`; empty means all"""
    edited: bool = False
    """whether its tests differ from those that kafkalab ships: then it proves nothing"""

    @property
    def is_about_component(self) -> bool:
        return is_about_component(self.scope)

    @property
    def needs_a_look(self) -> bool:
        """Whether it has another verdict than "demonstrated" or "not run"."""
        return self.verdict not in (Verdict.DEMONSTRATED, Verdict.NOT_RUN)

    @property
    def leaves_control_out(self) -> bool:
        """Whether it is unsupported only because a control was skipped or not run."""
        return self.verdict is Verdict.UNSUPPORTED and all(
            control.outcome is not Outcome.REFUTED for control in self.controls
        )

    @property
    def has_failed(self) -> bool:
        """Whether something is wrong: this is shown even if the fact is yet to be predicted."""
        return self.needs_a_look and not self.leaves_control_out

    @property
    def holds_for(self) -> str:
        """Its scope, and the versions of Kafka for which it is stated."""
        return holds_for(self.scope, self.versions)


@dataclass(frozen=True)
class RunRecord:
    """One run of pytest, readable by any later version that knows the schema."""

    run: str
    started: str
    """ISO 8601, with offset"""
    completed: bool
    """false while the run goes on; it stays false if the run was killed"""
    exit_status: int | None
    seconds: float
    command: tuple[str, ...]
    environment: Mapping[str, str]
    broker: Mapping[str, Any]
    solutions: str
    """the folder of the learner's components; empty for the reference"""
    facts: tuple[FactRecord, ...]
    tests: tuple[TestRecord, ...]
    schema: int = SCHEMA

    def write(self, path: Path) -> None:
        """Write the record as JSON, in one step: a reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)
        # An undecodable file name has lone surrogates, which UTF-8 cannot encode.
        write_whole(path, text.encode("utf-8", "replace"))


def facts_of(
    curriculum: Curriculum, tests: Sequence[TestRecord], edited: Collection[str] = ()
) -> tuple[FactRecord, ...]:
    """The facts of which at least one test was selected, in the curriculum's order.

    Args:
        curriculum: states the facts.
        tests: what happened to each test.
        edited: the slugs of facts whose tests differ from those that kafkalab ships.
    """
    selected = {test.slug for test in tests}
    by_statement: dict[tuple[str, str], list[TestRecord]] = {}
    for test in tests:
        statement = curriculum.statement_of(test.nodeid)
        if statement is not None:
            by_statement.setdefault((statement.module, statement.function), []).append(test)

    def ran(statement: Statement) -> list[TestRecord]:
        return by_statement.get((statement.module, statement.function), [])

    stated = curriculum.stated_facts
    return tuple(
        replace(_fact_record(curriculum, stated[slug], ran), edited=slug in edited)
        for task in curriculum.tasks
        for slug in task.facts
        if slug in selected and slug in stated
    )


class FactsSoFar:
    """The facts whose tests are all over, while a run goes on."""

    def __init__(
        self,
        curriculum: Curriculum,
        tests: Mapping[str, TestRecord],
        edited: Collection[str] = (),
    ) -> None:
        """Take what the records are made from.

        Args:
            curriculum: states the facts.
            tests: the records of the selected tests by node id; all are there before a test ends.
            edited: the slugs of facts whose tests differ from those that kafkalab ships.
        """
        self._curriculum = curriculum
        self._tests = tests
        self._edited = edited
        self._over: set[str] = set()

    @cached_property
    def _by_slug(self) -> Mapping[str, Sequence[TestRecord]]:
        found: dict[str, list[TestRecord]] = {}
        for test in self._tests.values():
            found.setdefault(test.slug, []).append(test)
        return found

    @property
    def total(self) -> int:
        """How many facts the run has."""
        return len(self._by_slug)

    def tests_of(self, slug: str) -> Sequence[TestRecord]:
        """What happened to each selected test of a fact so far."""
        return self._by_slug[slug]

    def completed_by(self, report: pytest.TestReport) -> FactRecord | None:
        """The fact whose last test ends with this report of pytest's; None if there is none."""
        test = self._tests.get(report.nodeid)
        # A test whose worker crashed has one report, and that is of no phase.
        if test is None or report.when in ("setup", "call"):
            return None
        self._over.add(report.nodeid)
        tests = self.tests_of(test.slug)
        if not self._over.issuperset(each.nodeid for each in tests):
            return None
        return next(iter(facts_of(self._curriculum, tests, self._edited)), None)


def _fact_record(curriculum: Curriculum, fact: Statement, ran: Any) -> FactRecord:
    same_slug = [each for each in curriculum.statements if each.slug == fact.slug]
    own = [test for each in same_slug if each.role == "fact" for test in ran(each)]
    controls = tuple(
        ControlRecord(each.sentence, each.changes, *_worst_of(ran(each)), _seconds(ran(each)))
        for each in same_slug
        if each.role == "control"
    )
    outcome, reason = _worst_of(own)
    said = verdict(outcome, [control.outcome for control in controls])
    if outcome is Outcome.PASSED and said is not Verdict.DEMONSTRATED:
        weak = min(controls, key=lambda control: SEVERITY.index(control.outcome))
        reason = f"control {weak.outcome}" + (f": {weak.reason}" if weak.reason else "")
    return FactRecord(
        slug=fact.slug,
        task=fact.task,
        sentence=fact.sentence,
        scope=fact.scope,
        versions=fact.versions,
        verdict=said,
        reason=reason,
        seconds=round(_seconds(own), 3),
        controls=controls,
        no_control=curriculum.task(fact.task).facts[fact.slug].no_control,
    )


def _worst_of(tests: Sequence[TestRecord]) -> tuple[Outcome, str]:
    outcome = worst(test.outcome for test in tests)
    return outcome, next((test.reason for test in tests if test.outcome is outcome), "")


def _seconds(tests: Iterable[TestRecord]) -> float:
    return round(sum(test.seconds for test in tests), 3)
