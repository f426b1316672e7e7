"""What a learner writes down of each task: reports/journal.toml."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

FILE = "journal.toml"


@dataclass(frozen=True)
class Entry:
    """What the journal says of one task; empty where nothing was written."""

    started: date | None = None
    completed: date | None = None
    minutes: int | None = None
    difficulty: int | None = None
    """from 1, easy, to 5, hard"""
    aha: tuple[str, ...] = ()
    challenges: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def read(path: Path) -> dict[str, Entry]:
    """The entries by task id; none where there is no journal."""
    return {}
