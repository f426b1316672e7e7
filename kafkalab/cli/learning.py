"""`kafkalab learn`: predict, run, explain, one fact after the other."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from kafkalab import judging, typed
from kafkalab.cli import evidence, output
from kafkalab.cli.log import standing_now, write_log
from kafkalab.cli.options import (
    BackendOption,
    BootstrapOption,
    CacheOption,
    ConfigOption,
    CurriculumOption,
    ImageOption,
    ReportsOption,
    VersionOption,
    WrongValue,
    task_id_of,
)
from kafkalab.cli.warmed import undisturbed, warmed
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, Statement, Task, load
from kafkalab.facts import why_not_here
from kafkalab.judging import NoVerdict
from kafkalab.learning_log import acts, asking, page
from kafkalab.learning_log.asking import Answer, Left
from kafkalab.learning_log.commands import fact_command
from kafkalab.learning_log.lessons import (
    Lesson,
    asked_of,
    is_left,
    lesson_of_fact,
    lesson_of_task,
    next_lesson,
    slow_of,
)
from kafkalab.learning_log.progress import FactProgress, Replay, replay
from kafkalab.learning_log.recall import Recalled, recalled
from kafkalab.learning_log.record import FactRecord, TestRecord
from kafkalab.learning_log.verdicts import Outcome, Verdict
from kafkalab.learning_log.wording import why
from kafkalab.warm import WarmBroker

# About the lines of a screen: what was printed before so many lines has scrolled away.
A_SCREEN = 25

YES_OR_NO = {"y": "y", "yes": "y", "n": "n", "no": "n"}


NOBODY_ANSWERS = (
    "learn asks, but gets no answer: call it in a terminal, or pipe answers to it, one on each line"
)


def learn(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK|SLUG",
            help="A task, as in 1.3, or one fact; by default the first task that is not done.",
        ),
    ] = None,
    backend: BackendOption = None,
    bootstrap: BootstrapOption = None,
    cache: CacheOption = None,
    client_config: ConfigOption = None,
    curriculum: CurriculumOption = None,
    image: ImageOption = None,
    kafka_version: VersionOption = None,
    reports: ReportsOption = None,
) -> None:
    """Predict what Kafka does, see it run, and say why; stop at any point, and go on later.

    Each answer is saved at once, in acts.jsonl in the reports folder.
    """
    settings = Settings.from_environment(
        backend=backend,
        bootstrap=bootstrap,
        cache=cache,
        client_config=client_config,
        curriculum=curriculum,
        image=image,
        kafka_version=kafka_version,
        reports=reports,
    )
    taught = load(settings.curriculum)
    if not typed.may_come():
        raise WrongValue(NOBODY_ANSWERS)
    notebook = Notebook(taught, settings.reports)
    lesson = _lesson_of(what, taught, notebook.progress)
    if code := _hold(lesson, taught, notebook, settings):
        raise typer.Exit(code)


class Notebook:
    """The learner's acts: reads them, and adds new ones.

    Each method raises WrongValue if the file cannot be read or written.
    """

    def __init__(self, taught: Curriculum, reports: Path) -> None:
        self._taught = taught
        self._reports = reports
        self.path = reports / acts.FILE
        done, self.set_aside = self._read()
        self._before = len(done)

    @property
    def progress(self) -> Replay:
        """All acts together."""
        return replay(self._read()[0], self._taught.tasks, self._reports)

    @property
    def recalled(self) -> Mapping[str, Recalled]:
        """What the grades of interview questions say, by the question's slug."""
        return recalled(self._read()[0])

    @property
    def has_grown(self) -> bool:
        """Whether anything was added since this object was made."""
        return len(self._read()[0]) > self._before

    def predicted(self, slug: str, answer: Answer) -> None:
        """Save an answer to a fact's question."""
        with self._told():
            asking.keep(self.path, slug, answer)

    def add(self, kind: str, slug: str, **said: object) -> None:
        """Save an act about a fact or an interview question."""
        with self._told():
            acts.append(self.path, kind, slug, **said)

    def _read(self) -> tuple[tuple[acts.Act, ...], tuple[str, ...]]:
        with self._told():
            return acts.read(self.path)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WrongValue(
                f"what you do cannot be saved in {self.path}: {error.strerror or error}: "
                "check its rights, or name another folder with --reports"
            ) from error


# Which facts


def _lesson_of(what: str | None, taught: Curriculum, progress: Replay) -> Lesson:
    """The lesson that was asked for.

    Raises:
        WrongValue: there is no such task or fact, or it has no question.
    """
    if what is None:
        lesson = next_lesson(taught, progress)
        if lesson is None:
            raise WrongValue("this curriculum has no questions: kafkalab facts lists its facts")
        return lesson
    slug = what.replace("_", "-")
    if slug in taught.stated_facts:
        return _of_fact(taught.stated_facts[slug], taught, progress)
    try:
        task = taught.task(task_id_of(what, taught))
    except WrongValue as error:
        near = difflib.get_close_matches(slug, taught.stated_facts, n=1, cutoff=0.5)
        meant = f"; did you mean the fact {near[0]}?" if near else ""
        raise WrongValue(f"{error}{meant}") from error
    if not task.predictions:
        raise WrongValue(f"task {task.id} has no questions: kafkalab facts {task.id} lists it")
    return lesson_of_task(task, taught, progress)


def _of_fact(stated: Statement, taught: Curriculum, progress: Replay) -> Lesson:
    task = taught.task(stated.task)
    if stated.slug not in task.predictions:
        command = f"kafkalab start {stated.task}"
        raise WrongValue(f"{stated.slug} has no question: it judges your own code: {command}")
    return lesson_of_fact(stated.slug, task, progress)


# The lesson


def _hold(lesson: Lesson, taught: Curriculum, notebook: Notebook, settings: Settings) -> int:
    """Hold the lesson, and return the exit code.

    Raises:
        BrokerError: Kafka cannot be started or reached.
        WrongValue: the input ended without any answer, or answers cannot be saved.
    """
    for word in notebook.set_aside:
        output.line(word, style="yellow")
    output.line(f"{lesson.task.id} {lesson.task.title}: {lesson.task.question}", style="bold")
    if not notebook.progress.days_of(lesson.task):
        _tell_words(lesson.task)
    teacher = Teacher(taught, settings, lesson.task, notebook)
    code = 0
    try:
        _teach(lesson, teacher, settings)
    except Left as left:
        is_at_end = isinstance(left.__cause__, EOFError) and not typed.is_terminal()
        if is_at_end and not notebook.has_grown:
            raise WrongValue(NOBODY_ANSWERS) from None
    except KeyboardInterrupt:
        code = typed.ENDED_BY_CTRL_C
        output.line()
    with undisturbed():
        _sum_up(lesson.task, taught, notebook)
        if notebook.has_grown:
            show_in_log(taught, settings)
    return code


def _tell_words(task: Task) -> None:
    """Print what the words mean that the task's facts use."""
    if task.words:
        output.line()
        output.line("Words that come up:")
    for word in task.words:
        output.line(f"{word.term}: {word.meaning}", indent=2)


def show_in_log(taught: Curriculum, settings: Settings) -> None:
    """Write the learning log again, so that it shows what was done."""
    if problem := write_log(standing_now(taught, settings.reports), settings):
        output.trouble(f"the learning log was not updated: {problem}")


def _teach(lesson: Lesson, teacher: Teacher, settings: Settings) -> None:
    for slug in lesson.recalled:
        teacher.recall(slug)
    if lesson.learned:
        # Kafka starts while the learner reads the first question.
        with warmed(settings) as warm:
            for slug in lesson.learned:
                teacher.teach(slug, warm, is_repeated=lesson.is_repeated)


def _sum_up(task: Task, taught: Curriculum, notebook: Notebook) -> None:
    """Print how much of the task the learner has done, and how to go on."""
    asked, progress = asked_of(task, taught), notebook.progress
    done = [progress.of(slug, task.id) for slug in asked]
    guesses = [each.predicted for each in done if each.predicted]
    right = sum(guess.is_right for guess in guesses)
    unknown = sum(not guess.choice for guess in guesses)
    did_not_know = f", did not know {unknown}" if unknown else ""
    explained = sum(each.explained is not None for each in done)
    output.line()
    output.line(
        f"{task.id}: predicted {len(guesses)} of {len(asked)}, right {right}{did_not_know}, "
        f"explained {explained}.",
        style="bold",
    )
    for slug in slow_of(task, taught):
        if is_left(progress.of(slug, task.id)):
            output.line("One fact takes a minute, and is asked only if you name it:")
            output.whole(f"kafkalab learn {slug}", indent=2)
    if not lesson_of_task(task, taught, progress).is_over:
        output.line("To go on:")
        output.whole(f"kafkalab learn {task.id}", indent=2)
    else:
        output.line(f"Next, your own {task.component}.py, judged by its facts:")
        output.whole(f"kafkalab start {task.id}", indent=2)


@dataclass(frozen=True)
class Seen:
    """What a fact and its controls showed in this run."""

    fact: FactRecord
    tests: Sequence[TestRecord]


class Teacher:
    """Asks and shows the facts of a task."""

    def __init__(
        self, taught: Curriculum, settings: Settings, task: Task, notebook: Notebook
    ) -> None:
        self._taught = taught
        self._settings = settings
        self._task = task
        self._notebook = notebook

    def recall(self, slug: str) -> None:
        """Ask for a fact's sentence a week after it was explained, without showing it first.

        Raises:
            Left: the learner left.
        """
        self._head(slug)
        output.line(self._task.predictions[slug].question, style="bold")
        output.line()
        output.line("You explained this a week ago, or earlier. Say it once more, from memory.")
        self._explain(slug)

    def teach(self, slug: str, warm: WarmBroker, *, is_repeated: bool) -> None:
        """Predict, run, explain; parts that were done before are left out.

        Raises:
            Left: the learner left.
            BrokerError: Kafka cannot be started.
        """
        stated, prediction = self._taught.stated_facts[slug], self._task.predictions[slug]
        self._head(slug)
        done = self._notebook.progress.of(slug, self._task.id)
        why_not = why_not_here(stated, warm.backend)
        if why_not:
            output.line(f"It does not run here: {why_not}.", style="yellow")
        answer = self._predict(slug, done, is_repeated=is_repeated)
        seen = None if why_not else self._run(stated, warm)
        output.line()
        told_at = output.printed()
        if answer is not None:
            asking.tell_result(output, prediction, answer)
            output.line()
        if seen is not None:
            self._show(stated, seen)
        asking.tell_fact(output, stated)
        if output.printed() - told_at > A_SCREEN:
            output.line()
            right = asking.right_of(prediction)
            output.line(f"{prediction.question} Right is {right}", mark="Asked: ")
        self._vary(stated, seen)
        self._explain(slug)

    def _head(self, slug: str) -> None:
        asked = asked_of(self._task, self._taught)
        output.line()
        # A fact that takes a minute has no number among them.
        count = f"{asked.index(slug) + 1} of {len(asked)}" if slug in asked else ""
        part = self._task.part_of(slug) if self._task.parts else ""
        if told := ": ".join(filter(None, (count, part))):
            output.line(told, style="dim")

    def _predict(self, slug: str, done: FactProgress, *, is_repeated: bool) -> Answer | None:
        """The learner's answer, from now or earlier; None if the fact was opened before that."""
        prediction = self._task.predictions[slug]
        if is_repeated or done.can_be_predicted:
            if is_repeated:
                output.line("You did this before: it is a repetition, and does not count again.")
            answer = asking.predict(output, prediction)
            self._notebook.predicted(slug, answer)
            return answer
        output.line(prediction.question, style="bold")
        output.line()
        if done.predicted is not None:
            output.line(f"You answered on {_day(done.predicted.at)}, and have yet to explain it.")
            return Answer(done.predicted.choice, done.predicted.is_right)
        if done.shown_until is not None:
            day = _day(done.shown_until)
            output.line(f"You have seen the answer: a prediction counts again from {day} on.")
        return None

    # The run

    def _run(self, stated: Statement, warm: WarmBroker) -> Seen | None:
        """Run a fact with its controls; if there is no verdict, print why, and return None."""
        output.line()
        if not warm.is_ready:
            output.line("Kafka is starting ...", style="dim")
        warm.ensure(output.line)
        output.line("It runs now, on a real Kafka ...", style="dim")
        of_fact = [each for each in self._taught.statements if each.slug == stated.slug]
        told_as, reports = ("kafkalab", "learn", stated.slug), self._settings.reports
        try:
            run = judging.judge(warm, self._taught, of_fact, reports, told_as)
        except NoVerdict as error:
            output.line(str(error), style="yellow")
            self._tell_how(stated)
            return None
        finally:
            typed.forget()
        (fact,) = run.facts
        return Seen(fact, run.tests)

    def _show(self, stated: Statement, seen: Seen) -> None:
        """Print what was observed, and the reason if the fact was not demonstrated."""
        if seen.fact.verdict is not Verdict.DEMONSTRATED:
            output.line(f"{seen.fact.verdict} here, in this run:", style="yellow")
            for line in why(seen.fact.reason)[:3]:
                output.line(line, indent=2)
            self._tell_how(stated)
        observed = self._evidence_of(stated, seen)
        if observed:
            output.line("What was seen:")
            evidence.show(observed)
        log = self._settings.reports / page.NAME
        if log.exists():
            output.whole(f"{log.as_uri()}#fact-{stated.slug}", style="dim", indent=2)
        output.line()

    def _evidence_of(self, stated: Statement, seen: Seen) -> dict[str, list[dict[str, Any]]]:
        """What each case of a test observed; a test that is not parametrised has one case."""
        tests = [each for each in seen.tests if self._taught.statement_of(each.nodeid) == stated]
        return {
            test.nodeid.partition("[")[2].removesuffix("]"): test.evidence
            for test in tests
            if test.evidence
        }

    def _tell_how(self, stated: Statement) -> None:
        output.line("To look at it:", indent=2)
        output.whole(fact_command(stated, self._taught), indent=4)

    # What would make it false, and why

    def _vary(self, stated: Statement, seen: Seen | None) -> None:
        """Ask what would make it false, then show the controls."""
        output.line()
        no_control = self._task.facts[stated.slug].no_control
        if no_control:
            output.line(f"There is no control: {no_control}.")
            # An answer typed here is meant for the next prompt: without a pause it would be lost.
            while asking.answer_to(output, "Enter goes on"):
                output.line("Just Enter, please: your own words are asked next.", style="yellow")
            return
        output.line("What would you change to make it false? A guess is saved, and not judged.")
        said = asking.answer_to(output, "Type a guess, or Enter to see")
        if said:
            self._notebook.add(acts.VARIED, stated.slug, said=said)
        controls = [
            each
            for each in self._taught.statements
            if each.slug == stated.slug and each.role == "control"
        ]
        for at, control in enumerate(controls):
            output.line()
            output.line(control.changes, mark="This time: ")
            output.line(control.sentence, style="bold")
            if seen is not None:
                self._show_control(control, seen, at)

    def _show_control(self, control: Statement, seen: Seen, at: int) -> None:
        outcome = seen.fact.controls[at].outcome if at < len(seen.fact.controls) else None
        if outcome is not None and outcome is not Outcome.PASSED:
            output.line(f"control {outcome} here, in this run", style="yellow", indent=2)
        evidence.show(self._evidence_of(control, seen))

    def _explain(self, slug: str) -> None:
        """Ask for the learner's own sentence, and whether it says the same as ours."""
        output.line()
        output.line("Say it in your own words: what happens, and why? (Enter: another time)")
        sentence = asking.answer_to(output, "yours")
        if not sentence:
            output.line("It is asked another time.", style="dim")
            return
        agrees = False
        try:
            output.line(self._taught.stated_facts[slug].sentence, mark="ours  > ")
            answer = asking.one_of(output, "Does yours say the same? (y or n)", YES_OR_NO)
            agrees = answer == "y"
        finally:
            self._notebook.add(acts.EXPLAINED, slug, sentence=sentence, agrees=agrees)
        output.line("Kept." if agrees else "Kept. It is asked another time.", style="dim")


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
