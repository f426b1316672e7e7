"""Reads the records of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from kafkalab.learning_log.record import SCHEMA, FactRecord, TestRecord


@dataclass(frozen=True)
class StoredRun:
    """A run's record without its tests: these are most of it, and only few of them are needed."""

    schema: int
    run: str
    started: str
    completed: bool
    seconds: float
    command: tuple[str, ...]
    broker: Mapping[str, Any]
    environment: Mapping[str, str]
    solutions: str
    facts: tuple[FactRecord, ...]
    file: str = ""
    """the name of the record's file"""

    @cached_property
    def began(self) -> datetime:
        """When it started, with a time zone."""
        return datetime.fromisoformat(self.started).astimezone()

    @property
    def kafka(self) -> str:
        """Which Kafka it ran on, as in `Kafka 4.4.0, embedded`; empty if it needed none."""
        version = self.broker.get("version")
        return f"Kafka {version}, {self.broker.get('backend')}" if version else ""


@dataclass(frozen=True)
class _Tests:
    tests: tuple[TestRecord, ...]


_run_decoder = msgspec.json.Decoder(StoredRun)
_tests_decoder = msgspec.json.Decoder(_Tests)


def read_runs(folder: Path) -> tuple[tuple[StoredRun, ...], tuple[str, ...]]:
    """All records of a folder, the earliest run first, and a note on each that is broken.

    A broken record stays in the folder, and does not count.
    """
    runs, set_aside = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            runs.append(read_run(path))
        except (OSError, ValueError, RecursionError) as error:
            place = f"{folder.name}/{path.name}"
            set_aside.append(f"{place} is set aside: {error}: restore it, or remove it")
    return tuple(sorted(runs, key=lambda run: (run.began, run.run))), tuple(set_aside)


def read_tests(folder: Path, run: StoredRun) -> tuple[TestRecord, ...]:
    """The tests of a run, with their evidence; none if they cannot be read any more."""
    try:
        return _tests_decoder.decode((folder / run.file).read_bytes()).tests
    except (OSError, ValueError, RecursionError):
        return ()


def read_run(path: Path) -> StoredRun:
    """Read one record.

    Raises:
        OSError: it is not a file that can be read.
        ValueError: it is no record, or a later version of kafkalab wrote it.
    """
    if not path.is_file():
        raise OSError("it is not a file")
    run = replace(_run_decoder.decode(path.read_bytes()), file=path.name)
    if run.schema > SCHEMA:
        raise ValueError(f"a later kafkalab wrote it (schema {run.schema}, known is {SCHEMA})")
    datetime.fromisoformat(run.started)
    return run
