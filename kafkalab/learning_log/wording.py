"""Words for all views: counts of verdicts, reasons, and why nothing was selected."""

from __future__ import annotations

import difflib
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from kafkalab.curriculum import Curriculum
from kafkalab.learning_log.commands import pytest_on, shown_folder
from kafkalab.learning_log.comparison import DIFFERS, EXPECTED, MOST_DIFFERENCES, SEEN
from kafkalab.learning_log.progress import Progress
from kafkalab.learning_log.record import FactRecord
from kafkalab.learning_log.verdicts import MEANWHILE, Verdict

# How a check of a history begins its report, whose next lines say what was seen.
COUNT = "violations: "
# How pytest tells a condition without a comparison, if the value says nothing.
SAYS_NOTHING = re.compile(r"False|not True|(True|False) (==|is|!=) (True|False)")
# How pytest tells that a value is of another type.
OTHER_TYPE = re.compile(r" *\+ +where False = isinstance\((?P<seen>.*), (?P<expected>\w+)\)$")


def why(reason: str) -> list[str]:
    """A reason for people who read no Python: what was expected, and what was seen instead.

    The reason of an assertion is its message, then the comparison that failed, as
    `comparison.told` tells it. Records of earlier versions have Python's own text there. What
    happened meanwhile comes last.
    """
    lines = reason.splitlines()
    meanwhile = [line for line in lines if line.startswith(MEANWHILE)]
    return _why([line for line in lines if line not in meanwhile]) + meanwhile


def _why(lines: Sequence[str]) -> list[str]:
    first, *rest = lines or [""]
    seen = next((line for line in rest if line.startswith("assert ")), "")
    if not seen:
        shown = 1 + MOST_DIFFERENCES if first.startswith(COUNT) else 1
        return [first, *rest][:shown] if first else []
    labels = (SEEN, EXPECTED, DIFFERS)
    told = [line.strip() for line in rest if line.strip().startswith(labels)]
    return [EXPECTED + first, *(told or _told_of_a_condition(seen.removeprefix("assert "), rest))]


def _told_of_a_condition(seen: str, rest: Sequence[str]) -> list[str]:
    """What was seen, if no comparison failed; nothing if the value says nothing."""
    if kinds := [found for line in rest if (found := OTHER_TYPE.match(line))]:
        return [SEEN + kinds[0]["seen"], f"{EXPECTED}a {kinds[0]['expected']}"]
    if SAYS_NOTHING.fullmatch(seen):
        return []
    if seen.startswith("not "):
        return [SEEN + seen.removeprefix("not "), f"{EXPECTED}nothing"]
    return [SEEN + seen]


def why_nothing(keyword: str, curriculum: Curriculum) -> str:
    """Why `-k` selected no fact, in one line."""
    slug, facts = keyword.replace("_", "-"), curriculum.stated_facts
    if any(each.is_slow and slug in each.slug for each in facts.values()):
        return (
            f"no fact matches -k {keyword} that takes less than a minute: "
            f"{pytest_on(curriculum)} -m slow -k {keyword}"
        )
    known = [*(f"task-{task.id.replace('.', '-')}" for task in curriculum.tasks), *facts]
    if any(slug in name for name in known):
        return f"there are facts for -k {keyword}, but another option, such as -m, leaves them out"
    near = [name.replace("-", "_") for name in difflib.get_close_matches(slug, known, n=3)]
    return f"no fact matches -k {keyword}" + (
        f"; did you mean {' or '.join(near)}?" if near else ""
    )


def why_no_proof(
    facts: Sequence[FactRecord], edited: Mapping[str, str], curriculum: Curriculum
) -> list[str]:
    """The facts of a run that do not count because their tests were edited: a line for each file.

    Args:
        facts: of the run.
        edited: the file that differs, by slug.
        curriculum: states the facts.
    """
    by_file: dict[str, list[str]] = {}
    for fact in facts:
        if fact.edited:
            by_file.setdefault(f"{curriculum.folder.name}/{edited[fact.slug]}", []).append(
                fact.slug
            )
    return [_why_no_proof(file, slugs, curriculum) for file, slugs in by_file.items()]


def _why_no_proof(file: str, slugs: Sequence[str], curriculum: Curriculum) -> str:
    root = curriculum.folder.parent
    if file.endswith("/conftest.py"):
        back = "without that file they count again"
    elif (root / ".git").exists():
        back = f"git checkout {shlex.quote(shown_folder(str(root / file)))} brings it back"
    else:
        back = "to install kafkalab again brings it back"
    which = f"{slugs[0]} does" if len(slugs) == 1 else f"{len(slugs)} facts of this run do"
    return (
        f"{file} differs from what kafkalab ships: {which} not count as proof; "
        f"kafkalab try {slugs[0]} makes a copy to change, and {back}"
    )


def count(facts: Sequence[FactRecord]) -> str:
    """How many facts have which verdict; facts about a component are counted separately."""
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


def in_words(yours: Progress) -> str:
    """The learner's progress in one line."""
    counts = {
        "predicted": yours.predicted,
        "explained": yours.explained,
        "built": yours.built,
    }
    told = [f"{name} {count}" for name, count in counts.items() if count.of]
    if yours.surprises:
        told.append(f"{yours.surprises} surprised you: explain them")
    if yours.due:
        told.append(f"{yours.due} to explain once more")
    if yours.changed:
        told.append(f"{yours.changed} changed since: judge them again")
    return ", ".join(told)
