"""Marks: files that say that kafkalab made a folder, and by which process.

A cache folder may also contain files of others, under any name. So kafkalab changes
or removes nothing without a mark, or with a mark that was made for something else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from kafkalab.brokers.owner import Owner

# Bytes. A mark has a few hundred.
LONGEST = 65536


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The fields of every mark."""

    made_by: Literal["kafkalab"] = "kafkalab"
    name: str
    """the name of the thing that it marks: a mark copied to another name is not valid"""
    owner: Owner

    def write(self, path: Path) -> bool:
        """Write it to a file, unless the file exists; return whether it was written.

        Raises:
            OSError: the file cannot be written.
        """
        import msgspec

        try:
            # Even with an open umask, no other user may write to it.
            with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
                file.write(msgspec.json.encode(self))
        except FileExistsError:
            return False
        return True


AnyMark = TypeVar("AnyMark", bound=Mark)


def read_mark(path: Path, kind: type[AnyMark], name: str) -> AnyMark | None:
    """The mark in a file; None if it has another kind, or was made for something else."""
    import msgspec

    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST:
            return None
        data = msgspec.json.decode(path.read_bytes())
        # The default of `made_by` is only for new marks: a mark that is read must have the field.
        if "made_by" not in data:
            return None
        mark = msgspec.convert(data, kind)
    except (OSError, TypeError, ValueError, RecursionError):
        return None
    return mark if mark.name == name else None
