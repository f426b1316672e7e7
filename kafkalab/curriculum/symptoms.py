"""What an error code or a symptom means, which facts show it, and what to look at."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from kafkalab.curriculum import Curriculum
from kafkalab.curriculum.error_codes import NAME, ErrorCode, error_codes

NUMBER = re.compile(r"[+-]?\d{1,9}")

# What one looks at, as in "log `text`: what it tells"; a command has no word before it.
LOOK = re.compile(r"(?P<kind>log |metric |setting |statistic |)`(?P<what>[^`]+)`: (?P<tells>.+)")

# How librdkafka's C code begins the name of an error code.
IN_C = "RD_KAFKA_RESP_ERR_"

# Words that tell no symptom from another.
SMALL_WORD = re.compile(
    "a|an|and|are|at|but|by|for|from|has|have|i|in|is|it|its|my|no|not|of|on|or|our|the|their|then|"
    "there|this|though|to|up|we|what|when|where|which|why|with"
)

# What differs in forms of one word: come, comes, coming.
ENDING = re.compile(r"(?<=...)(ing|ed|es|e|s)$")

# How like a name must be to what was asked, from 0 to 1, to be proposed.
LIKE_ENOUGH = 0.5

MOST_NEAR = 3

# Letters of what was asked that are compared with all names.
MOST_COMPARED = 120


@dataclass(frozen=True)
class Look:
    """Something to look at."""

    kind: str
    """`command`, `log`, `metric`, `setting`, or `statistic` of librdkafka"""
    what: str
    """to be typed, or searched for; `...` stands for what differs each time"""
    tells: str
    """what it tells"""


@dataclass(frozen=True)
class Symptom:
    """What is seen when something goes wrong with Kafka, or seems to."""

    theme: str
    says: tuple[str, ...]
    """the names of error codes, exceptions of Java's client, and phrases: each is a way to ask"""
    means: str
    facts: tuple[str, ...]
    """the slugs of facts that show it"""
    look: tuple[Look, ...]

    @cached_property
    def codes(self) -> tuple[ErrorCode, ...]:
        """The error codes that it names, in its order."""
        by_name = {each.name: each for each in error_codes()}
        return tuple(by_name[each] for each in self.says if each in by_name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which it is found, each once."""
        of_codes = (name for code in self.codes for name in code.names)
        return tuple(dict.fromkeys((*self.says, *of_codes)))


@cache
def symptoms() -> tuple[Symptom, ...]:
    """All symptoms, in the order in which they are listed.

    Raises:
        ValueError: something to look at has another form than `LOOK`.
    """
    text = resources.files(__package__).joinpath("symptoms.toml").read_text("utf-8")
    return tuple(map(_symptom, tomllib.loads(text)["symptom"]))


def look_up(asked: str) -> tuple[Symptom | ErrorCode, ...]:
    """What a word leads to: symptoms, and error codes of which no symptom is written.

    Upper and lower case, underscores and hyphens are the same.

    Args:
        asked: the number or the name of an error code, a line that has such names in it, or
            words that occur in the names of a symptom.
    """
    asked = asked.strip().replace(IN_C, "")
    if NUMBER.fullmatch(asked):
        return tuple(each for each in _targets() if int(asked) in _numbers(each))
    words = _words(asked)
    return _named(words) or _named_within(asked, words) or _with_all(words)


def near(asked: str) -> tuple[str, ...]:
    """Names that are like what was asked, the most likely first; each leads somewhere else."""
    words = _words(asked[:MOST_COMPARED])
    best = [
        max((_likeness(words, _words(name)), name) for name in _short_names(each))
        for each in _targets()
    ]
    best.sort(key=lambda found: -found[0])
    return tuple(name for likeness, name in best[:MOST_NEAR] if likeness >= LIKE_ENOUGH)


def problems(curriculum: Curriculum) -> Iterator[str]:
    """What is wrong with the symptoms, a line each: names that lead nowhere, or to two places."""
    known = {each.name for each in error_codes()}
    places: dict[tuple[str, ...], str] = {}
    for each in symptoms():
        title = each.says[0]
        for name in each.says:
            if NAME.fullmatch(name) and name not in known:
                yield f"{title}: there is no error code {name}"
            if places.setdefault(_words(name), title) != title:
                yield f"{title}: {name} leads to {places[_words(name)]}, too"
        if len(set(each.says)) < len(each.says):
            yield f"{title}: it says something twice"
        if not each.means.endswith("."):
            yield f"{title}: what it means is no sentence"
        if not each.look:
            yield f"{title}: there is nothing to look at"
        if not each.facts:
            yield f"{title}: it names no fact"
        yield from (
            f"{title}: there is no fact {slug}"
            for slug in each.facts
            if slug not in curriculum.stated_facts
        )


def _symptom(data: Mapping[str, Any]) -> Symptom:
    return Symptom(
        data["theme"],
        tuple(data["says"]),
        data["means"],
        tuple(data["facts"]),
        tuple(map(_look, data["look"])),
    )


def _look(text: str) -> Look:
    found = LOOK.fullmatch(text)
    if found is None:
        raise ValueError(f"it has not the form 'log `text`: what it tells': {text}")
    return Look(found["kind"].strip() or "command", found["what"], found["tells"])


# What a word leads to


@cache
def _targets() -> tuple[Symptom | ErrorCode, ...]:
    covered = {code for each in symptoms() for code in each.codes}
    return (*symptoms(), *(each for each in error_codes() if each not in covered))


def _numbers(target: Symptom | ErrorCode) -> list[int]:
    codes = target.codes if isinstance(target, Symptom) else (target,)
    return [code.number for code in codes]


def _short_names(target: Symptom | ErrorCode) -> Iterator[str]:
    """Its names without librdkafka's texts, which are longer."""
    texts = {each.text for each in error_codes()}
    return (name for name in target.names if name not in texts)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[a-z0-9]+", text.lower().replace("'", "")))


def _named(words: Sequence[str]) -> tuple[Symptom | ErrorCode, ...]:
    """What has exactly this name, wherever its words are divided."""
    joined = "".join(words)
    return tuple(
        each
        for each in _targets()
        if joined and any("".join(_words(name)) == joined for name in each.names)
    )


def _named_within(asked: str, words: Sequence[str]) -> tuple[Symptom | ErrorCode, ...]:
    """What a line names, such as a client's log; of names within names only the longest counts."""
    found = [
        (name, each)
        for each in _targets()
        for name in each.names
        if (_is_part(_words(name), words) if len(_words(name)) > 1 else _has_token(name, asked))
    ]
    names = {_words(name) for name, _ in found}
    longest = [
        each
        for name, each in found
        if not any(other != _words(name) and _is_part(_words(name), other) for other in names)
    ]
    return tuple(dict.fromkeys(longest))


def _is_part(part: Sequence[str], words: Sequence[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(words)} "


def _has_token(name: str, asked: str) -> bool:
    """Whether a name of one word is in a line exactly so: `_STATE`, and not the word state."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", asked) is not None


def _with_all(words: Sequence[str]) -> tuple[Symptom, ...]:
    """The symptoms in whose names all of these words occur, in any form."""
    meant = _stems(words)
    return tuple(
        each
        for each in symptoms()
        if meant and all(any(stem in _stems(_words(name)) for name in each.names) for stem in meant)
    )


def _likeness(asked: Sequence[str], name: Sequence[str]) -> float:
    """From 0 to 1: like letters, as in a misspelled name, or the same words in a phrase."""
    letters = difflib.SequenceMatcher(None, "".join(asked), "".join(name)).ratio()
    meant, there = _stems(asked), _stems(name)
    shared = 2 * len(meant & there) / (len(meant) + len(there)) if meant and there else 0.0
    return max(letters, shared)


def _stems(words: Sequence[str]) -> set[str]:
    return {ENDING.sub("", word) for word in words if not SMALL_WORD.fullmatch(word)}
