"""A properties file, read as `java.util.Properties` reads it, with the lines that it came from.

What a file holds may be a secret that stands where none should: a key or a password that went on
over several lines without a backslash. So a message names what is known by its name, and what is
not by the number of its line, unless it is written as a property is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import javaproperties

# Kafka trims values as Java's String.trim() does.
JAVA_BLANKS = "".join(map(chr, range(ord(" ") + 1)))

LINE_END = re.compile(r"\r\n|\r|\n")
NAME = re.compile(r"[ \t\f]*((?:\\.|[^\\=: \t\f])+)[ \t\f]*([=:]?)", re.DOTALL)
DOTTED = re.compile(r"[a-z][a-z0-9_-]{0,39}(?:\.[a-z][a-z0-9_-]{0,39})+")

# Two letters that changed places count four: each is taken out and put in again.
MOST_EDITS = 4
LEAST_LIKENESS = 0.85

# All the certificates that an operating system trusts are a quarter of it.
MOST_BYTES = 1_000_000


class BadFile(ValueError):
    """What is wrong with a file as a whole; a clause that names the line, and no value."""


@dataclass(frozen=True)
class Row:
    """A property, and where it stands."""

    key: str
    value: str
    line: int
    """its first, from 1"""
    lines: int
    """how many; more than one where lines end with a backslash"""
    is_separated: bool = True
    """a `=` or `:` stands between key and value"""
    has_escapes: bool = False
    """a backslash stands in it that does not end a line"""

    @property
    def is_showable(self) -> bool:
        """Whether the key, if nobody knows it, may be shown."""
        return self.is_separated and DOTTED.fullmatch(self.key) is not None

    @property
    def title(self) -> str:
        """What to call it in a message if nobody knows its key."""
        return self.key if self.is_showable else f"line {self.line}"


@dataclass
class Findings:
    """What became of properties: by librdkafka's names, or why not."""

    found: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """clauses; no value of a secret is in them"""
    left_out: list[str] = field(default_factory=list)
    """names of what has no effect"""


def read(data: bytes, known: Collection[str]) -> list[Row]:
    """The properties of a file in the order in which they stand there.

    Args:
        data: all of the file.
        known: names that no value can have at the beginning of a line.

    Raises:
        BadFile: Java would not take it, or takes from it what nobody can mean.
    """
    if len(data) > MOST_BYTES:
        raise BadFile("it is too large for a properties file")
    if data.startswith(b"\xef\xbb\xbf"):
        raise BadFile(
            "line 1 begins with a byte order mark (BOM), which Java takes for a part of the first "
            "name: save the file as UTF-8 without BOM"
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:200]:
        raise BadFile("it is in UTF-16, which Java does not read here: save it as UTF-8")
    rows: list[Row] = []
    line = 1
    try:
        for element in javaproperties.parse(data):
            lines = len(LINE_END.findall(element.source)) or 1
            if isinstance(element, javaproperties.KeyValue):
                rows.append(_row(element, line, lines))
                _check_continuation(rows[-1], element.source, known)
            line += lines
    except javaproperties.InvalidUEscapeError:
        raise BadFile(
            f"line {line} has \\u without four hexadecimal digits after it: a backslash escapes "
            "what follows it, so write / or \\\\ in paths"
        ) from None
    return rows


def _row(element: javaproperties.KeyValue, line: int, lines: int) -> Row:
    named = NAME.match(element.source)
    return Row(
        element.key,
        element.value.strip(JAVA_BLANKS),
        line,
        lines,
        is_separated=named is not None and bool(named[2]),
        has_escapes="\\" in re.sub(r"\\(?:\r\n|\r|\n|\Z)", "", element.source),
    )


def _check_continuation(row: Row, source: str, known: Collection[str]) -> None:
    """A backslash too much makes the next property a part of a value."""
    if row.key == "sasl.jaas.config":
        # Names of options may be those of properties; and this value tells where it ends.
        return
    for number, text in enumerate(LINE_END.split(source)[1:], row.line + 1):
        named = NAME.match(text)
        if named and named[2] and "." in named[1] and named[1] in known:
            raise BadFile(
                f"line {number - 1} ends with a backslash, which makes {named[1]} in line {number} "
                "a part of the value before it: take the backslash out"
            )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name of which this one is a slip of the finger; "" if there is none."""
    folded = re.sub("[_-]", ".", name.lower())
    # Only these can be near, and a wrong file may have many lines.
    candidates = [each for each in known if abs(len(each) - len(folded)) <= MOST_EDITS]
    if folded in candidates:
        return folded
    near = difflib.get_close_matches(folded, candidates, n=1, cutoff=LEAST_LIKENESS)
    return near[0] if near and _edits(folded, near[0]) <= MOST_EDITS else ""


def _edits(one: str, other: str) -> int:
    blocks = difflib.SequenceMatcher(None, one, other).get_matching_blocks()
    return len(one) + len(other) - 2 * sum(block.size for block in blocks)


def in_ranges(numbers: Iterable[int]) -> list[str]:
    """Numbers of lines as a person writes them: `line 3`, `lines 7 to 20`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [f"lines {run[0]} to {run[-1]}" if run[1:] else f"line {run[0]}" for run in runs]
