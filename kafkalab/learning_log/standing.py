"""Where the learner stands, in each fact, in each task and in all.

Two columns that are never added up: what is the learner's, made of the acts, and what was
proved on this machine, made of the run records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, reduce
from pathlib import Path
from typing import Literal

from kafkalab.config import KAFKA_VERSION
from kafkalab.curriculum import Curriculum, Statement, Task
from kafkalab.learning_log import acts, journal
from kafkalab.learning_log.commands import fact_command, task_command, with_solutions
from kafkalab.learning_log.progress import (
    Count,
    FactProgress,
    OwnCode,
    Progress,
    Replay,
    question_of,
    replay,
)
from kafkalab.learning_log.proofs import Proof, Proofs, minutes_spent
from kafkalab.learning_log.record import holds_for, is_about_component
from kafkalab.learning_log.stored import StoredRun, read_runs
from kafkalab.learning_log.verdicts import Verdict

Status = Literal["not started", "in progress", "done"]


@dataclass(frozen=True)
class FactStanding:
    """A fact of the curriculum, as it is stated now, proved or not."""

    slug: str
    sentence: str
    why: tuple[str, ...]
    """why it is so, and why it matters, in paragraphs"""
    scope: str
    """with the versions of Kafka, where it is stated for some only"""
    hint: str
    no_control: str
    is_about_component: bool
    is_slow: bool
    """it takes a minute, and is left out unless it is asked for"""
    optional: str
    """why it need not be demonstrated, as in `it takes a minute`; empty where it must"""
    code: str
    """where it stands, as in `tests_module_a/test_task_1_2_routing.py:123`"""
    command: str
    """what runs it again, with its controls"""
    proof: Proof | None
    """of a component: of the reference"""
    own: Proof | None
    """facts about components only: of the learner's own code, judged with --kafkalab-solutions"""
    later: str
    """a word on a later run that says nothing of it; empty when there was none"""
    own_command: str
    """what has it judge the learner's own code again; empty where it never did"""
    own_later: str
    """as `later`, of the learner's own code"""
    question: str
    """what is asked before it is run; empty of a component's, whose sentence says what to do"""
    yours: FactProgress
    """what the learner did with it"""
    is_hidden: bool
    """its sentence would give an answer away that the learner has yet to predict"""

    @property
    def can_be_predicted(self) -> bool:
        """Whether a prediction would count now."""
        return bool(self.question) and self.yours.can_be_predicted

    @property
    def is_due(self) -> bool:
        """Whether it is to be explained once more."""
        return self.yours.explained is not None and self.yours.explained.is_due

    @property
    def is_learned(self) -> bool:
        """Whether the learner did all that is asked for: of a component's it holds as it is now."""
        if self.is_about_component:
            return self.yours.built == "holds"
        return self.yours.predicted is not None and self.yours.explained is not None

    @property
    def verdict(self) -> Verdict:
        """What was said last; of a component the better of the reference's and one's own."""
        proofs = [proof for proof in (self.proof, self.own) if proof is not None]
        best = sorted(proofs, key=lambda proof: not proof.is_demonstration)
        return best[0].fact.verdict if best else Verdict.NOT_RUN

    @property
    def is_demonstrated(self) -> bool:
        return self.verdict is Verdict.DEMONSTRATED


@dataclass(frozen=True)
class TaskStanding:
    """Where the learner stands in one task."""

    task: Task
    facts: tuple[FactStanding, ...]
    own_folder: str
    """where the learner's own component is, that was judged last; empty until one was"""
    own_code: OwnCode | None
    """the learner's own component in which most facts hold; None until one was judged"""
    entry: journal.Entry
    proposed_minutes: int
    """time spent, as the runs tell it"""
    last_run: str | None
    """when the last run began that selected any of its facts; ISO 8601"""
    command: str
    """what runs all of it"""
    days: tuple[date, ...]
    """on which the learner did something for it, the first day first"""

    @property
    def needed(self) -> tuple[FactStanding, ...]:
        """The facts that count: all that are not optional."""
        return tuple(fact for fact in self.facts if not fact.optional)

    @property
    def asked(self) -> tuple[FactStanding, ...]:
        """The needed facts that are to be predicted and explained: those about Kafka."""
        return tuple(fact for fact in self.needed if fact.question)

    @property
    def proved(self) -> Count:
        """The needed facts that were demonstrated on this machine."""
        return Count(sum(fact.is_demonstrated for fact in self.needed), len(self.needed))

    @cached_property
    def yours(self) -> Progress:
        """What the learner did of it."""
        asked, component = self.asked, [fact for fact in self.needed if fact.is_about_component]
        return Progress(
            predicted=_count(fact.yours.predicted is not None for fact in asked),
            explained=_count(fact.yours.explained is not None for fact in asked),
            built=_count(fact.yours.built == "holds" for fact in component),
            surprises=sum(fact.yours.is_surprise for fact in asked),
            due=sum(fact.is_due for fact in asked),
            changed=sum(fact.yours.built == "changed" for fact in component),
        )

    @property
    def concepts(self) -> tuple[tuple[str, bool], ...]:
        """The key concepts, and whether the learner has learned each."""
        facts = {fact.slug: fact for fact in self.facts}
        return tuple(
            (concept.title, _is_learned([facts[slug] for slug in concept.facts if slug in facts]))
            for concept in self.task.concepts
        )

    @property
    def learnings(self) -> Count:
        """The key concepts that are learned."""
        return _count(is_learned for _, is_learned in self.concepts)

    @property
    def code_files(self) -> Count:
        """The component's file, done when there is one that was judged, whatever holds for it."""
        is_there = self.own_code is not None and self.own_code.is_there
        return _count([is_there] if self.yours.built.of else [])

    @property
    def status(self) -> Status:
        # Of a curriculum that asks nothing there is only what was proved.
        if (self.yours.whole if self.yours.whole.of else self.proved).is_full:
            return "done"
        is_begun = self.days or self.own_code or self.entry != journal.Entry()
        return "in progress" if is_begun else "not started"

    @property
    def started(self) -> date | None:
        """As the journal says, or the day of the first act."""
        return self.entry.started or (self.days[0] if self.days else None)

    @property
    def completed(self) -> date | None:
        """As the journal says, or the day on which the last that was missing was done."""
        if self.entry.completed or self.status != "done":
            return self.entry.completed
        moments = [
            each.at.date()
            for fact in self.needed
            for each in (fact.yours.predicted, fact.yours.explained)
            if each is not None
        ]
        return max(moments + ([self.own_code.day] if self.own_code else []), default=None)


def _is_learned(facts: Sequence[FactStanding]) -> bool:
    """Whether what a concept is made of is learned: what is optional only where all of it is."""
    needed = [fact for fact in facts if not fact.optional] or facts
    return all(fact.is_learned for fact in needed)


def _count(held: Iterable[bool]) -> Count:
    each = list(held)
    return Count(sum(each), len(each))


@dataclass(frozen=True)
class Standing:
    """The whole of what the log shows."""

    curriculum: Curriculum
    tasks: tuple[TaskStanding, ...]
    runs: int
    last: StoredRun | None
    """the newest run: its environment and its broker"""
    set_aside: tuple[str, ...]
    """a word on each broken record, and on each line of the acts' file that is none"""
    has_begun: bool
    """whether the learner ever predicted, explained, or opened an answer"""

    @property
    def proved(self) -> Count:
        """The facts that were demonstrated on this machine."""
        return reduce(Count.plus, (task.proved for task in self.tasks), Count(0, 0))

    @property
    def yours(self) -> Progress:
        """What the learner did."""
        return reduce(Progress.plus, (task.yours for task in self.tasks), Progress())

    @property
    def facts(self) -> tuple[FactStanding, ...]:
        """Those of all tasks, in the order in which they are taught."""
        return tuple(fact for task in self.tasks for fact in task.facts)

    @property
    def hidden(self) -> frozenset[str]:
        """The slugs of the facts whose sentences are not to be shown yet."""
        return frozenset(fact.slug for fact in self.facts if fact.is_hidden)

    @property
    def learnings(self) -> Count:
        return reduce(Count.plus, (task.learnings for task in self.tasks), Count(0, 0))

    @property
    def code_files(self) -> Count:
        return reduce(Count.plus, (task.code_files for task in self.tasks), Count(0, 0))


def standing_of(
    curriculum: Curriculum,
    reports: Path,
    entries: Mapping[str, journal.Entry] | None = None,
    now: datetime | None = None,
) -> Standing:
    """Read the records, the acts and the journal of a reports folder.

    Args:
        curriculum: what is taught.
        reports: the folder.
        entries: in place of what the journal says.
        now: in place of the present moment, with its offset.

    Raises:
        BadJournal: the journal cannot be read.
        BadActs: the acts cannot be read.
    """
    runs, set_aside = read_runs(reports / "runs")
    if entries is None:
        entries = journal.read(reports / journal.FILE)
    done, no_acts = acts.read(reports / acts.FILE)
    learner = replay(done, curriculum.tasks, reports, now)
    proofs = Proofs(
        reports / "runs",
        runs,
        {slug: each.sentence for slug, each in curriculum.stated_facts.items()},
    )
    minutes = minutes_spent(runs)
    versions = (str(run.broker.get("version") or "") for run in reversed(runs))
    kafka_version = next(filter(None, versions), KAFKA_VERSION)
    tasks = tuple(
        TaskStanding(
            task=task,
            facts=_facts_of(task, curriculum, proofs, learner, kafka_version),
            own_folder=proofs.own_folder(task.id),
            own_code=learner.own.get(task.id),
            entry=entries.get(task.id, journal.Entry()),
            proposed_minutes=minutes.get(task.id, 0),
            last_run=proofs.last_run(task.id),
            command=task_command(task.id, curriculum),
            days=learner.days_of(task),
        )
        for task in curriculum.tasks
    )
    last = runs[-1] if runs else None
    return Standing(curriculum, tasks, len(runs), last, (*set_aside, *no_acts), learner.has_begun)


def _facts_of(
    task: Task, curriculum: Curriculum, proofs: Proofs, learner: Replay, kafka_version: str
) -> tuple[FactStanding, ...]:
    stated = curriculum.stated_facts
    return tuple(
        _fact_standing(curriculum, task, stated[slug], proofs, learner, kafka_version)
        for slug in task.facts
        if slug in stated
    )


def _fact_standing(
    curriculum: Curriculum,
    task: Task,
    stated: Statement,
    proofs: Proofs,
    learner: Replay,
    kafka_version: str,
) -> FactStanding:
    note, command = task.facts[stated.slug], fact_command(stated, curriculum)
    folder = proofs.own_folder(task.id)
    own = proofs.proof(stated.slug, folder) if folder else None
    return FactStanding(
        slug=stated.slug,
        sentence=stated.sentence,
        why=stated.why,
        scope=holds_for(stated.scope, stated.versions),
        hint=note.hint,
        no_control=note.no_control,
        is_about_component=is_about_component(stated.scope),
        is_slow=stated.is_slow,
        optional=_why_optional(stated, kafka_version),
        code=f"{curriculum.folder.name}/{stated.module}.py:{stated.line}",
        command=command,
        proof=proofs.proof(stated.slug),
        own=own,
        later=proofs.later(stated.slug),
        own_command=with_solutions(command, folder) if own else "",
        own_later=proofs.later(stated.slug, folder) if folder else "",
        question=question_of(task, stated.slug),
        yours=learner.of(stated.slug, task.id),
        is_hidden=learner.hides(stated.slug, task),
    )


def _why_optional(stated: Statement, kafka_version: str) -> str:
    if not stated.is_stated_for(kafka_version):
        return f"it is stated for Kafka {stated.versions}, and not for {kafka_version}"
    return "it takes a minute" if stated.is_slow else ""
