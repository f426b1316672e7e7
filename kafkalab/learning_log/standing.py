"""Where the learner stands, in each fact, in each task and in all: made of the run records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kafkalab.config import KAFKA_VERSION
from kafkalab.curriculum import Curriculum, Statement, Task
from kafkalab.learning_log import journal
from kafkalab.learning_log.commands import (
    fact_command,
    shown_folder,
    task_command,
    with_solutions,
)
from kafkalab.learning_log.proofs import Proof, Proofs, minutes_spent
from kafkalab.learning_log.record import holds_for, is_about_component
from kafkalab.learning_log.stored import StoredRun, read_runs
from kafkalab.learning_log.verdicts import Verdict

Status = Literal["not started", "in progress", "demonstrated"]


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
class OwnCode:
    """How the learner's own component fares with the facts about it."""

    folder: str
    demonstrated: int
    failed: int
    """refuted, or without its control; the others were not judged yet"""
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether all of them hold."""
        return self.demonstrated == self.total


@dataclass(frozen=True)
class TaskStanding:
    """Where the learner stands in one task."""

    task: Task
    facts: tuple[FactStanding, ...]
    own_folder: str
    """where the learner's own component is, that was judged last; empty until one was"""
    entry: journal.Entry
    proposed_minutes: int
    """time spent, as the runs tell it"""
    last_run: str | None
    """when the last run began that selected any of its facts; ISO 8601"""
    command: str
    """what runs all of it"""

    @property
    def needed(self) -> tuple[FactStanding, ...]:
        """The facts that count: all that are not optional."""
        return tuple(fact for fact in self.facts if not fact.optional)

    @property
    def demonstrated(self) -> int:
        """How many of the needed facts are demonstrated."""
        return sum(fact.is_demonstrated for fact in self.needed)

    @property
    def own_code(self) -> OwnCode | None:
        """How the learner's own component fares; None until a run judged it."""
        if not self.own_folder:
            return None
        judged = [fact for fact in self.needed if fact.is_about_component]
        said = [fact.own.fact.verdict for fact in judged if fact.own]
        return OwnCode(
            self.own_folder,
            demonstrated=said.count(Verdict.DEMONSTRATED),
            failed=said.count(Verdict.REFUTED) + said.count(Verdict.UNSUPPORTED),
            total=len(judged),
        )

    @property
    def status(self) -> Status:
        if self.last_run is None:
            return "not started"
        return "demonstrated" if self.demonstrated == len(self.needed) else "in progress"


@dataclass(frozen=True)
class Step:
    """What to do next."""

    sentence: str
    command: str
    """empty where there is none to run"""
    task: TaskStanding | None
    """in which task; None when all is done"""


@dataclass(frozen=True)
class Standing:
    """The whole of what the log shows."""

    curriculum: Curriculum
    tasks: tuple[TaskStanding, ...]
    runs: int
    last: StoredRun | None
    """the newest run: its environment and its broker"""
    set_aside: tuple[str, ...]
    """a word on each broken record"""

    @property
    def demonstrated(self) -> int:
        return sum(task.demonstrated for task in self.tasks)

    @property
    def total(self) -> int:
        return sum(len(task.needed) for task in self.tasks)

    @property
    def percent(self) -> int:
        """Rounded down: 100 means all."""
        return 100 * self.demonstrated // self.total if self.total else 0

    @property
    def here(self) -> TaskStanding | None:
        """The task of the next step; None when all is done."""
        return self.next_step.task

    @property
    def next_step(self) -> Step:
        """What to do next, in one sentence and one command."""
        return next_step(self.tasks, f"Module {self.curriculum.id}")


def next_step(tasks: Sequence[TaskStanding], name: str) -> Step:
    """What to do next in these tasks: what was begun comes first.

    Args:
        tasks: in the order in which they are taught.
        name: what to call them together.
    """
    first = next((task for task in tasks if task.status != "demonstrated"), None)
    begun = [task for task in tasks if task.own_code and not task.own_code.is_whole]
    if first is not None and (first.status == "in progress" or not begun):
        return _step_in(first)
    not_begun = [task for task in tasks if task.own_code is None]
    if not begun and not not_begun:
        return Step(f"{name} is done, and in your own code: go on.", "", None)
    folders = [task.own_folder for task in tasks if task.own_folder]
    is_there = [folder for folder in folders if Path(folder).is_dir()]
    # Of several that were begun the one that was worked on last.
    begun.sort(key=lambda task: task.last_run or "", reverse=True)
    return _step_to_own_code([*begun, *not_begun][0], (is_there or ["my_lab"])[0])


def _step_in(task: TaskStanding) -> Step:
    name = f"task {task.task.id}, {task.task.title}"
    if task.status == "not started":
        return Step(f"Begin {name}: {task.task.question}", task.command, task)
    left = [fact for fact in task.needed if not fact.is_demonstrated]
    for fact in left:
        for proof, where, command in (
            (fact.proof, "", fact.command),
            (fact.own, " in your own code", fact.own_command),
        ):
            if proof and proof.has_failed:
                sentence = f"In {name}, a fact is {proof.fact.verdict}{where}: {fact.sentence}"
                return Step(sentence, command, task)
    if len(left) == 1:
        return Step(f"In {name}, one fact is left: {left[0].sentence}", left[0].command, task)
    return Step(f"Go on with {name}: {len(left)} facts are left.", task.command, task)


def _step_to_own_code(task: TaskStanding, folder: str) -> Step:
    """The step to one's own component.

    Args:
        task: whose.
        folder: where others are, or will be.
    """
    file, own = f"{task.task.component}.py", task.own_code
    again = with_solutions(task.command, folder)
    if own is None:
        sentence = f"Write your own {file} of task {task.task.id}, and have the facts judge it."
        return Step(sentence, again, task)
    path = f"{shown_folder(own.folder)}/{file}"
    if not Path(own.folder).is_dir():
        sentence = f"{path} of task {task.task.id} is not there any more: name its folder now."
        return Step(sentence, again, task)
    unjudged = own.total - own.demonstrated - own.failed
    told = []
    if own.failed:
        told.append("1 fact does" if own.failed == 1 else f"{own.failed} facts do")
        told[-1] += " not hold yet"
    if unjudged:
        told.append("1 was" if unjudged == 1 else f"{unjudged} were")
        told[-1] += " not judged yet"
    sentence = f"Go on with your own {path} of task {task.task.id}: {', '.join(told)}."
    return Step(sentence, with_solutions(task.command, own.folder), task)


def standing_of(
    curriculum: Curriculum, reports: Path, entries: Mapping[str, journal.Entry] | None = None
) -> Standing:
    """Read the records and the journal of a reports folder, and say where the learner stands.

    Args:
        curriculum: what is taught.
        reports: the folder.
        entries: in place of what the journal says.

    Raises:
        BadJournal: the journal cannot be read.
    """
    runs, set_aside = read_runs(reports / "runs")
    if entries is None:
        entries = journal.read(reports / journal.FILE)
    stated = curriculum.stated_facts
    sentences = {slug: each.sentence for slug, each in stated.items()}
    proofs = Proofs(reports / "runs", runs, sentences)
    minutes = minutes_spent(runs)
    versions = (str(run.broker.get("version") or "") for run in reversed(runs))
    kafka_version = next(filter(None, versions), KAFKA_VERSION)
    tasks = tuple(
        TaskStanding(
            task=task,
            facts=_facts_of(task, curriculum, stated, proofs, kafka_version),
            own_folder=proofs.own_folder(task.id),
            entry=entries.get(task.id, journal.Entry()),
            proposed_minutes=minutes.get(task.id, 0),
            last_run=proofs.last_run(task.id),
            command=task_command(task.id, curriculum),
        )
        for task in curriculum.tasks
    )
    return Standing(curriculum, tasks, len(runs), runs[-1] if runs else None, set_aside)


def _facts_of(
    task: Task,
    curriculum: Curriculum,
    stated: Mapping[str, Statement],
    proofs: Proofs,
    kafka_version: str,
) -> tuple[FactStanding, ...]:
    folder = proofs.own_folder(task.id)
    return tuple(
        _fact_standing(curriculum, task, stated[slug], proofs, folder, kafka_version)
        for slug in task.facts
        if slug in stated
    )


def _fact_standing(
    curriculum: Curriculum,
    task: Task,
    stated: Statement,
    proofs: Proofs,
    folder: str,
    kafka_version: str,
) -> FactStanding:
    note, command = task.facts[stated.slug], fact_command(stated, curriculum)
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
    )


def _why_optional(stated: Statement, kafka_version: str) -> str:
    if not stated.is_stated_for(kafka_version):
        return f"it is stated for Kafka {stated.versions}, and not for {kafka_version}"
    return "it takes a minute" if stated.is_slow else ""
