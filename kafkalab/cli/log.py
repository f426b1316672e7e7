"""Commands about the learning log: `kafkalab status`, `kafkalab note`, `kafkalab report`."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from kafkalab.cli import output
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue, task_id_of
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, load
from kafkalab.learning_log import journal, page
from kafkalab.learning_log.next_step import Step, next_step, next_step_in
from kafkalab.learning_log.pictures import pictures_of
from kafkalab.learning_log.progress import Count, Guess, Progress
from kafkalab.learning_log.proofs import Proof
from kafkalab.learning_log.quizzes import Quiz, quiz_of
from kafkalab.learning_log.quizzes import in_words as quiz_in_words
from kafkalab.learning_log.run_report import RUN_PAGE
from kafkalab.learning_log.standing import FactStanding, Standing, TaskStanding, standing_of
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import in_words, why
from kafkalab.readable import readable

# In a terminal with fewer columns a table would break its words.
NARROW = 60

STATUS_STYLES = {"not started": "dim", "in progress": "yellow", "done": "green"}


def status(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks, as in 1.2; all if none is named.")
    ] = None,
    proved: Annotated[
        bool, typer.Option("--proved", help="Fail unless all facts were demonstrated here.")
    ] = False,
    own: Annotated[
        bool, typer.Option("--own", help="Fail unless your own code holds, as it is now.")
    ] = False,
    learned: Annotated[
        bool, typer.Option("--learned", help="Fail unless you predicted and explained all.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as data.")] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Show where you stand, and what comes next.

    There are two columns: what is yours (predicted, explained, built), and what was
    proved on this machine. Exit code 0: done; 2: wrong input, or files that cannot be
    read. With --proved, --own or --learned 1: something is missing in these tasks.
    Facts that take a minute are optional.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    asked = [task_id_of(each, taught) for each in tasks or []]
    standing = standing_now(taught, settings.reports)
    shown = [each for each in standing.tasks if not asked or each.task.id in asked]
    step = next_step_in(shown, "What was asked for") if asked else next_step(standing)
    lacks = [
        lack
        for task in shown
        for is_judged, lack in (
            (proved, _lack("demonstrated here", task.proved, task)),
            (own, _lack("hold for your own code", task.yours.built, task)),
            (learned, _lack("predicted", task.yours.predicted, task)),
            (learned, _lack("explained", task.yours.explained, task)),
        )
        if is_judged and lack
    ]
    if as_json:
        typer.echo(json.dumps(_as_data(standing, shown, step, lacks), indent=2))
    else:
        _show(standing, shown, step, with_facts=bool(asked))
        for lack in lacks:
            output.line(lack, style="red")
    if lacks:
        raise typer.Exit(1)


def _lack(what: str, count: Count, task: TaskStanding) -> str:
    """What is missing in a task, in one line; empty if nothing is."""
    return "" if count.is_full else f"{task.task.id}: {count} facts {what}"


def note(
    task: Annotated[str, typer.Argument(help="The task, as in 1.3.")],
    aha: Annotated[list[str] | None, typer.Option(help="What you understood.")] = None,
    challenge: Annotated[list[str] | None, typer.Option(help="What was hard.")] = None,
    question: Annotated[list[str] | None, typer.Option(help="What is still open.")] = None,
    difficulty: Annotated[int | None, typer.Option(help="From 1, easy, to 5, hard.")] = None,
    minutes: Annotated[int | None, typer.Option(help="Time spent, in all.")] = None,
    started: Annotated[str | None, typer.Option(help="A date: 2026-01-31, or today.")] = None,
    completed: Annotated[str | None, typer.Option(help="A date: 2026-01-31, or today.")] = None,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Write into your journal; without options, show your notes on the task.

    Texts are added; numbers and dates replace the old ones.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    task_id = task_id_of(task, taught)
    given = {
        "started": _date("--started", started),
        "completed": _date("--completed", completed),
        "minutes": minutes,
        "difficulty": difficulty,
        "aha": tuple(aha or ()),
        "challenges": tuple(challenge or ()),
        "questions": tuple(question or ()),
    }
    said = {name: value for name, value in given.items() if value not in (None, ())}
    path = settings.reports / journal.FILE
    before = journal.read(path).get(task_id, journal.Entry())
    _check_days(before, said)
    entry = journal.note(path, task_id, **said) if said else before
    whole = standing_of(taught, settings.reports)
    if said and whole.last and (problem := write_log(whole, settings)):
        output.trouble(f"the learning log was not updated: {problem}")
    (standing,) = [each for each in whole.tasks if each.task.id == task_id]
    output.line(f"{task_id} {standing.task.title}", style="bold")
    for name, value in _entry_rows(entry, standing):
        output.line(f"{name:<11} {value}", indent=2)
    output.whole(f"journal     {path}", indent=2)


def report(
    only_print: Annotated[
        bool, typer.Option("--print", help="Print its path, and open no browser.")
    ] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Write the learning log again, with all runs and notes, and open it in the browser."""
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    path = settings.reports / page.NAME
    standing = standing_now(load(settings.curriculum), settings.reports)
    if not standing.runs and not standing.has_begun:
        where = "begin with kafkalab learn 1.1, or name another folder with --reports"
        output.trouble(f"there is no run in {settings.reports} yet: {where}")
        raise typer.Exit(1)
    if problem := write_log(standing, settings):
        output.trouble(problem)
        raise typer.Exit(1)
    output.whole(str(path))
    if not only_print and not webbrowser.open(path.as_uri()):
        output.trouble("no browser could be started: open that file in one")
        raise typer.Exit(1)


def standing_now(taught: Curriculum, reports: Path) -> Standing:
    """Where the learner stands; if the journal is broken, say so, and go on without its notes."""
    try:
        return standing_of(taught, reports)
    except journal.BadJournal as error:
        output.trouble(f"without your notes: {error}")
        return standing_of(taught, reports, entries={})


def write_log(standing: Standing, settings: Settings) -> str:
    """Write the learning log again; return why that failed, in one line, or an empty text."""
    path, run_page = settings.reports / page.NAME, settings.reports / RUN_PAGE
    last = run_page if run_page.exists() else None
    try:
        page.write(standing, path, pictures_of(settings), last)
    except OSError as error:
        return f"{path}: {error.strerror}: check its rights"
    return ""


def _date(option: str, given: str | None) -> date | None:
    if given is None:
        return None
    try:
        return date.today() if given == "today" else date.fromisoformat(given)
    except ValueError:
        raise WrongValue(
            f"{option} is a date such as 2026-01-31, or today, and not {given}"
        ) from None


def _check_days(entry: journal.Entry, said: Mapping[str, Any]) -> None:
    """Refuse impossible days.

    Raises:
        WrongValue: a day is in the future, or the end is before the beginning.
    """
    started, completed = (said.get(name, getattr(entry, name)) for name in ("started", "completed"))
    for name in ("started", "completed"):
        if name in said and said[name] > date.today():
            raise WrongValue(f"--{name} {said[name]} is yet to come")
    if started and completed and completed < started:
        raise WrongValue(f"completed on {completed} is before started on {started}")


def _entry_rows(entry: journal.Entry, standing: TaskStanding) -> list[tuple[str, object]]:
    proposed = f"none noted; your runs say {standing.proposed_minutes}"
    rows: list[tuple[str, object]] = [
        ("started", _day_of(entry.started, standing.started)),
        ("completed", _day_of(entry.completed, standing.completed)),
        ("minutes", proposed if entry.minutes is None else entry.minutes),
        ("difficulty", entry.difficulty or "-"),
    ]
    for name in ("aha", "challenges", "questions"):
        rows += [(name, text) for text in getattr(entry, name)]
    return rows


# The dashboard


def _show(
    standing: Standing,
    shown: Sequence[TaskStanding],
    step: Step,
    *,
    with_facts: bool,
) -> None:
    curriculum = standing.curriculum
    output.line(f"Module {curriculum.id}: {curriculum.title}", style="bold")
    if standing.yours.whole.of:
        output.line(f"Yours {standing.yours.percent} %: {in_words(standing.yours)}")
    output.line(f"Proved here: {standing.proved} facts, in {_runs(standing.runs)}")
    quiz = quiz_of(standing.questions)
    if quiz.answered.of:
        output.line(f"Interview questions: {quiz_in_words(quiz)}")
    if quiz.asked:
        output.whole("kafkalab quiz", indent=2)
    output.line()
    if output.width() < NARROW:
        _show_tasks(shown, step)
    else:
        output.picture(_table(shown, step, output.width()))
    for task in shown:
        _show_optional(task)
        if with_facts:
            _show_tracked(task)
            _show_left(task)
    for word in standing.set_aside:
        output.line(word, style="yellow", indent=2)
    output.line()
    output.line(f"Next: {step.sentence}")
    if step.command:
        output.whole(step.command, style="bold", indent=2)


def _show_tasks(shown: Sequence[TaskStanding], step: Step) -> None:
    """The tasks below each other, for a terminal that is too narrow for a table."""
    for task in shown:
        is_here = step.task is task
        title = f"{'>' if is_here else ' '} {task.task.id} {task.task.title}"
        output.line(title, style="bold" if is_here else "")
        output.line(task.status, style=STATUS_STYLES[task.status], indent=4)
        for column in COLUMNS[1:]:
            output.line(f"{column.name} {column.cell(task)}", indent=4)


def _table(shown: Sequence[TaskStanding], step: Step, width: int) -> Table:
    """A row for each task; in a narrow terminal only with the most important columns."""
    columns = [column for column in COLUMNS if width >= column.wide_enough]
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("")
    table.add_column("task", overflow="fold")
    for column in columns:
        table.add_column(column.name, justify=column.justify)
    for task in shown:
        is_here = step.task is task
        here = "bold" if is_here else ""
        cells = [(">" if is_here else "", here), (f"{task.task.id} {task.task.title}", here)]
        for column in columns:
            style = STATUS_STYLES[task.status] if column.name == "status" else ""
            cells.append((column.cell(task), style))
        table.add_row(*(Text(readable(cell), style) for cell, style in cells))
    return table


def _show_optional(task: TaskStanding) -> None:
    for fact in task.facts:
        if fact.optional:
            text = f"{task.task.id} optional, as {fact.optional}: {fact.verdict}"
            output.line(text, style="dim", indent=2)
            output.whole(fact.command, style="dim", indent=4)


def _show_tracked(task: TaskStanding) -> None:
    """The values of a task for which the table has no room."""
    output.line()
    rows = (
        ("started", task.started or "-"),
        ("completed", task.completed or "-"),
        ("learnings", task.learnings),
        ("code files", task.code_files),
        ("predicted", task.yours.predicted),
        ("explained", task.yours.explained),
        ("built", task.yours.built),
        ("minutes", _minutes(task)),
        ("difficulty", task.entry.difficulty or "-"),
        ("challenges", len(task.entry.challenges) or "-"),
        ("last run", (task.last_run or "-")[:16].replace("T", " ")),
    )
    for name, value in rows:
        output.line(f"{task.task.id} {name:<11} {value}", indent=2)


def _show_left(task: TaskStanding) -> None:
    """The facts that are not demonstrated, with reasons; of those never run, only the number."""
    for fact in task.needed:
        if not fact.is_demonstrated and (fact.proof or fact.later):
            has_failed = fact.proof is not None and fact.proof.has_failed
            name = fact.slug if fact.is_hidden and not has_failed else fact.sentence
            _show_one_left(name, fact.proof, fact.later, fact.command)
        if fact.own and not fact.own.is_demonstration:
            sentence = f"{fact.sentence} In your own code."
            _show_one_left(sentence, fact.own, fact.own_later, fact.own_command)
    left = [fact for fact in task.needed if not fact.is_demonstrated]
    if never := sum(not (fact.proof or fact.own or fact.later) for fact in left):
        output.line()
        output.line(f"{task.task.id} not run yet: {never} of {len(task.needed)} facts", indent=2)
        output.whole(task.command, indent=4)


def _show_one_left(sentence: str, proof: Proof | None, later: str, command: str) -> None:
    output.line()
    verdict = proof.fact.verdict if proof else Verdict.NOT_RUN
    output.line(f"{verdict}: {sentence}", style="yellow", indent=2)
    for line in why(proof.fact.reason) if proof else []:
        output.line(line, indent=4)
    if later:
        output.line(later, indent=4)
    output.whole(command, indent=4)


def _minutes(task: TaskStanding) -> str:
    """The journal's minutes, or with a `~` those computed from the runs; and the estimate."""
    spent = task.entry.minutes
    told = f"~{task.proposed_minutes}" if task.proposed_minutes else "-"
    told = told if spent is None else str(spent)
    return f"{told} of {task.task.minutes}" if task.task.minutes else told


class Column(NamedTuple):
    """A column of the table of tasks."""

    name: str
    cell: Callable[[TaskStanding], str]
    justify: Literal["left", "right"] = "right"
    wide_enough: int = 0
    """the least width of the terminal, in columns, that has room for it"""


COLUMNS = (
    Column("status", lambda task: task.status, "left"),
    Column("yours", lambda task: f"{task.yours.percent} %"),
    Column("predicted", lambda task: str(task.yours.predicted), wide_enough=90),
    Column("explained", lambda task: str(task.yours.explained), wide_enough=90),
    Column("built", lambda task: str(task.yours.built), wide_enough=70),
    Column("proved here", lambda task: str(task.proved)),
    Column("minutes", _minutes, wide_enough=100),
    Column("last run", lambda task: (task.last_run or "-")[:16].replace("T", " "), "left", 120),
)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


# The same as data


def _as_data(
    standing: Standing, shown: Sequence[TaskStanding], step: Step, lacks: Sequence[str]
) -> dict[str, Any]:
    return {
        "schema": 2,
        "module": {"id": standing.curriculum.id, "title": standing.curriculum.title},
        "yours": _yours_data(standing.yours, quiz_of(standing.questions)),
        "proved": asdict(standing.proved),
        "learnings": asdict(standing.learnings),
        "code_files": asdict(standing.code_files),
        "runs": standing.runs,
        "here": step.task.task.id if step.task else None,
        "next": {"sentence": step.sentence, "command": step.command},
        "lacks": list(lacks),
        "set_aside": list(standing.set_aside),
        "tasks": [_task_data(task, quiz_of(standing.questions, task.task.id)) for task in shown],
    }


def _yours_data(yours: Progress, quiz: Quiz) -> dict[str, Any]:
    return {
        "percent": yours.percent,
        "predicted": asdict(yours.predicted),
        "explained": asdict(yours.explained),
        "built": asdict(yours.built),
        "answered": asdict(quiz.answered) if quiz.answered.of else None,
        "surprises": yours.surprises,
        "due": yours.due,
        "questions_due": len(quiz.due),
        "changed": yours.changed,
    }


def _task_data(task: TaskStanding, quiz: Quiz) -> dict[str, Any]:
    own = task.own_code
    return {
        "id": task.task.id,
        "title": task.task.title,
        "status": task.status,
        "started": _iso(task.started),
        "completed": _iso(task.completed),
        "yours": _yours_data(task.yours, quiz),
        "proved": asdict(task.proved),
        "learnings": asdict(task.learnings),
        "code_files": asdict(task.code_files),
        "concepts": [{"title": title, "learned": learned} for title, learned in task.concepts],
        "own_code": {"folder": own.folder, "facts": dict(own.built)} if own else None,
        "estimated_minutes": task.task.minutes or None,
        "minutes": task.entry.minutes,
        "proposed_minutes": task.proposed_minutes,
        "difficulty": task.entry.difficulty,
        "aha": list(task.entry.aha),
        "challenges": list(task.entry.challenges),
        "questions": list(task.entry.questions),
        "objectives": list(task.task.objectives),
        "builds": list(task.task.builds),
        "last_run": task.last_run,
        "command": task.command,
        "facts": [_fact_data(fact) for fact in task.facts],
    }


def _day_of(noted: date | None, told: date | None) -> str:
    """The day from the journal, or else from the acts."""
    if noted is None and told is not None:
        return f"none noted; your acts say {told}"
    return str(noted or "-")


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _fact_data(fact: FactStanding) -> dict[str, Any]:
    return {
        "slug": fact.slug,
        "question": fact.question or None,
        # A learner who has yet to predict must not find the answer here either.
        "sentence": None if fact.is_hidden else fact.sentence,
        "predicted": _guess_data(fact.yours.predicted),
        "explained": fact.yours.explained.sentence if fact.yours.explained else None,
        "due": fact.is_due,
        "built": fact.yours.built or None,
        "verdict": fact.verdict,
        "own_verdict": fact.own.fact.verdict if fact.own else None,
        "proved": fact.proof.started if fact.proof else None,
        "kafka": fact.proof.kafka if fact.proof else None,
        "optional": bool(fact.optional),
        "later": fact.later,
        "own_later": fact.own_later,
        "command": fact.command,
    }


def _guess_data(guess: Guess | None) -> dict[str, Any] | None:
    if guess is None:
        return None
    return {"choice": guess.choice or None, "right": guess.is_right, "at": guess.at.isoformat()}
