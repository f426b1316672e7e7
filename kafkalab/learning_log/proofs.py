"""What all runs together say of each fact.

For each fact the newest run counts in which it was demonstrated, unsupported or refuted. A run
says nothing about a fact that was not run or was interrupted in it, whose broker failed, or whose
test was edited. A run that leaves a control out does not take away an earlier demonstration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import ceil, inf
from pathlib import Path
from typing import Any

from kafkalab.learning_log.record import EDITED, FactRecord, TestRecord
from kafkalab.learning_log.stored import StoredRun, read_tests
from kafkalab.learning_log.verdicts import Verdict

SAYS_SOMETHING = {Verdict.DEMONSTRATED, Verdict.UNSUPPORTED, Verdict.REFUTED}

# Half an hour, in seconds: in a longer pause the learner did something else.
SITTING = 1800.0


@dataclass(frozen=True)
class TestEvidence:
    """What one test of a fact observed."""

    # Its name begins like a test's; pytest must not take it for one.
    __test__ = False

    role: str
    """`fact` or `control`"""
    name: str
    """the test's name, with its case, as in `test_growing[3]`"""
    items: tuple[dict[str, Any], ...]
    """as `Evidence` records them"""


@dataclass(frozen=True)
class Proof:
    """The newest proof of one fact, and what it observed."""

    fact: FactRecord
    """sentence, scope, verdict, reason and controls, as of that run"""
    run: str
    started: str
    """ISO 8601, with offset"""
    kafka: str
    """the Kafka that it ran on, as in `Kafka 4.4.0, embedded`"""
    evidence: tuple[TestEvidence, ...]
    """the fact's own tests first, then its controls'"""

    @property
    def is_demonstration(self) -> bool:
        return self.fact.verdict is Verdict.DEMONSTRATED

    @property
    def has_failed(self) -> bool:
        """Whether it was refuted, or unsupported for another reason than a missing control.

        Then the learner has to look at it; another run alone does not help.
        """
        says = self.fact.verdict in (Verdict.REFUTED, Verdict.UNSUPPORTED)
        return says and not self.fact.leaves_control_out


class Proofs:
    """What the runs say of each fact; `sentences` are the facts as they are stated now."""

    def __init__(
        self, folder: Path, runs: Sequence[StoredRun], sentences: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._tests: dict[str, tuple[TestRecord, ...]] = {}
        self._said: dict[tuple[str, str], tuple[StoredRun, FactRecord]] = {}
        self._later: dict[tuple[str, str], str] = {}
        self._last_run: dict[str, str] = {}
        self._own_folder: dict[str, str] = {}
        for run in runs:
            for fact in run.facts:
                self._take(run, _as_it_counts(run, fact), sentences.get(fact.slug))

    def _take(self, run: StoredRun, fact: FactRecord, sentence: str | None) -> None:
        own = run.solutions if fact.is_about_component else ""
        self._last_run[fact.task] = run.started
        if own:
            self._own_folder[fact.task] = own
        key = fact.slug, own
        held = self._said.get(key)
        if fact.sentence == sentence and (held is None or counts_after(fact, held[1])):
            self._said[key] = run, fact
            self._later.pop(key, None)
        elif fact.sentence == sentence or held is None:
            self._later[key] = _word(run, fact, sentence)

    def own_folder(self, task: str) -> str:
        """The folder of the task's component that was judged last; empty when none was."""
        return self._own_folder.get(task, "")

    def last_run(self, task: str) -> str | None:
        """When the last run began that selected a fact of the task."""
        return self._last_run.get(task)

    def later(self, slug: str, own: str = "") -> str:
        """A note on a later run that does not count; empty when there was none."""
        return self._later.get((slug, own), "")

    def proof(self, slug: str, own: str = "") -> Proof | None:
        """The proof that counts, for the reference or for the components in a folder."""
        if (slug, own) not in self._said:
            return None
        run, fact = self._said[slug, own]
        if run.file not in self._tests:
            self._tests[run.file] = read_tests(self._folder, run)
        evidence = [
            TestEvidence(test.role, test.nodeid.partition("::")[2], tuple(test.evidence))
            for test in self._tests[run.file]
            if test.slug == slug
        ]
        # A run may have its tests in any order.
        evidence.sort(key=lambda each: (each.role == "control", each.name))
        return Proof(fact, run.run, run.started, run.kafka, tuple(evidence))


def counts_after(new: FactRecord, old: FactRecord) -> bool:
    """Whether a later run's verdict on a fact replaces the earlier one."""
    if new.verdict not in SAYS_SOMETHING:
        return old.verdict not in SAYS_SOMETHING
    return old.verdict is not Verdict.DEMONSTRATED or not new.leaves_control_out


def _as_it_counts(run: StoredRun, fact: FactRecord) -> FactRecord:
    """A fact of a run; its verdict is taken away if the run or the test cannot give one.

    A verdict needs a completed run: this one was killed, or it goes on. Or the test is not the
    one that kafkalab ships: it was edited.
    """
    if not run.completed:
        return replace(fact, verdict=Verdict.INTERRUPTED, reason="the run was not completed")
    if fact.edited:
        return replace(fact, verdict=Verdict.NOT_RUN, reason=EDITED)
    return fact


def _word(run: StoredRun, fact: FactRecord, sentence: str | None) -> str:
    """What a run that does not count says of a fact, in one line."""
    if fact.sentence != sentence:
        said = f"{fact.verdict}, when it said: {fact.sentence}"
    else:
        said = ", ".join([fact.verdict, *fact.reason.splitlines()[:1]])
    return f"{run.began:%d %b %Y, %H:%M}: {said}".lstrip("0")


def minutes_spent(runs: Sequence[StoredRun]) -> dict[str, int]:
    """The minutes spent on each task, computed from the runs.

    A run of one task counts until the next run of any task begins, if that is within
    half an hour; otherwise only the time of the run itself counts.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    for run, following in zip_longest(runs, runs[1:]):
        tasks = {fact.task for fact in run.facts}
        if len(tasks) == 1:
            until_next = (following.began - run.began).total_seconds() if following else inf
            # Two runs may overlap: then the next one begins before this one ends.
            sat = until_next if until_next <= SITTING else 0
            seconds[tasks.pop()] += max(sat, run.seconds)
    return {task: ceil(total / 60) for task, total in seconds.items()}
