"""Tries the predictions out: prints a sheet of questions in random order, and scores the answers.

    python tools/prediction_trial.py sheet --seed 1 > question_only.md
    python tools/prediction_trial.py sheet --seed 1 --evidence reports/runs/RUN.json > sheet.md
    python tools/prediction_trial.py score answers.txt --seed 1

A seed puts all questions in one order, in which they are numbered: `--skip 50 --count 40` prints
the 40 that follow the first 50. With the evidence a sheet shows what a run measured, and nothing
that gives the fact away. A wrong answer then shows that the evidence is not enough, or that the
question is not clear. `N ?` means "I do not know".
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple

from kafkalab.curriculum import Curriculum, load
from kafkalab.curriculum.predictions import Prediction
from kafkalab.learning_log.evidence import in_words
from kafkalab.learning_log.pictures import DRAWN_BY

HEAD = """\
# Questions about Kafka

Answer each on a line of its own by number and letter, as in `1 B`; `1 ?` says that you do not
know."""

# A topic's name has the name of its test, which gives the fact away.
TOPIC = re.compile(r"kafkalab-\d{8}T\d{6}-[0-9a-f]{6}-[\w-]*[a-zA-Z]-(\d+(?:-\d+)*)")
ANSWER = re.compile(r"(\d+)[ .:)]+([A-Z?])", re.IGNORECASE)


class Asked(NamedTuple):
    """One question of a sheet."""

    slug: str
    prediction: Prediction


def main() -> None:
    """Print a sheet, or a score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    a_sheet = commands.add_parser("sheet", help="print questions, without the right answers")
    a_sheet.add_argument("--seed", type=int, required=True, help="which order of the questions")
    a_sheet.add_argument("--count", type=int, default=50, help="how many; 50 by default")
    a_sheet.add_argument("--skip", type=int, default=0, help="how many to leave out before these")
    a_sheet.add_argument(
        "--evidence",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN.json",
        help="records of runs: show the measurements of the first one that has any for the fact",
    )
    a_score = commands.add_parser("score", help="print which answers are right")
    a_score.add_argument("answers", type=Path, help="a file of lines as in `1 B`")
    a_score.add_argument("--seed", type=int, required=True, help="the seed of the sheet")
    given = parser.parse_args()
    try:
        if given.command == "sheet":
            print(sheet(given.seed, given.count, given.skip, given.evidence))
        else:
            print(score(given.answers.read_text("utf-8"), given.seed))
    except (OSError, ValueError) as error:
        raise SystemExit(f"prediction_trial: {error}") from error


def sheet(seed: int, count: int = 50, skip: int = 0, records: Sequence[Path] = ()) -> str:
    """Questions with their choices as Markdown; if records are given, with what runs measured.

    Raises:
        OSError, ValueError: a record cannot be read, or is not a record; or there are no such
            questions.
    """
    curriculum = load()
    runs = [measured_by_slug(record) for record in records]
    asked = drawn(curriculum, seed)
    if count < 1 or not 0 <= skip < len(asked):
        raise ValueError(f"no {count} questions after the first {skip}: there are {len(asked)}")
    chosen = asked[skip : skip + count]
    paragraphs = [HEAD]
    for number, (slug, prediction) in enumerate(chosen, start=skip + 1):
        choices = zip(ascii_uppercase, prediction.choices, strict=False)
        paragraphs += [f"## {number}", prediction.question]
        paragraphs += ["\n".join(f"- {letter}: {choice.text}" for letter, choice in choices)]
        if runs:
            paragraphs += shown(next((run[slug] for run in runs if slug in run), []), curriculum)
    return "\n\n".join(paragraphs)


def score(answers: str, seed: int) -> str:
    """How many answers are right, and a line for each that is wrong.

    Raises:
        ValueError: a line is no answer; see read_answers.
    """
    asked = drawn(load(), seed)
    given = read_answers(answers.splitlines(), asked)
    wrong = [
        f"{number} {letter}, right is {letter_of(prediction)}: {slug}"
        for number, letter in given.items()
        for slug, prediction in [asked[number - 1]]
        if letter != letter_of(prediction)
    ]
    return "\n".join([f"{len(given) - len(wrong)} of {len(given)} right", *wrong])


def drawn(curriculum: Curriculum, seed: int) -> list[Asked]:
    """All questions, in the order of a seed; it changes only if the curriculum's questions do."""
    asked = [
        Asked(slug, prediction)
        for task in curriculum.tasks
        for slug, prediction in sorted(task.predictions.items())
    ]
    random.Random(seed).shuffle(asked)
    return asked


def letter_of(prediction: Prediction) -> str:
    """The letter of the right choice."""
    return ascii_uppercase[prediction.choices.index(prediction.right)]


def read_answers(lines: Iterable[str], asked: Sequence[Asked]) -> dict[int, str]:
    """The letter that was given for each number; empty lines are skipped.

    Raises:
        ValueError: a line is no answer, there is no such question or choice, or a question was
            answered twice.
    """
    given: dict[int, str] = {}
    for line in filter(None, map(str.strip, lines)):
        found = ANSWER.fullmatch(line)
        if found is None:
            raise ValueError(f"'{line}' is no answer: write it as in '1 B'")
        number, letter = int(found[1]), found[2].upper()
        if not 1 <= number <= len(asked):
            raise ValueError(f"'{line}': the questions have the numbers 1 to {len(asked)}")
        if letter not in "?" + ascii_uppercase[: len(asked[number - 1].prediction.choices)]:
            raise ValueError(f"'{line}': question {number} has no choice {letter}")
        if number in given:
            raise ValueError(f"'{line}': question {number} was answered before")
        given[number] = letter
    return given


def measured_by_slug(record: Path) -> Mapping[str, list[dict[str, Any]]]:
    """The tests that measured something by their fact's slug, the fact's own first.

    Raises:
        OSError, ValueError: the record cannot be read, or is not a record.
    """
    try:
        tests = json.loads(record.read_text("utf-8"))["tests"]
        by_slug: dict[str, list[dict[str, Any]]] = {}
        for test in sorted(tests, key=lambda each: (each["role"] != "fact", each["nodeid"])):
            if test["evidence"]:
                by_slug.setdefault(test["slug"], []).append(test)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{record} is no record of a run, as reports/runs/ has them") from error
    return by_slug


def shown(tests: Sequence[Mapping[str, Any]], curriculum: Curriculum) -> Iterator[str]:
    """The paragraphs that show what the tests of one fact measured."""
    if not tests:
        yield "*Nothing was measured.*"
    for test in tests:
        statement = curriculum.statement_of(test["nodeid"])
        changes = statement.changes if statement is not None else ""
        parameters = test["nodeid"].partition("[")[2].rstrip("]")
        heads = ["With one thing changed: " + changes if changes else "Measured", parameters]
        yield f"**{', '.join(filter(None, heads))}**"
        for item in test["evidence"]:
            yield TOPIC.sub(r"topic-\1", as_text(item))


def as_text(item: Mapping[str, Any]) -> str:
    """One piece of evidence as text; a picture as its numbers, or as its description."""
    if item["kind"] == "table":
        return f"{item['title']}:\n\n" + table(item["columns"], item["rows"])
    if item["kind"] == "shares":
        place = item.get("place", "partition")
        parts = list(dict.fromkeys(part for each in item["counts"].values() for part in each))
        rows = [
            [name, *(each.get(part, 0) for part in parts if part), sum(each.values())]
            for name, each in item["counts"].items()
        ]
        return f"{item['title']}:\n\n" + table([place, *filter(None, parts), "in all"], rows)
    if item["kind"] in DRAWN_BY:
        picture = str(DRAWN_BY[item["kind"]](dict(item)))
        told = re.search(r'aria-label="([^"]*)"', picture)
        return html.unescape(told[1]) if told else str(item["title"])
    if item["kind"] == "number":
        return f"{item['name']}: {item['value']} {item['unit']}".rstrip()
    return str(item["text"])


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; its cells have the same words as on the pages."""
    lines = [columns, ["---"] * len(columns), *([worded(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def worded(cell: object) -> str:
    """The text of a cell, the same as in learning_log/evidence.html.jinja."""
    return "empty" if cell == "" else in_words(cell)


if __name__ == "__main__":
    main()
