"""What the learner did: one line of JSON for each act, in `reports/acts.jsonl`.

Lines are only ever added, so that git merges two such files by keeping the lines of
both, and nobody's day is lost. Acts of a kind that this kafkalab does not know are
kept as they are; a line that is no act is passed over, and named.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from kafkalab.config import BadInput

FILE = "acts.jsonl"

PREDICTED = "predicted"
"""a fact's question was answered: `choice`, empty for "don't know", and whether it was `right`"""
SEEN = "seen"
"""a fact's answer was opened without a prediction"""
EXPLAINED = "explained"
"""a fact in one's own words, `sentence`, and whether it says the same as ours, `agrees`"""
VARIED = "varied"
"""what would change a fact was asked, and `said`, before its controls were seen"""
JUDGED = "judged"
"""a task's component was judged: in which `folder`, seen from the file's own, the digest of its
`code`, and the verdict on each of its `facts`, by slug"""
HINTED = "hinted"
"""a hint about a fact of a component was taken: which, its `number`, from 1"""
ASKED_FOR_SOLUTION = "asked for solution"
"""the reference of a task was asked for: whether the learner had `solved` it, and whether it was
`shown`"""

OF_EACH = ("id", "at", "kind", "about")


class BadActs(BadInput):
    """There is a file of acts, and it cannot be read; the text is one line."""


class Act(NamedTuple):
    """One thing that the learner did."""

    id: str
    """of this act alone: a merge may bring a line twice"""
    at: str
    """ISO 8601, with offset"""
    kind: str
    about: str
    """a fact's slug, or a task, as in `1.3`"""
    said: dict[str, Any]
    """what belongs to its kind"""


def append(path: Path, kind: str, about: str, **said: Any) -> Act:
    """Add an act to the file, which is made if there is none.

    Two may write at once: each line is written in one piece, at the file's end. Where
    somebody was killed in the middle of a line, the next one begins on a line of its own.

    Args:
        path: the file.
        kind: of the act.
        about: what it is about.
        said: what belongs to its kind, as JSON can hold it.

    Raises:
        OSError: it cannot be written.
    """
    now = datetime.now().astimezone().isoformat(timespec="milliseconds")
    act = Act(uuid.uuid4().hex, now, kind, about, said)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        line = json.dumps({**dict(zip(OF_EACH, act, strict=False)), **said}, ensure_ascii=False)
        # A lone surrogate, as a terminal may hand in, is nothing that UTF-8 knows.
        file.write(_begun(file) + line.encode("utf-8", "backslashreplace") + b"\n")
        os.fsync(file.fileno())
    return act


def _begun(file: Any) -> bytes:
    """What has to come first, so that the line is one of its own."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def read(path: Path) -> tuple[tuple[Act, ...], tuple[str, ...]]:
    """All acts, the earliest first, and a word on each line that is none.

    Raises:
        BadActs: there is a file, and it cannot be read.
    """
    acts: dict[str, Act] = {}
    set_aside = []
    for number, line in _lines(path):
        try:
            act = _act(json.loads(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            set_aside.append(f"{path.name}:{number} is set aside: it is no act")
        else:
            acts.setdefault(act.id, act)
    # Of one moment those come first that were written first.
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
    _moment(act)
    return act


def _moment(act: Act) -> datetime:
    return datetime.fromisoformat(act.at).astimezone()
