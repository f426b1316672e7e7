"""Read a properties file as `java.util.Properties` does, and keep the line numbers.

A file may contain a secret in a wrong place: a key or a password that goes on over several lines
without a backslash. So a message shows the name of a known property. It shows an unknown name
only if it looks like a property's name, and otherwise the number of the line.
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

# Two swapped letters count as four edits: each letter is removed and inserted again.
MOST_EDITS = 4
LEAST_LIKENESS = 0.85

# All certificates that an operating system trusts take a quarter of this.
MOST_BYTES = 1_000_000


class BadFile(ValueError):
    """The whole file is wrong; the text is a clause that names the line, and no value."""


@dataclass(frozen=True)
class Row:
    """A property with its line numbers."""

    key: str
    value: str
    line: int
    """the number of its first line, from 1"""
    lines: int
    """the number of its lines; more than one if lines end with a backslash"""
    is_separated: bool = True
    """whether there is a `=` or `:` between key and value"""
    has_escapes: bool = False
    """whether it has a backslash that is not at a line's end"""

    @property
    def is_showable(self) -> bool:
        """Whether an unknown key may be shown: it looks like a property's name."""
        return self.is_separated and DOTTED.fullmatch(self.key) is not None

    @property
    def title(self) -> str:
        """The name of the property in a message, if its key is unknown."""
        return self.key if self.is_showable else f"line {self.line}"


@dataclass
class Findings:
    """The result of a translation: librdkafka's properties, problems, and what was left out."""

    found: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """clauses without any secret value"""
    left_out: list[str] = field(default_factory=list)
    """names of properties without effect"""


def read(data: bytes, known: Collection[str]) -> list[Row]:
    """The properties of a file, in the file's order.

    Args:
        data: the whole content of the file.
        known: names of properties: a value's line must not begin with one of them.

    Raises:
        BadFile: Java would not accept the file, or would read it in a way that is surely not meant.
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
            "the next character, so write / or \\\\ in paths"
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
    """Refuse a wrong backslash at a line's end: it makes the next property part of a value."""
    if row.key == "sasl.jaas.config":
        # Its options may have names of properties, and a semicolon marks the end of the value.
        return
    for number, text in enumerate(LINE_END.split(source)[1:], row.line + 1):
        named = NAME.match(text)
        if named and named[2] and "." in named[1] and named[1] in known:
            raise BadFile(
                f"line {number - 1} ends with a backslash, which makes {named[1]} in line {number} "
                "a part of the value before it: remove the backslash"
            )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name of which this one looks like a typing error; "" if there is none."""
    folded = re.sub("[_-]", ".", name.lower())
    # A fast first filter by length: a wrong file may have many lines.
    candidates = [each for each in known if abs(len(each) - len(folded)) <= MOST_EDITS]
    if folded in candidates:
        return folded
    near = difflib.get_close_matches(folded, candidates, n=1, cutoff=LEAST_LIKENESS)
    return near[0] if near and _edits(folded, near[0]) <= MOST_EDITS else ""


def _edits(one: str, other: str) -> int:
    blocks = difflib.SequenceMatcher(None, one, other).get_matching_blocks()
    return len(one) + len(other) - 2 * sum(block.size for block in blocks)


def in_ranges(numbers: Iterable[int]) -> list[str]:
    """Numbers of lines as text with ranges: `line 3`, `lines 7 to 20`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [f"lines {run[0]} to {run[-1]}" if run[1:] else f"line {run[0]}" for run in runs]
