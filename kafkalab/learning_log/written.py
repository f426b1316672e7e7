"""Writes files in one step, and never over a file that kafkalab did not write."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from itertools import count
from pathlib import Path

# Bytes at the beginning of a file in which the mark is looked for.
BEGINNING = 65536


class NotOurs(OSError):
    """The file is there already, and kafkalab did not write it."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EEXIST, "kafkalab did not write what is there", str(path))


def require_ours(path: Path, mark: str) -> None:
    """Refuse to write over a file that is not ours, or through a link.

    Args:
        path: the file; it may be missing.
        mark: a text near the beginning of each file of this kind that kafkalab writes.

    Raises:
        NotOurs: the file does not have the mark, or is no plain file.
        OSError: it cannot be read.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise NotOurs(path)
    # Nothing is lost with an empty file; some report tools make one beforehand.
    with path.open("rb") as file:
        if status.st_size and mark.encode() not in file.read(BEGINNING):
            raise NotOurs(path)


def moved_aside(path: Path) -> Path:
    """Rename a file or folder to a backup name that is free, and return the new path.

    Neither Python nor pytest takes a backup for a module.

    Raises:
        OSError: its folder cannot be written.
    """
    names = (path.with_name(f"{path.name}.bak{number}") for number in count(1))
    backup = next(each for each in names if not os.path.lexists(each))
    return path.rename(backup)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader never sees half of it.

    The draft beside it has a unique name, so that it overwrites neither another
    writer's draft nor a user's file. An existing file keeps its permissions.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else None
    if mode is not None and not mode & stat.S_IWUSR:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("xb") as file:
            if mode is not None:
                draft.chmod(mode)
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
