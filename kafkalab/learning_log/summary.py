"""Writes a run as Markdown, for the page of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kafkalab.curriculum import Curriculum, Task
from kafkalab.learning_log.commands import run_again
from kafkalab.learning_log.record import EDITED, FactRecord, RunRecord
from kafkalab.learning_log.verdicts import Outcome, Verdict
from kafkalab.learning_log.wording import count, why
from kafkalab.learning_log.written import require_ours, write_whole
from kafkalab.readable import readable, shortened

# Characters that Markdown, HTML or a Git host reads as markup; after a backslash they are text.
MARKUP = re.compile(r"([\\`*_\[\]<>|~&$@#])")

BLANKS = re.compile(r"\s+")

# The page of a job is cut at 1 MB, and should stay short enough to read.
LONGEST_REASON = 600


def write(record: RunRecord, curriculum: Curriculum, path: Path) -> None:
    """Write the summary; its folder is made if it is missing.

    Raises:
        OSError: it cannot be written, or the file is there and is no summary of ours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    require_ours(path, heading(curriculum))
    write_whole(path, markdown(record, curriculum).encode("utf-8", "backslashreplace"))


def heading(curriculum: Curriculum) -> str:
    """The first line of each summary."""
    return f"# Module {_text(curriculum.id)}: {_text(curriculum.title)}"


def markdown(record: RunRecord, curriculum: Curriculum) -> str:
    """The facts by task; those that are demonstrated are folded."""
    return "\n".join(_lines(record, curriculum)) + "\n"


def _lines(record: RunRecord, curriculum: Curriculum) -> Iterator[str]:
    yield heading(curriculum)
    yield ""
    yield f"**{_outcome(record)}**" + (f" in {record.seconds:.0f} s." if record.completed else "")
    if record.solutions:
        yield ""
        yield f"Judged: the components in {_text(record.solutions)}."
    for task in curriculum.tasks:
        facts = [fact for fact in record.facts if fact.task == task.id]
        if facts:
            yield from _task_lines(task, facts, curriculum, record)


def _outcome(record: RunRecord) -> str:
    if not record.completed:
        return "The run was not completed."
    if not record.facts:
        return "No fact was selected."
    # 2 is pytest's exit code for a run that was ended, by Ctrl-C or because the broker is gone.
    ended = "The run was interrupted: " if record.exit_status == 2 else ""
    return ended + count(record.facts)


def _task_lines(
    task: Task, facts: list[FactRecord], curriculum: Curriculum, record: RunRecord
) -> Iterator[str]:
    yield ""
    yield f"## {_text(task.id)} {_text(task.title)}"
    yield ""
    yield f"{_text(task.question)} {_text(count(facts))}."
    yield ""
    others = [fact for fact in facts if fact.verdict is not Verdict.DEMONSTRATED]
    for fact in others:
        yield from _fact_lines(fact, run_again(fact, curriculum, record))
    demonstrated = [fact for fact in facts if fact.verdict is Verdict.DEMONSTRATED]
    if demonstrated:
        if others:
            yield ""
        yield f"<details><summary>{len(demonstrated)} demonstrated</summary>"
        # Within HTML, Markdown begins only after an empty line.
        yield ""
        for fact in demonstrated:
            yield from _fact_lines(fact, "")
        yield ""
        yield "</details>"


def _fact_lines(fact: FactRecord, again: str) -> Iterator[str]:
    yield f"- **{fact.verdict}** {_prose(fact.sentence)} *{_text(fact.holds_for)}*"
    if fact.edited:
        yield f"  - {EDITED}"
    if fact.verdict is not Verdict.DEMONSTRATED:
        yield from (f"  - {_text(shortened(line, LONGEST_REASON))}" for line in why(fact.reason))
        yield f"  - `{readable(again)}`"
    for control in fact.controls:
        word = "control" if control.outcome is Outcome.PASSED else f"control {control.outcome}"
        yield f"  - {word}: {_prose(control.sentence)}"


def _prose(sentence: str) -> str:
    """A sentence as Markdown; text between backticks is code."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return _text(sentence)
    return "".join(
        f"`{readable(part)}`" if at % 2 else _text(part) for at, part in enumerate(parts)
    )


def _text(text: str) -> str:
    """The text on one line, escaped so that nothing in it is markup."""
    return MARKUP.sub(r"\\\1", readable(BLANKS.sub(" ", text)))
