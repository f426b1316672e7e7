"""A fact that does not hold for one's own code: what Kafka did, what was expected, which line."""

from __future__ import annotations

from pathlib import Path

from kafkalab.cli import evidence, output
from kafkalab.curriculum import Curriculum
from kafkalab.isolation import shown
from kafkalab.judging import Judgement, Place, called_by, place_of
from kafkalab.learning_log.commands import shown_folder
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.summary import LONGEST_REASON
from kafkalab.learning_log.verdicts import Verdict
from kafkalab.learning_log.wording import why
from kafkalab.readable import shortened

# Lines of the learner's above and below the one that is meant.
AROUND = 2

# Of what code printed, the middle of more is left out: characters, and lines at each end.
MOST_PRINTED = 1000
FIRST_PRINTED, LAST_PRINTED = 3, 9


def show(
    fact: FactRecord, judgement: Judgement, taught: Curriculum, component: str, folder: Path
) -> None:
    """Print one fact that does not hold, or that nothing can be said of.

    Args:
        fact: which.
        judgement: of which run.
        taught: whose fact it is.
        component: which component it judged.
        folder: where that is.
    """
    output.line(fact.sentence, style="bold")
    style = "red" if fact.verdict is Verdict.REFUTED else "yellow"
    output.line(f"{fact.verdict}: {fact.slug}", style=style, indent=2)
    for line in why(fact.reason):
        output.line(shortened(line, LONGEST_REASON), indent=2)
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
        output.line("What it calls of yours:")
    for at in called:
        _show_line(at, around=0)


def show_printed(judgement: Judgement, slug: str) -> None:
    """Print what the code printed while a fact ran; nothing where it printed nothing."""
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
    """The learner's line, with those around it."""
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
