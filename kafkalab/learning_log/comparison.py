"""Tell a comparison that failed: what was seen, what was expected, and where they differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

SEEN, EXPECTED, DIFFERS = "seen:     ", "expected: ", "differs:  "

# Characters of one side, of which those around the first difference are shown. pytest cuts the
# lines of a comparison at 640 characters.
MOST_OF_A_SIDE = 130
# The first differences say most.
MOST_DIFFERENCES = 3
# Characters of a value in the line of a difference.
MOST_OF_A_VALUE = 32

EXPECTATIONS = {
    "==": "{}",
    "is": "{}",
    "!=": "anything but {}",
    "is not": "anything but {}",
    "<": "less than {}",
    "<=": "at most {}",
    ">": "more than {}",
    ">=": "at least {}",
}
"""by operator, what is expected, with the right side"""
MEMBERSHIPS = {"in": "{} in it", "not in": "{} not in it"}
"""by operator, what is expected of the right side, with the left side"""

NOTHING = object()
ENUM = re.compile(r"<\w+\.\w+: ([^<>]*)>")
"""the repr of an enum's member, whose value says what is meant"""


class Comparison:
    """A comparison that failed; its left side is what was seen, except with `in` and subsets.

    With `in` it is what was seen if the right side is a tuple: a tuple lists what is allowed.
    """

    def __init__(
        self, op: str, left: object, right: object, rename: Callable[[str], str] = str
    ) -> None:
        """Take both sides.

        Args:
            op: the operator, such as `==`.
            left: the left side; for `in` and `not in` what is looked for.
            right: the right side.
            rename: gives the text in which names of a run are replaced by shorter ones.
        """
        self._op, self._left, self._right = op, left, right
        self._rename = rename

    def told(self) -> list[str]:
        """The lines that tell it, below a first line for pytest's own report."""
        op, left, right = self._op, self._text(self._left), self._text(self._right)
        if op == "in" and type(self._right) is tuple:
            allowed = " or ".join(map(self._text, self._right))
            return [f"seen {op} allowed", SEEN + _cut(left), EXPECTED + _cut(allowed)]
        if op in MEMBERSHIPS:
            asked = MEMBERSHIPS[op].format(_cut(left))
            return [f"expected {op} seen", SEEN + _cut(right), EXPECTED + asked]
        if op == "<=" and isinstance(self._left, Set):
            sides = [f"expected {op} seen", SEEN + _cut(right), f"{EXPECTED}all of {_cut(left)}"]
            return [*sides, *self._differences(self._right, self._left, only_missing=True)]
        if isinstance(self._left, bool) and isinstance(self._right, bool):
            # Two truth values tell nothing that the assertion's message does not say.
            return [f"{left} {op} {right}"]
        start = _first_difference(left, right) if op == "==" else 0
        asked = EXPECTATIONS.get(op, f"{op} {{}}").format(_cut(right, start))
        sides = [f"seen {op} expected", SEEN + _cut(left, start), EXPECTED + asked]
        return [*sides, *(self._differences(self._left, self._right) if op == "==" else ())]

    def _differences(self, seen: Any, expected: Any, *, only_missing: bool = False) -> list[str]:
        """The lines of the first differences between two collections of one kind."""
        found: Iterable[str] = ()
        if isinstance(seen, Set) and isinstance(expected, Set):
            found = self._of_sets(set() if only_missing else seen - expected, expected - seen)
        elif isinstance(seen, Mapping) and isinstance(expected, Mapping):
            keys = dict.fromkeys([*expected, *seen])
            found = (
                line
                for key in keys
                for line in self._at(
                    f"at {self._short(key)}", seen.get(key, NOTHING), expected.get(key, NOTHING)
                )
            )
        elif _is_list(seen) and _is_list(expected) and len(seen) == len(expected):
            pairs = enumerate(zip(seen, expected, strict=True))
            found = (line for at, pair in pairs for line in self._at(f"at {at}", *pair))
        elif _is_list(seen) and _is_list(expected) and expected:
            counts = (Counter(map(self._text, side)) for side in (seen, expected))
            found = self._of_counts(*counts)
        lines = [DIFFERS + each for each in found]
        if len(lines) > MOST_DIFFERENCES:
            lines[MOST_DIFFERENCES - 1] += f"; and {len(lines) - MOST_DIFFERENCES} more"
        return lines[:MOST_DIFFERENCES]

    def _of_sets(self, extra: Any, missing: Any) -> Iterator[str]:
        yield from (f"{each} is missing" for each in sorted(map(self._short, missing)))
        yield from (f"{each} is too much" for each in sorted(map(self._short, extra)))

    def _of_counts(self, seen: Counter[str], expected: Counter[str]) -> Iterator[str]:
        """What is missing, and what is too much, wherever it is in the lists."""
        yield from (f"{_cut(each, 0, MOST_OF_A_VALUE)} is missing" for each in expected - seen)
        yield from (f"{_cut(each, 0, MOST_OF_A_VALUE)} is too much" for each in seen - expected)

    def _at(self, place: str, seen: object, expected: object) -> Iterator[str]:
        """How two values at one place differ; nothing if they are equal."""
        if seen is NOTHING:
            yield f"{place}: {self._short(expected)} is missing"
        elif expected is NOTHING:
            yield f"{place}: {self._short(seen)} is too much"
        elif self._differ(seen, expected):
            start = _first_difference(self._text(seen), self._text(expected))
            both = self._short(seen, start), self._short(expected, start)
            yield "{}: seen {}, expected {}".format(place, *both)

    def _differ(self, seen: object, expected: object) -> bool:
        # To compare a KafkaError with None by == is an error inside of confluent-kafka.
        if type(seen) is not type(expected):
            return self._text(seen) != self._text(expected)
        return bool(seen != expected)

    def _text(self, value: object) -> str:
        """Its repr, in one line; a sentence if a learner's class fails to give one."""
        if type(value) is set and value:
            # In an order that does not change from run to run.
            return f"{{{', '.join(sorted(map(self._text, value)))}}}"
        try:
            return self._rename(ENUM.sub(r"\1", " ".join(repr(value).split("\n"))))
        except Exception as error:  # noqa: BLE001 - a learner's class may raise anything
            return f"a {type(value).__name__} whose repr raises {type(error).__name__}"

    def _short(self, value: object, start: int = 0) -> str:
        return _cut(self._text(value), start, MOST_OF_A_VALUE)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _first_difference(seen: str, expected: str) -> int:
    """The first position at which two texts differ."""
    pairs = enumerate(zip(seen, expected, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(seen), len(expected)))


def _cut(text: str, start: int = 0, most: int = MOST_OF_A_SIDE) -> str:
    """The part of a text from shortly before a position; "..." stands for what is left out."""
    first = max(0, min(start - most // 3, len(text) - most))
    part = text[first : first + most]
    return f"{'...' if first else ''}{part}{'...' if first + most < len(text) else ''}"
