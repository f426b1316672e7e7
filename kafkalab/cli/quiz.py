"""`kafkalab quiz`: interview questions, answered from memory; each comes back in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from kafkalab import typed
from kafkalab.cli import output
from kafkalab.cli.learning import Notebook, show_in_log
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue, task_id_of
from kafkalab.cli.warmed import undisturbed
from kafkalab.config import Settings
from kafkalab.curriculum import load
from kafkalab.curriculum.interview import InterviewQuestion
from kafkalab.learning_log import acts, asking
from kafkalab.learning_log.asking import Left
from kafkalab.learning_log.quizzes import NEW_A_DAY, Quiz, in_words, quiz_of
from kafkalab.learning_log.recall import GRADES
from kafkalab.learning_log.standing import FactStanding, QuestionStanding, standing_of

NO_TERMINAL = (
    "quiz asks in the terminal, and there is none: call it in one; "
    "kafkalab status says what is due today"
)

MEANINGS = {
    "again": "I did not know it",
    "hard": "I knew some of it, or it took long",
    "good": "I knew it",
    "easy": "I knew it at once",
}
"""for each grade, what the learner says with it"""


def quiz(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="A task, as in 1.3; all if none.")
    ] = None,
    new: Annotated[
        int, typer.Option(min=0, help="How many questions may be new on one day.")
    ] = NEW_A_DAY,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Answer interview questions from memory, and see the facts that prove the answers.

    You grade your own answer. The better you knew it, the later the question comes
    back. Each grade is saved at once, in acts.jsonl in the reports folder: stop at any
    point. A question is asked once its facts are predicted, as its answer tells them.
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    taught = load(settings.curriculum)
    task_id = None if task is None else task_id_of(task, taught)

    def today() -> Quiz:
        return quiz_of(standing_of(taught, settings.reports, entries={}).questions, task_id, new)

    before = today()
    if not before.answered.of:
        whose = "this curriculum" if task_id is None else f"task {task_id}"
        raise WrongValue(f"{whose} has no interview questions: kafkalab learn asks about its facts")
    if before.asked and not typed.is_terminal():
        raise WrongValue(NO_TERMINAL)
    notebook = Notebook(taught, settings.reports)
    for word in notebook.set_aside:
        output.line(word, style="yellow")
    output.line(f"Interview questions: {in_words(before)}.", style="bold")
    grades, code = Counter[str](), 0
    try:
        for at, asked in enumerate(before.asked, 1):
            output.line()
            output.line(f"{at} of {len(before.asked)}, task {asked.task}", style="dim")
            grades[_ask(asked, notebook)] += 1
    except Left:
        pass
    except KeyboardInterrupt:
        code = typed.ENDED_BY_CTRL_C
        output.line()
    with undisturbed():
        command = f"kafkalab quiz {task_id}" if task_id else "kafkalab quiz"
        _sum_up(grades, today(), command, new)
        if notebook.has_grown:
            show_in_log(taught, settings)
    if code:
        raise typer.Exit(code)


def _ask(asked: QuestionStanding, notebook: Notebook) -> str:
    """Ask a question, show its answer, save the learner's grade, and return it.

    Raises:
        Left: the learner left before the grade.
    """
    question = asked.question
    output.line(question.asks, style="bold")
    how = f"Answer from memory; an empty line ends your answer. ({asking.LEAVE} leaves)"
    output.line(how, style="dim")
    answer = _typed_answer()
    output.line()
    _show_answer(question)
    _show_proofs(asked.facts)
    output.line()
    # What was pasted after an empty line is not a grade.
    typed.forget()
    output.line("How well did you know it?", style="bold")
    for grade, meaning in MEANINGS.items():
        output.line(f"{grade}: {meaning}", indent=2, mark=f"{grade[0]}  ")
    letters = {grade[0]: grade for grade in GRADES}
    prompt = f"{', '.join(letters)} ({asking.LEAVE} leaves)"
    grade = asking.one_of(output, prompt, {**letters, **{each: each for each in GRADES}})
    notebook.add(acts.RECALLED, question.slug, grade=grade, answer=answer)
    due = notebook.recalled[question.slug].due
    output.line(f"Kept. It comes back on {due}.", style="dim")
    return grade


def _typed_answer() -> str:
    """What the learner types, until an empty line; empty if nothing.

    Raises:
        Left: the learner left.
    """
    lines: list[str] = []
    while line := asking.answer_to(output, "and  " if lines else "yours"):
        lines.append(line)
    return "\n".join(lines)


def _show_answer(question: InterviewQuestion) -> None:
    output.line(question.answer, mark="ours  > ")
    for heading, texts in (
        ("Asked next:", (question.follow_up, question.follow_up_answer)),
        ("Often said, but wrong:", (f'"{question.wrong}"', question.why_wrong)),
        ("With experience:", (question.goes_on,)),
    ):
        output.line()
        output.line(heading, style="bold")
        for text in texts:
            output.line(text, indent=2)


def _show_proofs(facts: Sequence[FactStanding]) -> None:
    """The facts that prove the answer, each with its last verdict on this machine."""
    output.line()
    output.line("What proves it:", style="bold")
    for fact in facts:
        output.line(fact.sentence, indent=2)
        where = f", {fact.best.started[:10]}, {fact.best.kafka}" if fact.best else ""
        style = "green" if fact.is_demonstrated else "yellow"
        output.line(f"{fact.verdict} here{where}", style=style, indent=4)
        output.whole(fact.command, indent=4)


# What is left


def _sum_up(grades: Counter[str], left: Quiz, command: str, new: int) -> None:
    """Print what was graded, what is left, and what has to be predicted first.

    Args:
        grades: how often each was given.
        left: what may still be asked today.
        command: the one that goes on.
        new: how many questions may be new on one day.
    """
    output.line()
    if grades:
        told = (f"{grades[grade]} {grade}" for grade in GRADES if grades[grade])
        output.line(f"Graded {grades.total()}: {', '.join(told)}.", style="bold")
    if left.asked:
        output.line(f"Left for today: {len(left.asked)}. To go on:")
        output.whole(f"{command}{_option(new)}", indent=2)
    else:
        output.line("Nothing is left for today." if grades else "There is nothing to ask today.")
        if left.later:
            output.line(f"{left.later} more are new, for another day. To begin some of them now:")
            output.whole(f"{command}{_option(new + NEW_A_DAY)}", indent=2)
    if left.back:
        output.line(f"The next day on which one comes back: {left.back}.")
    _tell_waiting(left.waiting)


def _option(new: int) -> str:
    return "" if new == NEW_A_DAY else f" --new {new}"


def _tell_waiting(waiting: Sequence[QuestionStanding]) -> None:
    """Print why some questions are not asked, and what to do about it."""
    if not waiting:
        return
    facts = [fact for each in waiting for fact in each.to_predict]
    first = next((fact for fact in facts if fact.can_be_predicted), None)
    count = "1 question is" if len(waiting) == 1 else f"{len(waiting)} questions are"
    output.line(
        f"{count} not asked yet: the answer would tell a fact that you have yet to predict."
    )
    if first:
        output.line("To predict the first one:")
        output.whole(f"kafkalab learn {first.slug}", indent=2)
    else:
        days = [fact.yours.shown_until.date() for fact in facts if fact.yours.shown_until]
        output.line(f"You opened the answers: predictions count again from {min(days)} on.")
