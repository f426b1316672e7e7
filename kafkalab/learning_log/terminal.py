"""The terminal view of a run: facts as sentences, grouped by task, controls beneath."""

from __future__ import annotations

import difflib
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kafkalab.curriculum import Curriculum
from kafkalab.learning_log.commands import run_again
from kafkalab.learning_log.record import ControlRecord, FactRecord, RunRecord
from kafkalab.learning_log.verdicts import Outcome, Verdict
from kafkalab.readable import readable

if TYPE_CHECKING:
    from kafkalab.learning_log.progress import Progress

COLOURS = {
    Verdict.DEMONSTRATED: "green",
    Verdict.REFUTED: "red",
    Verdict.INVALID: "purple",
    Verdict.INTERRUPTED: "purple",
    Verdict.UNSUPPORTED: "yellow",
    Verdict.NOT_RUN: "yellow",
}

# Of what differs, the first tells most.
MOST_DIFFERENCES = 3

# How pytest begins to tell what one side has that the other lacks; the next line says what.
ONE_SIDED = ("Left contains", "Right contains", "Extra items in the", "At index")

# Verdict, time and two gaps stand before each sentence.
MARGIN = 23
ROOM_FOR_WORD = 10


class Terminal:
    """The only way from a run to the terminal: what has no shape is shown as Python writes it."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self._reporter._tw.fullwidth

    def heading(self, text: str) -> None:
        """Write a title across the whole width."""
        self._reporter.write_sep("=", readable(text), bold=True)

    def part(self, text: str, **markup: bool) -> None:
        """Write the beginning of a line."""
        self._reporter.write(readable(text), **markup)

    def line(self, text: str = "", **markup: bool) -> None:
        """Write a line, or the rest of one."""
        self._reporter.write_line(readable(text), **markup)


def show(
    terminal: Terminal,
    record: RunRecord,
    curriculum: Curriculum,
    pages: Mapping[str, Path | None],
) -> None:
    """Write the whole view; the pages, by their names, are where the rest is told."""
    terminal.heading(f"Module {curriculum.id}: {curriculum.title}")
    for task in curriculum.tasks:
        facts = [fact for fact in record.facts if fact.task == task.id]
        if facts:
            terminal.line()
            heading = f"{task.id} {task.title}: {task.question}"
            for line in textwrap.wrap(heading, terminal.width, subsequent_indent="    "):
                terminal.line(line, bold=True)
            for fact in facts:
                hint = task.facts[fact.slug].hint
                _show_fact(terminal, fact, hint, run_again(fact, curriculum, record))
            terminal.line()
            _wrapped(terminal, count(facts), 2, bold=True)
    terminal.line()
    for label, text in _footer(record, pages):
        terminal.line(f"  {label:<8} {text}")


def show_progress(terminal: Terminal, progress: Progress) -> None:
    """Write where the learner stands after the run, what comes next, and what was left out."""
    step = progress.next_step
    done = f"{progress.demonstrated} of {progress.total} facts of Module {progress.curriculum.id}"
    rows = [("so far", f"{done}, {progress.percent} %"), ("next", step.sentence)]
    rows += [("", step.command)] if step.command else []
    rows += [("note", word) for word in progress.set_aside]
    for label, text in rows:
        if text == step.command:
            # Not wrapped: it is to be copied.
            terminal.line(f"  {label:<8} {text}")
        else:
            _wrapped(terminal, f"{label:<8} {text}", 2, hanging=11)


def _show_fact(terminal: Terminal, fact: FactRecord, hint: str, again: str) -> None:
    colour = {COLOURS[fact.verdict]: True}
    terminal.part(f"  {fact.verdict:<12}", **colour)
    terminal.part(f" {fact.seconds:5.2f} s ")
    _sentence(terminal, fact.sentence, MARGIN)
    if fact.verdict is not Verdict.DEMONSTRATED:
        for line in why(fact.reason):
            _sentence(terminal, line, MARGIN, indent_first=True)
        if hint and fact.verdict is Verdict.REFUTED:
            _sentence(terminal, f"hint:     {hint}", MARGIN, indent_first=True)
        # Not wrapped: it is to be copied.
        terminal.line(" " * MARGIN + again)
    for control in fact.controls:
        _show_control(terminal, control)


def why(reason: str) -> list[str]:
    """A reason for people who read no Python: what was expected, and what was seen instead.

    An assertion's reason is its message, then the comparison that failed, then, where that
    is too long to be shown whole, what differs.
    """
    first, *rest = reason.splitlines() or [""]
    rest = [line for line in rest if "Use -v to get more diff" not in line]
    seen = next((line for line in rest if line.startswith("assert ")), "")
    if not seen:
        return [first] if first else []
    differs = [
        f"differs:  {line.strip()}"
        if " != " in line
        else f"differs:  {line.strip()} {what.strip()}"
        for line, what in pairwise([*rest, ""])
        if " != " in line or line.strip().startswith(ONE_SIDED)
    ]
    return [
        f"expected: {first}",
        f"not so:   {seen.removeprefix('assert ')}",
        *differs[:MOST_DIFFERENCES],
    ]


def why_nothing(keyword: str, curriculum: Curriculum) -> str:
    """Why `-k` selected no fact, in one line."""
    slug, facts = keyword.replace("_", "-"), curriculum.stated_facts
    if any(each.is_slow and slug in each.slug for each in facts.values()):
        return (
            f"no fact matches -k {keyword} that takes less than a minute: "
            f"pytest -m slow -k {keyword}"
        )
    known = [*(f"task-{task.id.replace('.', '-')}" for task in curriculum.tasks), *facts]
    if any(slug in name for name in known):
        return f"there are facts for -k {keyword}, but another option, such as -m, leaves them out"
    near = [name.replace("-", "_") for name in difflib.get_close_matches(slug, known, n=3)]
    return f"no fact matches -k {keyword}" + (
        f"; did you mean {' or '.join(near)}?" if near else ""
    )


def _show_control(terminal: Terminal, control: ControlRecord) -> None:
    word = "control" if control.outcome is Outcome.PASSED else f"control {control.outcome}"
    colour = {"light": True} if control.outcome is Outcome.PASSED else {"yellow": True}
    if len(word) > ROOM_FOR_WORD:
        # A word that needs the room of the time, which says little then.
        terminal.part(f"    {word:<{MARGIN - 4}}", **colour)
    else:
        terminal.part(f"    {word:<{ROOM_FOR_WORD}}", **colour)
        terminal.part(f" {control.seconds:5.2f} s ", light=True)
    _sentence(terminal, control.sentence, MARGIN, light=True)


def _wrapped(
    terminal: Terminal, text: str, indent: int, *, hanging: int = 2, **markup: bool
) -> None:
    # 40 columns at least, or a narrow terminal would get a word a line.
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
    # 40 columns at least, or a narrow terminal would get a word a line.
    width = max(40, terminal.width - margin - 1)
    lines = textwrap.wrap(text, width) or [""]
    first = " " * margin if indent_first else ""
    terminal.line(first + lines[0], **markup)
    for line in lines[1:]:
        terminal.line(" " * margin + line, **markup)


def count(facts: Sequence[FactRecord]) -> str:
    """How many facts have which verdict; those about a component apart, where there are both."""
    own = [fact for fact in facts if fact.is_about_component]
    others = [fact for fact in facts if not fact.is_about_component]
    if not own:
        return _count(others)
    told = f"the component: {_count(own)}"
    return f"Kafka: {_count(others)}; {told}" if others else told


def _count(facts: Sequence[FactRecord]) -> str:
    counts = Counter(fact.verdict for fact in facts)
    demonstrated = counts.pop(Verdict.DEMONSTRATED, 0)
    rest = "".join(f", {count} {verdict}" for verdict, count in counts.items())
    return f"{demonstrated} of {len(facts)} facts demonstrated{rest}"


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
    return rows + [(name, str(path)) for name, path in pages.items() if path is not None]
