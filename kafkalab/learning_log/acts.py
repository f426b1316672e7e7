"""What the learner did: one line of JSON for each act, in `reports/acts.jsonl`.

Lines are only added. So git can merge two such files by keeping the lines of both, and no act
is lost. Acts of a kind that this version of kafkalab does not know are kept as they are. A line
that is no act is skipped, and reported.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from kafkalab.config import BadInput

FILE = "acts.jsonl"

PREDICTED = "predicted"
"""a fact's question was answered: `choice`, empty for "don't know", and whether it was `right`"""
SEEN = "seen"
"""a fact's answer was opened without a prediction"""
EXPLAINED = "explained"
"""a fact in the learner's own words, `sentence`, and whether it says the same as ours, `agrees`"""
VARIED = "varied"
"""the learner `said` what would change a fact, before seeing its controls"""
JUDGED = "judged"
"""a task's component was judged: its `folder`, relative to the folder of the acts' file, the
digest of its `code`, and the verdict on each of its `facts`, by slug"""
HINTED = "hinted"
"""the learner took a hint for a fact about a component: its `number`, from 1"""
ASKED_FOR_SOLUTION = "asked for solution"
"""the learner asked for a task's reference: whether it was `solved` by then, and whether the
reference was `shown`"""
RECALLED = "recalled"
"""an interview question was answered from memory: `answer`, empty if nothing was typed, and the
learner's own `grade` of it, one of `kafkalab.learning_log.recall.GRADES`"""

OF_EACH = ("id", "at", "kind", "about")

# What an act leads to may be due this long after it: at the end of the calendar there is no room.
CENTURY = timedelta(days=36525)


class BadActs(BadInput):
    """The file of acts is there, but cannot be read; the text is one line."""


class Act(NamedTuple):
    """One thing that the learner did."""

    id: str
    """unique for each act: after a merge a line may be there twice"""
    at: str
    """ISO 8601, with offset"""
    kind: str
    about: str
    """a fact's slug, an interview question's slug, or a task, as in `1.3`"""
    said: dict[str, Any]
    """the values that belong to its kind"""


def append(path: Path, kind: str, about: str, **said: Any) -> Act:
    """Add an act to the file, which is made if there is none.

    Two processes may write at the same time: each line is written in one piece, at the file's
    end. If a process was killed in the middle of a line, the next act begins on a new line.

    Args:
        path: the file.
        kind: of the act.
        about: what it is about.
        said: the values that belong to its kind, as JSON can hold them.

    Raises:
        OSError: it cannot be written.
    """
    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
    act = Act(uuid.uuid4().hex, now, kind, about, said)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        line = json.dumps({**dict(zip(OF_EACH, act, strict=False)), **said}, ensure_ascii=False)
        # A terminal may pass a lone surrogate, which UTF-8 cannot encode.
        file.write(_begun(file) + line.encode("utf-8", "backslashreplace") + b"\n")
        os.fsync(file.fileno())
    return act


def _begun(file: Any) -> bytes:
    """A line end if the file's last line has none, so that the next act is a line of its own."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def read(path: Path) -> tuple[tuple[Act, ...], tuple[str, ...]]:
    """All acts, the earliest first, and a note on each line that is no act.

    Raises:
        BadActs: the file is there, but cannot be read.
    """
    acts: dict[str, Act] = {}
    set_aside = []
    for number, line in _lines(path):
        try:
            act = _act(json.loads(line))
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            set_aside.append(f"{path.name}:{number} is set aside: it is no act")
        else:
            acts.setdefault(act.id, act)
    # The sort is stable: acts of the same time stay in the order in which they were written.
    return tuple(sorted(acts.values(), key=_moment)), tuple(set_aside)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadActs(f"{path}: it cannot be read: {error.strerror}: check its rights") from error
    yield from ((n, line) for n, line in enumerate(content.split(b"\n"), 1) if line.strip())


def _act(data: dict[str, Any]) -> Act:
    if not all(isinstance(data[name], str) for name in OF_EACH):
        raise TypeError("an act's id, time, kind and subject are texts")
    said = {name: value for name, value in data.items() if name not in OF_EACH}
    act = Act(data["id"], data["at"], data["kind"], data["about"], said)
    _ = _moment(act) + CENTURY
    return act


def _moment(act: Act) -> datetime:
    return datetime.fromisoformat(act.at).astimezone()
