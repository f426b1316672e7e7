"""Files that appear whole, or not at all, and never in place of what somebody else wrote."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from itertools import count
from pathlib import Path

# A mark stands near the beginning of a file.
BEGINNING = 65536


class NotOurs(OSError):
    """There is a file of that name which kafkalab did not write."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EEXIST, "kafkalab did not write what is there", str(path))


def require_ours(path: Path, mark: str) -> None:
    """Refuse to write over a file of somebody else's, or through a link.

    Args:
        path: the file; it need not be there.
        mark: what the beginning of each such file of ours has in it.

    Raises:
        NotOurs: it has not, or is no plain file.
        OSError: it cannot be read.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(status.st_mode):
        raise NotOurs(path)
    # An empty file has nothing to lose; some makers of reports hand one in.
    with path.open("rb") as file:
        if status.st_size and mark.encode() not in file.read(BEGINNING):
            raise NotOurs(path)


def moved_aside(path: Path) -> Path:
    """Give what is there a name that it had not before; that new name.

    Neither Python nor pytest take it for a module, whatever it was.

    Raises:
        OSError: its folder cannot be written.
    """
    names = (path.with_name(f"{path.name}.bak{number}") for number in count(1))
    backup = next(each for each in names if not os.path.lexists(each))
    return path.rename(backup)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader never sees half of it.

    The draft beside it has a name that no other file has, so that neither
    another writer's nor a user's file is written over. Who may read and write a
    file that is there stays as it is.

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
