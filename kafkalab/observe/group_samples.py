"""Look at a group for a time, save the looks in a file, and read them again.

Each line of the file is JSON: first a header, then one look a line. Each line is written whole.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kafkalab.observe.group_looks import Look, Onlooker
from kafkalab.waiting import wait_until

# Seconds. The last look decides whether a partition stands still, so it may take long.
READ_LIMIT = 10.0

KIND, VERSION = "looks at a group", 1


class BadRecording(Exception):
    """A file is no recording of looks at a group; the text says why."""


class Header(msgspec.Struct, frozen=True):
    """The first line: what the file is."""

    kafkalab: str
    """KIND"""
    version: int
    group: str


@dataclass(frozen=True)
class Recording:
    """The content of a file."""

    group: str
    looks: tuple[Look, ...]
    """sorted by time"""
    broken: tuple[int, ...]
    """the numbers of the lines that hold no look; the first line is 1"""


def sample(
    onlooker: Onlooker,
    seconds: float,
    every: float,
    keep: Callable[[Look], None],
) -> None:
    """Look at a group for a time; the last look also reads the first unread records.

    Args:
        onlooker: takes the looks.
        seconds: how long; one look is taken in any case.
        every: seconds between two looks.
        keep: is called with each look.

    Raises:
        UnknownGroup, LagUnknown, KafkaException: as the onlooker raises them.
    """
    end = time.monotonic() + seconds

    def look() -> bool:
        is_last = time.monotonic() + every > end
        keep(onlooker.look(read_for=READ_LIMIT if is_last else 0))
        return is_last

    # Each look has its own limit.
    wait_until(look, limit=math.inf, what="the last look", interval=every)


@contextlib.contextmanager
def recording(path: Path, group: str) -> Iterator[Callable[[Look], None]]:
    """Save looks in a new file while the block runs.

    Yields:
        A function that writes a look; on return its line is in the file.

    Raises:
        OSError: the file exists already, or cannot be written.
    """
    with path.open("xb") as file:

        def write(line: msgspec.Struct) -> None:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()

        write(Header(KIND, VERSION, group))
        yield write


def read(path: Path) -> Recording:
    """Read a file again; leave out lines that hold no look, such as one that was cut off.

    Raises:
        BadRecording: the file holds no look, is no recording, or cannot be read.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise BadRecording(f"{path} cannot be read: {error.strerror}") from error
    header = _header(path, lines[0] if lines else b"")
    looks, broken = [], []
    for number, line in enumerate(lines[1:], start=2):
        try:
            looks.append(msgspec.json.decode(line, type=Look))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            broken.append(number)
    if not looks:
        raise BadRecording(f"{path} holds no look at the group {header.group}")
    looks.sort(key=lambda look: look.time)
    return Recording(header.group, tuple(looks), tuple(broken))


def _header(path: Path, line: bytes) -> Header:
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRecording(f"{path} is no recording of explain: make one with --record") from error
    if header.kafkalab != KIND:
        raise BadRecording(f"{path} is no recording of explain: make one with --record")
    if header.version != VERSION:
        raise BadRecording(
            f"{path} is a recording of version {header.version}; this kafkalab reads {VERSION}"
        )
    return header
