"""Marks: files that say what kafkalab has made, and by which process.

A cache folder may have files of others beside ours, under any name. So nothing
is changed or removed that has no mark, or one that was made for something else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from kafkalab.brokers.owner import Owner

# Bytes: a mark has some hundred.
LONGEST = 65536


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What each mark says."""

    made_by: Literal["kafkalab"] = "kafkalab"
    name: str
    """of what it was made for: a copy under another name is not ours"""
    owner: Owner

    def write(self, path: Path) -> bool:
        """Write it to a file, unless there is one; whether it was written.

        Raises:
            OSError: it cannot be written.
        """
        import msgspec

        try:
            # Whatever the umask is, nobody else writes to it.
            with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
                file.write(msgspec.json.encode(self))
        except FileExistsError:
            return False
        return True


AnyMark = TypeVar("AnyMark", bound=Mark)


def read_mark(path: Path, kind: type[AnyMark], name: str) -> AnyMark | None:
    """The mark in a file; None where it is none of that kind, or was made for something else."""
    import msgspec

    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST:
            return None
        data = msgspec.json.decode(path.read_bytes())
        # A default is for who makes one, not for who reads it.
        if "made_by" not in data:
            return None
        mark = msgspec.convert(data, kind)
    except (OSError, TypeError, ValueError, RecursionError):
        return None
    return mark if mark.name == name else None
