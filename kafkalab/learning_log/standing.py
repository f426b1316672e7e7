"""Where the learner stands, in each fact, in each task and in all.

There are two columns, which are never added up: what the learner did, from the acts, and what was
proved on this machine, from the run records.
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
from kafkalab.curriculum.interview import InterviewQuestion
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
from kafkalab.learning_log.recall import Recalled, recalled
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
    """with the versions of Kafka, if the fact is stated for some only"""
    hint: str
    no_control: str
    is_about_component: bool
    is_slow: bool
    """it takes a minute, and is left out unless it is asked for"""
    optional: str
    """why it need not be demonstrated, as in `it takes a minute`; empty if it must be"""
    code: str
    """its file and line, as in `tests_module_a/test_task_1_2_routing.py:123`"""
    command: str
    """the command that runs it again, with its controls"""
    proof: Proof | None
    """for a fact about a component: the proof of the reference"""
    own: Proof | None
    """facts about components only: of the learner's own code, judged with --kafkalab-solutions"""
    later: str
    """a note on a later run that does not count for it; empty when there was none"""
    own_command: str
    """the command that judges the learner's own code again; empty if it was never judged"""
    own_later: str
    """as `later`, for the learner's own code"""
    question: str
    """what is asked before it is run; empty for a fact about a component: it says what to do"""
    yours: FactProgress
    """what the learner did with it"""
    is_hidden: bool
    """its sentence would give away an answer that the learner has yet to predict"""

    @property
    def can_be_predicted(self) -> bool:
        """Whether a prediction would count now."""
        return bool(self.question) and self.yours.can_be_predicted

    @property
    def is_due(self) -> bool:
        """Whether the learner is to explain it once more."""
        return self.yours.explained is not None and self.yours.explained.is_due

    @property
    def is_learned(self) -> bool:
        """Whether the learner did all that is asked for.

        A fact about a component is learned while it holds for the code as it is now.
        """
        if self.is_about_component:
            return self.yours.built == "holds"
        return self.yours.predicted is not None and self.yours.explained is not None

    @property
    def best(self) -> Proof | None:
        """About a component, the better proof of the reference and the own code."""
        proofs = [proof for proof in (self.proof, self.own) if proof is not None]
        return min(proofs, key=lambda proof: not proof.is_demonstration, default=None)

    @property
    def verdict(self) -> Verdict:
        """The last verdict; about a component, the better one of the reference and the own code."""
        return self.best.fact.verdict if self.best else Verdict.NOT_RUN

    @property
    def is_demonstrated(self) -> bool:
        return self.verdict is Verdict.DEMONSTRATED


@dataclass(frozen=True)
class TaskStanding:
    """Where the learner stands in one task."""

    task: Task
    facts: tuple[FactStanding, ...]
    own_folder: str
    """the folder of the learner's component that was judged last; empty until one was judged"""
    own_code: OwnCode | None
    """the learner's own component in which most facts hold; None until one was judged"""
    entry: journal.Entry
    proposed_minutes: int
    """time spent, computed from the runs"""
    last_run: str | None
    """when the last run began that selected any of its facts; ISO 8601"""
    command: str
    """the command that runs all of it"""
    days: tuple[date, ...]
    """the days on which the learner did something for it, the first day first"""

    @property
    def needed(self) -> tuple[FactStanding, ...]:
        """The facts that count: all that are not optional."""
        return tuple(fact for fact in self.facts if not fact.optional)

    @property
    def asked(self) -> tuple[FactStanding, ...]:
        """The needed facts that are to be predicted and explained: those about Kafka."""
        return tuple(fact for fact in self.needed if fact.question)

    @property
    def by_part(self) -> tuple[tuple[str, tuple[FactStanding, ...]], ...]:
        """The titles of its parts, each with its facts."""
        standing = {fact.slug: fact for fact in self.facts}
        return tuple(
            (title, facts)
            for title, slugs in self.task.facts_by_part.items()
            if (facts := tuple(standing[slug] for slug in slugs if slug in standing))
        )

    @property
    def proved(self) -> Count:
        """The needed facts that were demonstrated on this machine."""
        return Count(sum(fact.is_demonstrated for fact in self.needed), len(self.needed))

    @cached_property
    def yours(self) -> Progress:
        """How much of it the learner did."""
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
        """The component's file; done when it is there and was judged, whatever the verdicts."""
        is_there = self.own_code is not None and self.own_code.is_there
        return _count([is_there] if self.yours.built.of else [])

    @property
    def status(self) -> Status:
        # A curriculum without questions and components has only proofs to count.
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
        """As the journal says, or the day on which the learner finished the last part."""
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
    """Whether a concept's facts are learned; optional ones count only if all are optional."""
    needed = [fact for fact in facts if not fact.optional] or facts
    return all(fact.is_learned for fact in needed)


def _count(held: Iterable[bool]) -> Count:
    each = list(held)
    return Count(sum(each), len(each))


@dataclass(frozen=True)
class QuestionStanding:
    """An interview question: what proves its answer, and what the learner knows of it."""

    question: InterviewQuestion
    task: str
    """the task where it is at home"""
    facts: tuple[FactStanding, ...]
    """those that prove its answer"""
    after: str
    """the last task that one of its facts belongs to"""
    recalled: Recalled | None
    """what the learner's grades say; None until it was graded once"""
    today: date

    @property
    def is_provable(self) -> bool:
        """Whether all its facts were demonstrated on this machine."""
        return bool(self.facts) and all(fact.is_demonstrated for fact in self.facts)

    @property
    def is_yours(self) -> bool:
        """Whether the learner knew its answer the last time."""
        return self.recalled is not None and self.recalled.is_known

    @property
    def to_predict(self) -> tuple[FactStanding, ...]:
        """Its facts without a prediction that counts: the answer would give theirs away."""
        return tuple(fact for fact in self.facts if fact.question and not fact.yours.predicted)

    @property
    def is_due(self) -> bool:
        """Whether it comes back today, or should have come back before."""
        return self.recalled is not None and self.recalled.due <= self.today and not self.to_predict

    @property
    def is_hidden(self) -> bool:
        """Its answer would give away what the learner has yet to predict."""
        return any(fact.is_hidden for fact in self.facts)


@dataclass(frozen=True)
class Standing:
    """All that the log shows."""

    curriculum: Curriculum
    tasks: tuple[TaskStanding, ...]
    runs: int
    last: StoredRun | None
    """the newest run: its environment and its broker"""
    set_aside: tuple[str, ...]
    """a note on each broken record, and on each line of the acts' file that is no act"""
    has_begun: bool
    """whether the learner ever predicted, explained, or opened an answer"""
    questions: tuple[QuestionStanding, ...]
    """the interview questions of all tasks, in the order in which they are taught"""

    def questions_of(self, task: str) -> tuple[QuestionStanding, ...]:
        """The interview questions that are at home in a task."""
        return tuple(each for each in self.questions if each.task == task)

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
        """The facts of all tasks, in the order in which they are taught."""
        return tuple(fact for task in self.tasks for fact in task.facts)

    @property
    def hidden(self) -> frozenset[str]:
        """The slugs of the facts whose sentences must not be shown yet."""
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
        entries: take the place of the journal's entries.
        now: takes the place of the present time; with its UTC offset.

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
    today = (now or datetime.now().astimezone()).date()
    return Standing(
        curriculum=curriculum,
        tasks=tasks,
        runs=len(runs),
        last=runs[-1] if runs else None,
        set_aside=(*set_aside, *no_acts),
        has_begun=learner.has_begun,
        questions=_questions_of(tasks, recalled(done), today),
    )


def _questions_of(
    tasks: Sequence[TaskStanding], recalled: Mapping[str, Recalled], today: date
) -> tuple[QuestionStanding, ...]:
    facts = {fact.slug: fact for task in tasks for fact in task.facts}
    homes = {fact.slug: task.task.id for task in tasks for fact in task.facts}
    found = []
    for task in tasks:
        for question in task.task.interview:
            cited = [slug for slug in question.facts if slug in facts]
            last = next((slug for slug in reversed(facts) if slug in cited), "")
            found.append(
                QuestionStanding(
                    question=question,
                    task=task.task.id,
                    facts=tuple(facts[slug] for slug in cited),
                    after=homes.get(last, task.task.id),
                    recalled=recalled.get(question.slug),
                    today=today,
                )
            )
    return tuple(found)


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
