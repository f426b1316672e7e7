"""Where the learner stands, in each fact, in each task and in all: made of the run records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kafkalab.config import KAFKA_VERSION
from kafkalab.curriculum import Curriculum, Statement, Task
from kafkalab.learning_log import journal
from kafkalab.learning_log.history import History, Proof, minutes_spent
from kafkalab.learning_log.record import holds_for, is_about_component, with_solutions
from kafkalab.learning_log.stored import StoredRun, read_runs
from kafkalab.learning_log.verdicts import Verdict

Status = Literal["not started", "in progress", "demonstrated"]


@dataclass(frozen=True)
class FactProgress:
    """A fact of the curriculum, as it is stated now, proved or not."""

    slug: str
    sentence: str
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
    """facts about components only: of the learner's own code, judged with --solutions"""
    later: str
    """a word on a later run that says nothing of it; empty when there was none"""

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
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether all of them hold."""
        return self.demonstrated == self.total


@dataclass(frozen=True)
class TaskProgress:
    """Where the learner stands in one task."""

    task: Task
    facts: tuple[FactProgress, ...]
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
    def needed(self) -> tuple[FactProgress, ...]:
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
        held = [each for each in judged if each.own and each.own.is_demonstration]
        return OwnCode(self.own_folder, len(held), len(judged))

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


@dataclass(frozen=True)
class Progress:
    """The whole of what the log shows."""

    curriculum: Curriculum
    tasks: tuple[TaskProgress, ...]
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
    def here(self) -> TaskProgress | None:
        """The first task that is not demonstrated; None when all are."""
        return next((task for task in self.tasks if task.status != "demonstrated"), None)

    @property
    def next_step(self) -> Step:
        """What to do next, in one sentence and one command: what was begun comes first."""
        begun = [task for task in self.tasks if task.own_code and not task.own_code.is_whole]
        if self.here is not None and (self.here.status == "in progress" or not begun):
            return _step_in(self.here)
        not_begun = [task for task in self.tasks if task.own_code is None]
        if begun or not_begun:
            return _step_to_own_code([*begun, *not_begun][0])
        return Step(f"Module {self.curriculum.id} is done, and in your own code: go on.", "")


def _step_in(task: TaskProgress) -> Step:
    name = f"task {task.task.id}, {task.task.title}"
    if task.status == "not started":
        return Step(f"Begin {name}: {task.task.question}", task.command)
    left = [fact for fact in task.needed if not fact.is_demonstrated]
    failed = [fact for fact in left if fact.verdict in (Verdict.REFUTED, Verdict.UNSUPPORTED)]
    if failed:
        fact = failed[0]
        command = with_solutions(fact.command, task.own_folder if fact.own else "")
        return Step(f"In {name}, a fact is {fact.verdict}: {fact.sentence}", command)
    if len(left) == 1:
        return Step(f"In {name}, one fact is left: {left[0].sentence}", left[0].command)
    return Step(f"Go on with {name}: {len(left)} facts are left.", task.command)


def _step_to_own_code(task: TaskProgress) -> Step:
    file = f"{task.task.component}.py"
    if task.own_code is None:
        sentence = f"Write your own {file} of task {task.task.id}, and have the facts judge it."
        return Step(sentence, with_solutions(task.command, "my_lab"))
    left = task.own_code.total - task.own_code.demonstrated
    what = "1 fact does" if left == 1 else f"{left} facts do"
    sentence = f"Go on with your own {file} of task {task.task.id}: {what} not hold yet."
    return Step(sentence, with_solutions(task.command, task.own_code.folder))


def progress_of(curriculum: Curriculum, reports: Path) -> Progress:
    """Read the records and the journal of a reports folder, and say where the learner stands.

    Raises:
        BadJournal: the journal cannot be read.
    """
    runs, set_aside = read_runs(reports / "runs")
    entries = journal.read(reports / journal.FILE)
    stated = {each.slug: each for each in reversed(curriculum.statements) if each.role == "fact"}
    sentences = {slug: each.sentence for slug, each in stated.items()}
    history = History(reports / "runs", runs, sentences)
    minutes = minutes_spent(runs)
    versions = (str(run.broker.get("version") or "") for run in reversed(runs))
    kafka_version = next(filter(None, versions), KAFKA_VERSION)
    tasks = tuple(
        TaskProgress(
            task=task,
            facts=_facts_of(task, curriculum, stated, history, kafka_version),
            own_folder=history.own_folder(task.id),
            entry=entries.get(task.id, journal.Entry()),
            proposed_minutes=minutes.get(task.id, 0),
            last_run=history.last_run(task.id),
            command=f"pytest -k task_{task.id.replace('.', '_')}",
        )
        for task in curriculum.tasks
    )
    return Progress(curriculum, tasks, len(runs), runs[-1] if runs else None, set_aside)


def _facts_of(
    task: Task,
    curriculum: Curriculum,
    stated: Mapping[str, Statement],
    history: History,
    kafka_version: str,
) -> tuple[FactProgress, ...]:
    folder = history.own_folder(task.id)
    return tuple(
        _fact_progress(curriculum, task, stated[slug], history, folder, kafka_version)
        for slug in task.facts
        if slug in stated
    )


def _fact_progress(
    curriculum: Curriculum,
    task: Task,
    stated: Statement,
    history: History,
    folder: str,
    kafka_version: str,
) -> FactProgress:
    slow = "-m slow " if stated.is_slow else ""
    note = task.facts[stated.slug]
    return FactProgress(
        slug=stated.slug,
        sentence=stated.sentence,
        scope=holds_for(stated.scope, stated.versions),
        hint=note.hint,
        no_control=note.no_control,
        is_about_component=is_about_component(stated.scope),
        is_slow=stated.is_slow,
        optional=_why_optional(stated, kafka_version),
        code=f"{curriculum.folder.name}/{stated.module}.py:{stated.line}",
        command=f"pytest {slow}-k {stated.slug.replace('-', '_')}",
        proof=history.proof(stated.slug),
        own=history.proof(stated.slug, folder) if folder else None,
        later=history.later(stated.slug) or (history.later(stated.slug, folder) if folder else ""),
    )


def _why_optional(stated: Statement, kafka_version: str) -> str:
    if not stated.is_stated_for(kafka_version):
        return f"it is stated for Kafka {stated.versions}, and not for {kafka_version}"
    return "it takes a minute" if stated.is_slow else ""
