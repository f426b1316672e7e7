"""`kafkalab why`: what an error code or a symptom means, and the facts that show it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

import typer

from kafkalab.cli import output
from kafkalab.cli.learn import note_opened
from kafkalab.cli.options import CurriculumOption, ReportsOption, WrongValue
from kafkalab.config import Settings
from kafkalab.curriculum import load
from kafkalab.curriculum.error_codes import ErrorCode
from kafkalab.curriculum.symptoms import Look, Symptom, look_up, near, symptoms
from kafkalab.learning_log import acts
from kafkalab.learning_log.standing import FactStanding, standing_of
from kafkalab.readable import shortened

# An option that this command does not have; a number may be negative.
OPTION = re.compile(r"--?[A-Za-z][\w-]*(=.*)?")

# What was asked may be a whole line of a log.
LONGEST_QUESTION = 60

# More are listed by their titles.
MOST_IN_FULL = 3

NOT_YET = (
    "What it means gives answers away that you have yet to predict. This tells it, and then they "
    "can be predicted again in a week:"
)

KINDS = {
    "command": "",
    "log": "In the log: ",
    "metric": "JMX: ",
    "setting": "",
    "statistic": "librdkafka's statistics: ",
}
"""what is printed before something to look at"""


@dataclass(frozen=True)
class Answers:
    """The facts as they stand, and whether their answers may be shown."""

    standings: Mapping[str, FactStanding]
    """by slug"""
    opens: bool
    """whether the learner asked for the answers"""

    def facts(self, target: Symptom | ErrorCode) -> list[FactStanding]:
        """The facts that show it; another curriculum may have none of them."""
        slugs = target.facts if isinstance(target, Symptom) else ()
        return [self.standings[slug] for slug in slugs if slug in self.standings]

    def hidden(self, target: Symptom | ErrorCode) -> list[FactStanding]:
        """The facts whose answers the learner has yet to predict."""
        return [fact for fact in self.facts(target) if fact.is_hidden]

    def means(self, target: Symptom) -> str:
        """What it means; empty if that would give an answer away."""
        return target.means if self.opens or not self.hidden(target) else ""

    def sentence(self, fact: FactStanding) -> str:
        """The fact's sentence; empty if that would give an answer away."""
        return fact.sentence if self.opens or not fact.is_hidden else ""


def why(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="A code, its number, or a few words; all if none."),
    ] = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="Open answers that are yet to be predicted; this is recorded."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: a list.")] = False,
    reports: ReportsOption = None,
    curriculum: CurriculumOption = None,
) -> None:
    """Explain an error code or a symptom: its meaning, facts that show it, where to look.

    It needs no Kafka. Codes are found by number and by name, librdkafka's and
    Java's; symptoms by words. A line of a log may be given as it is. Once you
    have begun to predict, answers that are yet to be predicted stay closed.

    Examples: kafkalab why UNKNOWN_MEMBER_ID

    kafkalab why lag grows though nothing arrives
    """
    settings = Settings.from_environment(reports=reports, curriculum=curriculum)
    _refuse_options(words or ())
    asked = " ".join(words or ()).strip()
    if show and not asked:
        raise WrongValue("--show opens the answers of what you name: name a code or a symptom")
    found = look_up(asked) if asked else symptoms()
    if not found:
        raise WrongValue(_nothing(asked))
    standing = standing_of(load(settings.curriculum), settings.reports, entries={})
    answers = Answers({fact.slug: fact for fact in standing.facts}, opens=show)
    if show and (as_json or len(found) <= MOST_IN_FULL):
        opened = {fact.slug: fact for each in found for fact in answers.hidden(each)}
        note_opened(list(opened.values()), settings.reports / acts.FILE)
    if as_json:
        typer.echo(json.dumps([_as_data(each, answers) for each in found], indent=2))
    elif not asked:
        _list(found)
    elif len(found) > MOST_IN_FULL:
        output.line(f"{len(found)} entries fit: name one of them.")
        _list(found)
    else:
        for at, each in enumerate(found):
            if at:
                output.line()
            _show(each, answers)


def _refuse_options(words: Sequence[str]) -> None:
    """Refuse an option that this command does not have.

    Raises:
        WrongValue: there is one.
    """
    for word in words:
        if OPTION.fullmatch(word):
            raise WrongValue(f"there is no option {word}: kafkalab why --help lists them")


def _nothing(asked: str) -> str:
    told = f"nothing is known of {shortened(asked, LONGEST_QUESTION)}"
    likely = near(asked)
    if not likely:
        return f"{told}: kafkalab why lists what is"
    return f"{told}: did you mean {' or '.join(likely)}?"


def _list(listed: Sequence[Symptom | ErrorCode]) -> None:
    """Print one way to ask for each, by theme: codes side by side, phrases each on a line."""
    for theme, group in groupby(listed, lambda each: getattr(each, "theme", "Other codes")):
        output.line(theme, style="bold")
        entries = list(group)
        codes = [each.name for entry in entries for each in _codes(entry)]
        if codes:
            output.line(", ".join(codes), indent=2)
        for entry in entries:
            if isinstance(entry, Symptom) and entry.says[0] not in codes:
                output.line(entry.says[0], indent=2, mark="- ")


def _codes(target: Symptom | ErrorCode) -> Sequence[ErrorCode]:
    return target.codes if isinstance(target, Symptom) else (target,)


def _show(target: Symptom | ErrorCode, answers: Answers) -> None:
    for code in _codes(target):
        _show_code(code)
    if isinstance(target, ErrorCode):
        output.line("Nothing more is written about it here: no fact meets it.")
        return
    if not target.codes:
        output.line(target.says[0], style="bold")
    means = answers.means(target)
    if means:
        output.line(means)
    output.line("Look at:")
    for look in target.look:
        _show_look(look)
    facts = answers.facts(target)
    if facts:
        output.line("Facts that show it:")
    for fact in facts:
        _show_fact(fact, answers)
    first = next((fact for fact in facts if fact.question), None)
    if first:
        output.line("To see one of them on a Kafka of your own:")
        output.whole(f"kafkalab learn {first.slug}", indent=2)
    if not means:
        output.line(NOT_YET)
        output.whole(f"kafkalab why {shlex.quote(target.says[0])} --show", indent=2)


def _show_code(code: ErrorCode) -> None:
    output.line(f"{code.name}, {code.number}", style="bold")
    output.line(code.text or "librdkafka does not know this code.", indent=2)
    if code.java:
        javas = (code.java if code.java != code.name else "", code.exception)
        output.line(f"Java: {', '.join(filter(None, javas))}", indent=2)


def _show_look(look: Look) -> None:
    output.whole(f"{KINDS[look.kind]}{look.what}", style="cyan", indent=2)
    output.line(look.tells, indent=4)


def _show_fact(fact: FactStanding, answers: Answers) -> None:
    output.line(f"{fact.verdict}: {fact.slug}", indent=2, style="cyan")
    output.line(answers.sentence(fact) or "You have yet to predict it.", indent=4)


def _as_data(target: Symptom | ErrorCode, answers: Answers) -> dict[str, Any]:
    symptom = target if isinstance(target, Symptom) else None
    return {
        "codes": [
            {
                "number": code.number,
                "name": code.name,
                "text": code.text or None,
                "java": code.java or None,
                "exception": code.exception or None,
            }
            for code in _codes(target)
        ],
        "theme": symptom.theme if symptom else None,
        "says": list(symptom.says) if symptom else [],
        # A learner who has yet to predict must not find an answer here either.
        "means": (answers.means(symptom) if symptom else "") or None,
        "look": [
            {"kind": look.kind, "what": look.what, "tells": look.tells}
            for look in (symptom.look if symptom else ())
        ],
        "facts": [_fact_data(fact, answers) for fact in answers.facts(target)],
    }


def _fact_data(fact: FactStanding, answers: Answers) -> dict[str, Any]:
    return {
        "slug": fact.slug,
        "sentence": answers.sentence(fact) or None,
        "verdict": fact.verdict,
        "proved": fact.proof.started if fact.proof else None,
        "command": fact.command,
    }
