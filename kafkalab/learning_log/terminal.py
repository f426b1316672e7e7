"""The terminal view of a run: facts as sentences, grouped by task, each above its controls."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kafkalab import typed
from kafkalab.curriculum import Curriculum, Task
from kafkalab.curriculum.predictions import Prediction
from kafkalab.learning_log.commands import run_again
from kafkalab.learning_log.record import ControlRecord, FactRecord, RunRecord
from kafkalab.learning_log.verdicts import Outcome, Verdict
from kafkalab.learning_log.wording import count, in_words, why
from kafkalab.readable import readable

if TYPE_CHECKING:
    from kafkalab.learning_log.next_step import Step
    from kafkalab.learning_log.standing import Standing

COLOURS = {
    Verdict.DEMONSTRATED: "green",
    Verdict.REFUTED: "red",
    Verdict.INVALID: "purple",
    Verdict.INTERRUPTED: "purple",
    Verdict.UNSUPPORTED: "yellow",
    Verdict.NOT_RUN: "yellow",
}

# The columns before each sentence: verdict, time and two gaps.
MARGIN = 23
ROOM_FOR_WORD = 10
# Otherwise a narrow terminal would get one letter in each line.
LEAST_WIDTH = 20


class Terminal:
    """The only way from a run to the terminal: control characters are shown as Python's escapes."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self._reporter._tw.fullwidth

    def heading(self, text: str) -> None:
        """Write a title across the whole width."""
        self._reporter.write_sep("=", readable(text), bold=True)

    def begin_line(self) -> None:
        """End the line that something else has begun, such as pytest's dots."""
        self._reporter.ensure_newline()
        if self._reporter._tw.width_of_current_line:
            self._reporter._tw.line()

    def part(self, text: str, **markup: bool) -> None:
        """Write the beginning of a line."""
        self._reporter.write(readable(text), **markup)

    def line(self, text: str = "", **markup: bool) -> None:
        """Write a line, or the rest of one."""
        self._reporter.write_line(readable(text), **markup)


class Conversation:
    """How pytest asks (`kafkalab.learning_log.asking.Talk`)."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._terminal = Terminal(reporter)

    def line(self, text: str = "", *, style: str = "", indent: int = 0, mark: str = "") -> None:
        """Write text; it wraps at the terminal's width, with the same indent on each line."""
        beside = " " * indent + mark
        width = max(LEAST_WIDTH, self._terminal.width - 1 - len(beside))
        for part in textwrap.wrap(text, width) or [""]:
            self._terminal.line(f"{beside}{part}".rstrip(), **({style: True} if style else {}))
            beside = " " * len(beside)

    def ask(self, prompt: str) -> str:
        """Ask for a line.

        Raises:
            EOFError: the input has ended.
        """
        return typed.line(readable(prompt))


class StepLines:
    """Shows the steps of Kafka's preparation (`kafkalab.brokers.Steps`), each as a line."""

    def __init__(self, reporter: pytest.TerminalReporter | None) -> None:
        """Take the terminal to write to; with None the steps are not shown."""
        self._terminal = Terminal(reporter) if reporter is not None else None

    def step(self, text: str) -> None:
        if self._terminal is not None:
            self._terminal.line(f"kafkalab: {text}")

    def total(self, size: int) -> None:
        """The step's text has the size already."""

    def advance(self, size: int) -> None:
        """A progress bar would fill a log with lines; `kafkalab prepare` shows one."""


@dataclass(frozen=True)
class View:
    """How much of a run is shown."""

    is_brief: bool
    """a line for each task, and in full only the facts that need a look"""
    hidden: frozenset[str]
    """the slugs of facts whose sentences would give away an answer that is yet to be predicted"""


def show(
    terminal: Terminal,
    record: RunRecord,
    curriculum: Curriculum,
    pages: Mapping[str, Path | None],
    view: View,
) -> None:
    """Write the whole view; `pages` are the pages with more about it, by their names."""
    terminal.heading(f"Module {curriculum.id}: {curriculum.title}")
    for task in curriculum.tasks:
        facts = [fact for fact in record.facts if fact.task == task.id]
        if facts:
            _show_task(terminal, task, facts, curriculum, record, view)
    terminal.line()
    for label, text in _footer(record, pages):
        terminal.line(f"  {label:<8} {text}")


def _show_task(
    terminal: Terminal,
    task: Task,
    facts: Sequence[FactRecord],
    curriculum: Curriculum,
    record: RunRecord,
    view: View,
) -> None:
    if view.is_brief:
        _wrapped(terminal, f"{task.id} {task.title}: {count(facts)}", 0, hanging=4)
    else:
        terminal.line()
        _wrapped(terminal, f"{task.id} {task.title}: {task.question}", 0, hanging=4, bold=True)
    for fact in facts:
        hint, stated = task.facts[fact.slug].hint, curriculum.stated_facts[fact.slug]
        again = run_again(fact, curriculum, record)
        if view.is_brief and fact.verdict is Verdict.NOT_RUN:
            _wrapped(terminal, f"{fact.slug} was not run: {fact.reason}", 4, hanging=8, light=True)
        elif fact.needs_a_look or not view.is_brief:
            _show_fact(terminal, fact, stated.why, hint, again, is_hidden=_hides(fact, view.hidden))
    if not view.is_brief:
        terminal.line()
        _wrapped(terminal, count(facts), 2, bold=True)


def _hides(fact: FactRecord, hidden: Collection[str]) -> bool:
    # A failure gives no answer away, and the learner has to read what is wrong.
    return fact.slug in hidden and not fact.has_failed


def words_of(fact: FactRecord, hidden: Collection[str]) -> str:
    """A fact's sentence, or only its slug if the sentence would give an answer away.

    Args:
        fact: with its verdict.
        hidden: the slugs of facts that are yet to be predicted.
    """
    return fact.slug if _hides(fact, hidden) else fact.sentence


def show_standing(
    terminal: Terminal, standing: Standing, step: Step, question: Prediction | None
) -> None:
    """Write what was proved here, what is the learner's, what comes next, and what was left out.

    Args:
        terminal: where to write.
        standing: of the learner.
        step: what comes next.
        question: the one to begin with; None if the learner has begun.
    """
    module = f"Module {standing.curriculum.id}"
    rows = [("proved", f"{standing.proved} facts of {module}, on this machine")]
    if standing.yours.whole.of:
        rows.append(("yours", f"{standing.yours.percent} %: {in_words(standing.yours)}"))
    rows.append(("next", step.sentence))
    rows += [("", step.command)] if step.command else []
    rows += [("note", word) for word in standing.set_aside]
    for label, text in rows:
        if text == step.command:
            # Not wrapped, so that it can be copied.
            terminal.line(f"  {label:<8} {text}")
        else:
            _wrapped(terminal, f"{label:<8} {text}", 2, hanging=11)
    if question is not None:
        _show_question(terminal, question)


def _show_question(terminal: Terminal, asked: Prediction) -> None:
    """Write a question with its choices: you learn Kafka by being wrong about it."""
    _wrapped(terminal, f"{'guess':<8} {asked.question}", 2, hanging=11)
    for letter, choice in zip("abcd", asked.choices, strict=False):
        _wrapped(terminal, f"{letter}) {choice.text}", 11, hanging=14)


def _show_fact(
    terminal: Terminal,
    fact: FactRecord,
    matters: Sequence[str],
    hint: str,
    again: str,
    *,
    is_hidden: bool = False,
) -> None:
    colour = {COLOURS[fact.verdict]: True}
    terminal.part(f"  {fact.verdict:<12}", **colour)
    terminal.part(f" {fact.seconds:5.2f} s ")
    if is_hidden:
        # Without the controls, too: they would give the answer away as well.
        terminal.line(fact.slug, light=True)
        return
    _sentence(terminal, fact.sentence, MARGIN)
    if fact.verdict is not Verdict.DEMONSTRATED:
        for line in why(fact.reason):
            _sentence(terminal, line, MARGIN, indent_first=True)
        for paragraph in matters if fact.verdict is Verdict.REFUTED else ():
            _sentence(terminal, f"why:      {paragraph}", MARGIN, indent_first=True)
        if hint and fact.verdict is Verdict.REFUTED:
            _sentence(terminal, f"hint:     {hint}", MARGIN, indent_first=True)
        # Not wrapped, so that it can be copied.
        terminal.line(" " * MARGIN + again)
    for control in fact.controls:
        _show_control(terminal, control)


def _show_control(terminal: Terminal, control: ControlRecord) -> None:
    word = "control" if control.outcome is Outcome.PASSED else f"control {control.outcome}"
    colour = {"light": True} if control.outcome is Outcome.PASSED else {"yellow": True}
    if len(word) > ROOM_FOR_WORD:
        # The word takes the place of the time, which matters little for a failed control.
        terminal.part(f"    {word:<{MARGIN - 4}}", **colour)
    else:
        terminal.part(f"    {word:<{ROOM_FOR_WORD}}", **colour)
        terminal.part(f" {control.seconds:5.2f} s ", light=True)
    _sentence(terminal, control.sentence, MARGIN, light=True)


def _wrapped(
    terminal: Terminal, text: str, indent: int, *, hanging: int = 2, **markup: bool
) -> None:
    # 40 columns at least, or a narrow terminal would get one word in each line.
    width = max(40, terminal.width - 1)
    first, rest = " " * indent, " " * hanging
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=rest)
    for line in lines:
        terminal.line(line, **markup)


def _sentence(
    terminal: Terminal,
    text: str,
    margin: int,
    *,
    indent_first: bool = False,
    **markup: bool,
) -> None:
    # 40 columns at least, or a narrow terminal would get one word in each line.
    width = max(40, terminal.width - margin - 1)
    lines = textwrap.wrap(text, width) or [""]
    first = " " * margin if indent_first else ""
    terminal.line(first + lines[0], **markup)
    for line in lines[1:]:
        terminal.line(" " * margin + line, **markup)


def _footer(record: RunRecord, pages: Mapping[str, Path | None]) -> list[tuple[str, str]]:
    rows = []
    if start := record.broker["start_seconds"]:
        by = record.broker["started_by"]
        where = f" by worker {by}" if by else ""
        rows.append(
            ("broker", f"Kafka {record.broker['version']}, started in {start:.2f} s{where}")
        )
    rows += [("note", note) for note in record.broker["notes"] or []]
    if record.solutions:
        rows.append(("judged", f"the components in {record.solutions}"))
    elif any(fact.is_about_component for fact in record.facts):
        rows.append(("judged", "kafkalab's own components; --kafkalab-solutions=my_lab: yours"))
    return rows + [(name, str(path)) for name, path in pages.items() if path is not None]
