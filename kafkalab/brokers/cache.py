"""The cache folder: made for its user alone, and refused where others could change what runs."""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import stat
from collections.abc import Iterable
from pathlib import Path

from kafkalab.brokers.errors import CacheNotSafe, CacheNotWritable

ROOT = 0

ANOTHER = "name a folder of your own with KAFKALAB_CACHE or --kafkalab-cache"


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it, where they are missing; only this user may look in.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    return folder


def require_writable(cache: Path) -> None:
    """Make the cache folder and try to write to it.

    Raises:
        CacheNotWritable: that failed.
    """
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=make_folder(cache)):
            pass
    except OSError as error:
        raise cache_not_writable(cache, error) from error


def cache_not_writable(cache: Path, error: OSError) -> CacheNotWritable:
    """What is to be raised where the cache folder cannot be written."""
    return CacheNotWritable(
        f"The cache folder {cache} cannot be written ({error.strerror or error}).",
        suspect="a read-only or foreign home folder, or a full disk.",
        remedy=f"{ANOTHER}.",
    )


def is_safe(path: Path) -> bool:
    """Whether a file or folder is there, and nobody else can change it."""
    try:
        require_safe([path])
    except CacheNotSafe:
        return False
    return path.exists()


def require_safe(paths: Iterable[Path]) -> None:
    """Refuse what somebody else could change: programs that lie there run as this user.

    A group that may write is taken for one that is trusted: with the umask 002,
    which some systems have, it is the user's own.

    Args:
        paths: files and folders; one that cannot be looked at is passed over, as it cannot be
            used either.

    Raises:
        CacheNotSafe: everybody may write to one, or it belongs to neither this user nor root.
    """
    looked_at: set[Path] = set()
    for path in paths:
        try:
            found = path.stat()
            _require_safe_way_to(path.resolve(), looked_at)
        except OSError:
            continue
        if found.st_uid not in (ROOT, os.geteuid()):
            raise CacheNotSafe(
                f"{path} belongs to {_name_of(found.st_uid)}, and what lies there would run as "
                f"{_name_of(os.geteuid())}.",
                suspect="sudo, or a container that has somebody's home folder.",
                remedy=f"run as {_name_of(found.st_uid)}, or {ANOTHER}.",
            )
        if found.st_mode & stat.S_IWOTH:
            tighten = f"chmod -R o-w {shlex.quote(str(path))}"
            raise CacheNotSafe(
                f"Everybody on this machine may write to {path}, and what lies there would run as "
                f"{_name_of(os.geteuid())}.",
                suspect="a shared folder, or a umask of 000.",
                remedy=f"`{tighten}` and `kafkalab prepare --again`, or {ANOTHER}.",
            )


def _require_safe_way_to(path: Path, looked_at: set[Path]) -> None:
    """Refuse a path on which somebody else could put another folder in the place of one.

    Args:
        path: without links.
        looked_at: the folders that are known to be safe; those that are found safe are added.

    Raises:
        CacheNotSafe: everybody may rename what lies in one of the folders.
    """
    for folder in path.parents:
        if folder in looked_at:
            continue
        mode = folder.stat().st_mode
        # With the sticky bit, as /tmp has it, only owners rename.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise CacheNotSafe(
                f"Everybody on this machine may write to {folder}, and so put something else in "
                f"the place of {path}, which would run as {_name_of(os.geteuid())}.",
                suspect="a shared folder, or a umask of 000.",
                remedy=f"`chmod o-w {shlex.quote(str(folder))}`, or {ANOTHER}.",
            )
        looked_at.add(folder)


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
