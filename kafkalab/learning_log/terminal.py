"""The terminal view of a run: facts as sentences, grouped by task, controls beneath."""

from __future__ import annotations

import textwrap
from collections import Counter
from pathlib import Path

import pytest

from kafkalab.curriculum import Curriculum
from kafkalab.learning_log.record import ControlRecord, FactRecord, RunRecord
from kafkalab.learning_log.verdicts import Outcome, Verdict

COLOURS = {
    Verdict.DEMONSTRATED: "green",
    Verdict.REFUTED: "red",
    Verdict.INVALID: "purple",
    Verdict.INTERRUPTED: "purple",
    Verdict.UNSUPPORTED: "yellow",
    Verdict.NOT_RUN: "yellow",
}

# Verdict, time and two gaps stand before each sentence.
MARGIN = 23


def show(
    reporter: pytest.TerminalReporter,
    record: RunRecord,
    curriculum: Curriculum,
    page: Path | None,
    record_path: Path,
) -> None:
    """Write the whole view."""
    reporter.write_sep("=", f"Module {curriculum.id}: {curriculum.title}", bold=True)
    for task in curriculum.tasks:
        facts = [fact for fact in record.facts if fact.task == task.id]
        if facts:
            reporter.write_line("")
            reporter.write_line(f"{task.id} {task.title}: {task.question}", bold=True)
            for fact in facts:
                _show_fact(reporter, fact)
            reporter.write_line("")
            reporter.write_line(f"  {_count(facts)}", bold=True)
    reporter.write_line("")
    for label, text in _footer(record, page, record_path):
        reporter.write_line(f"  {label:<8} {text}")


def _show_fact(reporter: pytest.TerminalReporter, fact: FactRecord) -> None:
    colour = {COLOURS[fact.verdict]: True}
    reporter.write(f"  {fact.verdict:<12}", **colour)
    reporter.write(f" {fact.seconds:5.2f} s ")
    _sentence(reporter, fact.sentence, MARGIN)
    if fact.verdict is not Verdict.DEMONSTRATED and fact.reason:
        _sentence(reporter, fact.reason.splitlines()[0], MARGIN, indent_first=True)
    for control in fact.controls:
        _show_control(reporter, control)


def _show_control(reporter: pytest.TerminalReporter, control: ControlRecord) -> None:
    word = "control" if control.outcome is Outcome.PASSED else f"control {control.outcome}"
    colour = {"light": True} if control.outcome is Outcome.PASSED else {"yellow": True}
    reporter.write(f"    {word:<10}", **colour)
    reporter.write(f" {control.seconds:5.2f} s ", light=True)
    _sentence(reporter, control.sentence, MARGIN, light=True)


def _sentence(
    reporter: pytest.TerminalReporter,
    text: str,
    margin: int,
    *,
    indent_first: bool = False,
    **markup: bool,
) -> None:
    # 40 columns at least, or a narrow terminal would get a word a line.
    width = max(40, reporter._tw.fullwidth - margin - 1)
    lines = textwrap.wrap(text, width) or [""]
    first = " " * margin if indent_first else ""
    reporter.write_line(first + lines[0], **markup)
    for line in lines[1:]:
        reporter.write_line(" " * margin + line, **markup)


def _count(facts: list[FactRecord]) -> str:
    counts = Counter(fact.verdict for fact in facts)
    demonstrated = counts.pop(Verdict.DEMONSTRATED, 0)
    rest = "".join(f", {count} {verdict}" for verdict, count in counts.items())
    return f"{demonstrated} of {len(facts)} facts demonstrated{rest}"


def _footer(record: RunRecord, page: Path | None, record_path: Path) -> list[tuple[str, str]]:
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
    if page is not None:
        rows.append(("page", str(page)))
    rows.append(("record", str(record_path)))
    return rows
