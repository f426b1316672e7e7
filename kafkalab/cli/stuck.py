"""Commands for a learner who is stuck, or has finished: `kafkalab hint`, `kafkalab solution`."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kafkalab.cli import output
from kafkalab.cli.learning import Notebook
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue, slug_of
from kafkalab.cli.own import Desk, FolderOption, TaskArgument
from kafkalab.config import Settings
from kafkalab.curriculum import Curriculum, Statement, load
from kafkalab.learning_log import acts, own_work
from kafkalab.learning_log.acts import Act
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.next_step import FOLDER
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.own_code import digest_of
from kafkalab.solutions import REFERENCE


def hint(
    task: Annotated[
        str | None,
        typer.Argument(help="The task, as in 1.2; by default the one that was judged last."),
    ] = None,
    fact: Annotated[
        str | None, typer.Option(help="The fact; by default the first that does not hold.")
    ] = None,
    folder: FolderOption = Path(FOLDER),
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Give one hint at a time for your own component; the last one is nearly the code.

    It is recorded that you took the hint.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    notebook = Notebook(taught, settings.reports)
    done, _ = acts.read(notebook.path)
    desk = Desk.of(_task_of(task, fact, done, taught), folder, taught)
    meant = _fact_of(fact, desk) if fact else _first_failing(desk, done, settings.reports)
    if meant is None:
        output.line(f"All {len(desk.facts)} facts held at the last check. Judge it again:")
        output.whole(desk.command("check"), indent=2)
        return
    give_hint(meant, desk, notebook, more=["--fact", meant.slug] if fact else [])


def give_hint(
    meant: Statement, desk: Desk, notebook: Notebook, more: Sequence[str] = (), key: str = ""
) -> None:
    """Give the next hint of a fact, and record that it was taken.

    Args:
        meant: the fact.
        desk: its task's.
        notebook: where this is recorded.
        more: further arguments of the command that gives the next hint.
        key: the key that gives the next hint; empty if a command does.

    Raises:
        WrongValue: the fact has no hint, or it cannot be recorded.
    """
    hints = desk.task.facts[meant.slug].hints
    if not hints:
        raise WrongValue(f"{meant.slug} has no hint")
    output.line(meant.sentence, style="bold")
    output.whole(meant.slug, indent=2)
    number = own_work.hints_taken(acts.read(notebook.path)[0], meant.slug) + 1
    if number > len(hints):
        for text in hints:
            output.line(text, indent=2, mark="- ")
        output.line("These are all of its hints. The reference shows the code:")
        output.whole(desk.command("solution"), indent=2)
        return
    # Recorded before it is shown, so that no hint is shown without a record.
    notebook.add(acts.HINTED, meant.slug, number=number)
    output.line(f"Hint {number} of {len(hints)}:")
    output.line(hints[number - 1], indent=2)
    if number < len(hints):
        next_one = (
            f"{key} gives the next one, which says more." if key else "The next one says more:"
        )
        output.line(f"Try it. If it is not enough: {next_one}")
        if not key:
            output.whole(desk.command("hint", *more), indent=2)


def _task_of(task: str | None, fact: str | None, done: tuple[Act, ...], taught: Curriculum) -> str:
    """The task: the given one, the given fact's, or the one that was judged last.

    Raises:
        WrongValue: none of these is known.
    """
    if task is not None:
        return task
    if fact is not None:
        return taught.stated_facts[slug_of(fact, taught)].task
    judged = own_work.last_judged(done)
    if not judged:
        raise WrongValue("nothing was judged yet: name a task, as in kafkalab hint 1.2")
    return judged


def _fact_of(given: str, desk: Desk) -> Statement:
    slug = slug_of(given, desk.taught)
    found = [each for each in desk.facts if each.slug == slug]
    if not found:
        of = desk.taught.stated_facts[slug].task
        why = f"of task {of}" if of != desk.task.id else "about Kafka, and not about your code"
        raise WrongValue(f"{slug} is {why}: kafkalab facts {desk.task.id} lists the task's facts")
    return found[0]


def _first_failing(desk: Desk, done: tuple[Act, ...], reports: Path) -> Statement | None:
    """The first fact that did not hold when it was judged last; None if all did."""
    verdicts = own_work.last_verdicts(done, desk.task.id, desk.folder, reports)
    if not verdicts:
        output.line("Not judged yet: this hint is for its first fact.", style="dim")
    left = (each for each in desk.facts if verdicts.get(each.slug) != Verdict.DEMONSTRATED)
    return next(left, None)


def solution(
    task: TaskArgument,
    folder: FolderOption = Path(FOLDER),
    diff: Annotated[
        bool, typer.Option("--diff", help="Show only how it differs from yours.")
    ] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Show the reference of a task, once you have solved it, or when you ask twice.

    Exit code 1: it was not shown.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    desk = Desk.of(task, folder, taught)
    reference = REFERENCE / f"{desk.task.component}.py"
    if not reference.is_file():
        raise WrongValue(f"kafkalab has no {desk.task.component}.py to show")
    if diff and not desk.file.is_file():
        raise WrongValue(f"there is no {shown_folder(str(desk.file))} to compare it with")
    notebook = Notebook(taught, settings.reports)
    done, _ = acts.read(notebook.path)
    held, count = held_now(desk, done, settings.reports), len(desk.facts)
    is_solved = held == count
    is_shown = is_solved or own_work.was_asked_for(done, desk.task.id)
    notebook.add(acts.ASKED_FOR_SOLUTION, desk.task.id, solved=is_solved, shown=is_shown)
    if not is_shown:
        output.line(
            f"{desk.task.id} is not solved yet: {held} of {count} facts are known to hold for "
            f"{shown_folder(str(desk.file))} as it is now. Try a hint first:"
        )
        output.whole(desk.command("hint"), indent=2)
        output.line("If you ask once more, the reference is shown:")
        output.whole(desk.command("solution", *(["--diff"] if diff else [])), indent=2)
        raise typer.Exit(1)
    text = reference.read_text("utf-8")
    if diff:
        _show_difference(desk.file, reference, text)
        return
    output.code(text, "python")
    output.line()
    output.whole(f"From {shown_folder(str(reference))}")
    if desk.file.is_file():
        output.line("How it differs from yours:")
        output.whole(desk.command("solution", "--diff"), indent=2)


def held_now(desk: Desk, done: tuple[Act, ...], reports: Path) -> int:
    """How many facts hold for the component as its file is now."""
    try:
        code = digest_of(desk.folder, desk.task.component)
    except OSError:
        return 0
    if not code:
        return 0
    verdicts = own_work.last_verdicts(done, desk.task.id, desk.folder, reports, code=code)
    return sum(verdicts.get(each.slug) == Verdict.DEMONSTRATED for each in desk.facts)


def _show_difference(own: Path, reference: Path, text: str) -> None:
    """Print the changes that would turn the learner's file into the reference.

    Docstrings are left out: in both files they repeat the contract, and would hide the code.

    Raises:
        WrongValue: the learner's file cannot be read.
    """
    try:
        mine = own.read_text("utf-8", "replace")
    except OSError as error:
        raise WrongValue(f"{own} cannot be read: {error.strerror}: check its rights") from error
    names = shown_folder(str(own)), shown_folder(str(reference))
    both = _without_docstrings(mine), _without_docstrings(text)
    lines = difflib.unified_diff(*both, *names, lineterm="")
    if difference := "\n".join(lines):
        output.code(difference, "diff")
        output.line("Docstrings are left out, so line numbers differ from those of the files.")
    else:
        output.line("Yours is the same as the reference, except for docstrings.")


def _without_docstrings(text: str) -> list[str]:
    """The lines of a file without its docstrings; all lines if it is not valid Python."""
    lines = text.splitlines()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return lines
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        # A function with only a docstring needs it as its body.
        if ast.get_docstring(node) is not None and len(node.body) > 1:
            first = node.body[0]
            left_out.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return [line for number, line in enumerate(lines, 1) if number not in left_out]
