"""Prints a fact that does not hold for the learner's code: what Kafka did, what was expected."""

from __future__ import annotations

from pathlib import Path

from kafkalab.cli import evidence, output
from kafkalab.curriculum import Curriculum
from kafkalab.curriculum.error_codes import code_in
from kafkalab.isolation import shown
from kafkalab.judging import Judgement, Place, called_by, place_of
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.summary import LONGEST_REASON
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import why
from kafkalab.readable import shortened

# Lines that are shown above and below the learner's line.
AROUND = 2

# If the code printed more characters, or more lines, the middle is left out.
MOST_PRINTED = 1000
FIRST_PRINTED, LAST_PRINTED = 3, 9


def show(
    fact: FactRecord, judgement: Judgement, taught: Curriculum, component: str, folder: Path
) -> None:
    """Print one fact that does not hold, or that could not be judged.

    Args:
        fact: the fact.
        judgement: the run's.
        taught: the fact's curriculum.
        component: the component that it judged.
        folder: the component's folder.
    """
    output.line(fact.sentence, style="bold")
    style = "red" if fact.verdict is Verdict.REFUTED else "yellow"
    output.line(f"{fact.verdict}: {fact.slug}", style=style, indent=2)
    for line in why(fact.reason):
        output.line(shortened(line, LONGEST_REASON), indent=2)
    _explain_code(fact.reason)
    observed = judgement.evidence_of(fact)
    if observed:
        output.line("What was seen:")
        evidence.show(observed)
    show_printed(judgement, fact.slug)
    if fact.verdict is not Verdict.REFUTED:
        return
    if place := place_of(fact.reason, folder):
        _show_line(place)
        return
    called = called_by(taught, taught.stated_facts[fact.slug], component, folder)
    if called:
        output.line("What it calls in your code:")
    for at in called:
        _show_line(at, around=0)


def _explain_code(reason: str) -> None:
    """Print the command that explains Kafka's error, if the reason names one."""
    if code := code_in(reason):
        output.line("What this error means:")
        output.whole(f"kafkalab why {code.name}", indent=2)


def show_printed(judgement: Judgement, slug: str) -> None:
    """Print what the learner's code printed while a fact ran, if it printed anything."""
    printed = judgement.printed.get(slug, "").replace("\r\n", "\n")
    if not printed.strip():
        return
    output.line("What your code printed:")
    lines = printed.rstrip("\n").split("\n")
    if len(lines) > FIRST_PRINTED + LAST_PRINTED:
        lines[FIRST_PRINTED:-LAST_PRINTED] = ["[... lines are left out here ...]"]
    for line in shown("\n".join(lines), MOST_PRINTED).split("\n"):
        output.whole(line.expandtabs(), indent=2)


def _show_line(place: Place, around: int = AROUND) -> None:
    """Print the learner's line, with the lines around it."""
    output.whole(_shown(place))
    try:
        lines = place.file.read_text("utf-8", "replace").split("\n")
    except OSError:
        return
    first, last = max(1, place.line - around), min(len(lines), place.line + around)
    for number in range(first, last + 1):
        mark = ">" if number == place.line else " "
        style = "bold" if number == place.line else "dim"
        output.whole(f"{mark} {number:>4}  {lines[number - 1]}".rstrip(), style=style)


def _shown(place: Place) -> str:
    return f"{shown_folder(str(place.file))}:{place.line}"
