"""The learner's notes on each task: reports/journal.toml, edited by hand or by `note`."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from kafkalab.config import BadInput
from kafkalab.learning_log.written import write_whole

if TYPE_CHECKING:
    from tomlkit.items import Array

FILE = "journal.toml"

HEADING = re.compile(r"task_(\d+)_(\d+)")

# Some editors write a byte order mark at the start of a UTF-8 file; it is kept.
BOM = "\ufeff"
BARE_LINE_END = re.compile(r"(?<!\r)\n")

# The lines that git and others write into a file that two people changed.
CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
STATEMENT = re.compile(r"\s*(?P<name>\w+)\s*=\s*(?P<value>\S.*?)\s*(?:#.*)?")
BACKSLASH = "a backslash has a meaning in \"...\": write it twice, or put the text in '...'"
TOLD_BETTER = {
    "Invalid value": "this is no value: put texts in quotes; write dates and numbers without",
    "Unclosed array": "a list has no end: put a comma between its texts, and ] after the last",
    "Unescaped '\\' in a string": BACKSLASH,
    "Invalid hex value": BACKSLASH,
}
"""messages of tomllib, with clearer ones for a learner"""
# How tomllib's message begins if it cannot read a value.
NO_VALUE = ("Invalid value", "Invalid date", "Expected newline or end of document")

# The error's place in tomllib's message; there are no attributes for it before Python 3.14.
PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")

HEAD = """\
# Your learning journal. Edit it by hand, or with `kafkalab note 1.3 --aha "..."`.
# What you can write about each task; leave out what you like:
#
#   [task_1_3]
#   started = 2026-01-31          # write dates without quotes
#   completed = 2026-02-01
#   minutes = 40                  # time spent
#   difficulty = 3                # from 1, easy, to 5, hard
#   aha = ["Reading removes nothing."]
#   challenges = ["When does a group reset?"]
#   questions = ["Who deletes old segments?"]
"""

# Characters that are shown of a wrong value.
MOST_SHOWN = 40

# How similar a name must be to a suggested one; `notes` must not suggest `minutes`.
LEAST_LIKENESS = 0.75

# 10 s: another `kafkalab note` takes milliseconds.
LOCK_LIMIT = 10


class BadJournal(BadInput):
    """The journal cannot be read, or a value cannot be written; the text names file and place."""


@dataclass(frozen=True)
class Entry:
    """What the journal says of one task; empty if nothing was written."""

    started: date | None = None
    completed: date | None = None
    minutes: int | None = None
    difficulty: int | None = None
    """from 1, easy, to 5, hard"""
    aha: tuple[str, ...] = ()
    challenges: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def read(path: Path) -> dict[str, Entry]:
    """The entries by task id, as in `1.3`; none if there is no journal.

    Raises:
        BadJournal: it cannot be read, or has a name or a value that a journal cannot have.
    """
    return _entries(_text(path).removeprefix(BOM), path)


def note(path: Path, task_id: str, **said: Any) -> Entry:
    """Write notes on a task into the journal, and leave everything else in it as it is.

    Args:
        path: the journal; it is made if there is none.
        task_id: as in `1.3`.
        said: values by the names of an entry. A date or a number replaces the old one; texts
            are added.

    Returns:
        The whole entry, with the new values.

    Raises:
        BadJournal: the journal is broken, or a value is not allowed. The file is not changed.
    """
    said = _checked(said)
    if path.is_symlink() and not path.resolve().parent.is_dir():
        raise BadJournal(f"{path}: it is a link that leads nowhere: mend it, or remove it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # If the journal is a link, the lock is made beside the link: its target's folder may
        # belong to another user.
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_LIMIT):
            return _note(path.resolve(), task_id, said)
    except Timeout as error:
        raise BadJournal(f"{path}: another kafkalab writes into it: try again") from error
    except OSError as error:
        problem = f"{path}: it cannot be written: {error.strerror}: check its rights"
        raise BadJournal(problem) from error


def _note(path: Path, task_id: str, said: Mapping[str, Any]) -> Entry:
    heading = f"task_{task_id.replace('.', '_')}"
    held = _text(path)
    text = held.removeprefix(BOM)
    wanted = _with(_entries(text, path).get(task_id, Entry()), said)
    edited = _edited(text or HEAD, heading, said)
    if "\r\n" in text and not BARE_LINE_END.search(text):
        edited = BARE_LINE_END.sub("\r\n", edited)
    if _entries(edited, path).get(task_id) != wanted:
        raise BadJournal(f"{path}: [{heading}] is written in a way that only you can edit")
    write_whole(path, (held[: len(held) - len(text)] + edited).encode())
    return wanted


def _checked(said: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {name: _taken(name, value) for name, value in said.items()}
    except ValueError as error:
        raise BadJournal(str(error)) from error


def _with(entry: Entry, said: Mapping[str, Any]) -> Entry:
    values: dict[str, Any] = {
        name: (*getattr(entry, name), *value) if isinstance(value, tuple) else value
        for name, value in said.items()
    }
    return replace(entry, **values)


def _edited(text: str, heading: str, said: Mapping[str, Any]) -> str:
    # Imported here and below: it is not needed for reading.
    import tomlkit

    document = tomlkit.parse(text)
    if heading not in document:
        document.add(tomlkit.nl())
        document.add(heading, tomlkit.table())
    table: Any = document[heading]
    for name, value in said.items():
        if isinstance(value, tuple):
            _put(table, name, _lengthened(table.get(name), value))
        else:
            _put(table, name, value)
    return tomlkit.dumps(document)


def _lengthened(held: Any, texts: tuple[str, ...]) -> Array:
    """The list with the old texts and the new ones; a new list has one text in each line."""
    import tomlkit
    from tomlkit.items import Array

    if isinstance(held, Array):
        array = held
    else:
        array = tomlkit.array().multiline(True)
        array.extend([] if held is None else [held])
    array.extend(texts)
    return array


def _put(table: Any, name: str, value: Any) -> None:
    """Set a value; a new one is added before the comments at the table's end.

    These comments usually belong to the next table.
    """
    from tomlkit.items import Table

    if name in table or not isinstance(table, Table):
        table[name] = value
        return
    body = table.value.body
    ending: list[Any] = []
    while body and body[-1][0] is None:
        ending.insert(0, body.pop())
    table.append(name, value)
    body.extend(ending)


# Reading


def _text(path: Path) -> str:
    if path.exists() and not path.is_file() and not path.is_dir():
        # Reading a pipe would wait for ever.
        raise BadJournal(f"{path}: it is not a file: move it away")
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadJournal(f"{path}: it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        lines = error.object[: error.start].split(b"\n")
        place = f"{len(lines)}:{len(lines[-1]) + 1}"
        raise BadJournal(f"{path}:{place}: this is not UTF-8: save it as UTF-8") from error


def _entries(text: str, path: Path) -> dict[str, Entry]:
    try:
        # tomllib reads both kinds of line ends and, unlike tomlkit, names the line and column of
        # every error.
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadJournal(f"{path}:{_place_of(error, text)}") from error
    except RecursionError as error:
        raise BadJournal(f"{path}:1:1: it is nested too deeply") from error
    entries = {}
    for heading, values in data.items():
        named = HEADING.fullmatch(heading)
        if named is None or not isinstance(values, dict):
            line, column = _find(text, heading)
            problem = (
                f"[{heading}] is in double brackets: write it once, with one pair, and put all "
                f'texts into its lists, as in aha = ["One.", "Another."]'
                if named and isinstance(values, list) and values
                else f"'{heading}' is no task: write [task_1_3] above what you say of task 1.3"
            )
            raise BadJournal(f"{path}:{line}:{column}: {problem}")
        taken = {}
        for name, value in values.items():
            try:
                taken[name] = _taken(name, value)
            except ValueError as error:
                line, column = _find(text, heading, name)
                raise BadJournal(f"{path}:{line}:{column}: {error}") from error
        entries[f"{named[1]}.{named[2]}"] = Entry(**taken)
    return entries


def _place_of(error: tomllib.TOMLDecodeError, text: str) -> str:
    """Line, column and what is wrong."""
    said = str(error)
    found = PLACE.search(said)
    if found is None:
        return f"1:1: {said}"
    said = said[: found.start()]
    if conflict := CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        return f"{line}:1: a merge conflict: keep what is right on both sides, delete such lines"
    lines = text.split("\n")
    line, column = int(found[1] or len(lines)), int(found[2] or len(lines[-1]) + 1)
    statement = STATEMENT.fullmatch(lines[line - 1])
    if statement and statement["name"] in KINDS:
        name = statement["name"]
        if said.startswith(NO_VALUE):
            column = statement.start("name") + 1
            try:
                _taken(name, _Unreadable(statement["value"]))
            except ValueError as problem:
                said = str(problem)
        elif said.startswith("Cannot overwrite"):
            said = f"{name} is there twice: keep one"
    elif said.startswith("Cannot declare"):
        said = f"{lines[line - 1].strip()} is there twice: write all of it below one of them"
    if lines[line - 1][column - 1 :].strip():
        said = TOLD_BETTER.get(said, said)
    return f"{line}:{column}: {said}"


class _Unreadable:
    """The text in a value's place that is no TOML."""

    def __init__(self, text: str) -> None:
        self.text = text


def _shown(value: Any) -> str:
    text = value.text if isinstance(value, _Unreadable) else str(value)
    text = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
    return f"'{text}'" if isinstance(value, str) else text


def _find(text: str, heading: str, name: str = "") -> tuple[int, int]:
    """Line and column of a value; of its table if the value is not found."""
    place, is_below = (1, 1), False
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(rf"\s*\[+\s*[\"']?({re.escape(heading)})[\"']?\s*\]", line):
            place, is_below = (number, found.start(1) + 1), True
        elif line.lstrip().startswith("["):
            is_below = False
        elif is_below and name and (found := re.match(rf"\s*({re.escape(name)})\s*=", line)):
            return number, found.start(1) + 1
    return place


def _taken(name: str, value: Any) -> Any:
    """A value, checked and converted for an entry.

    Raises:
        ValueError: a journal does not know the name, or the value is of another kind.
    """
    if name not in KINDS:
        near = difflib.get_close_matches(name.lower(), KINDS, n=1, cutoff=LEAST_LIKENESS)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
        raise ValueError(f"a journal has no '{name}': {hint}")
    return KINDS[name](name, value)


def _date(name: str, value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if not isinstance(value, date):
        raise ValueError(
            f"{name} is a date such as 2026-01-05, without quotes or time, and not {_shown(value)}"
        )
    return value


def _number(lowest: int, highest: int) -> Callable[[str, Any], int]:
    def number(name: str, value: Any) -> int:
        if type(value) is not int or not lowest <= value <= highest:
            raise ValueError(
                f"{name} is a whole number from {lowest} to {highest}, and not {_shown(value)}"
            )
        return value

    return number


def _texts(name: str, value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f'{name} is a list of texts, such as ["One.", "Another."]')
    # Bytes of the command line that are not UTF-8 arrive as surrogates, which no file can hold.
    return tuple(each.encode("utf-8", "backslashreplace").decode() for each in texts)


# The minutes of a year are the limit: more is a typing error.
KINDS: Mapping[str, Callable[[str, Any], Any]] = {
    "started": _date,
    "completed": _date,
    "minutes": _number(0, 525_600),
    "difficulty": _number(1, 5),
    "aha": _texts,
    "challenges": _texts,
    "questions": _texts,
}
