"""The cache folder: made for this user only, and refused if others could change its programs."""

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
    """Make a folder and the missing ones above it, with access for this user only.

    Raises:
        OSError: a folder cannot be made.
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
        CacheNotWritable: the folder cannot be made or written.
    """
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=make_folder(cache)):
            pass
    except OSError as error:
        raise cache_not_writable(cache, error) from error


def cache_not_writable(cache: Path, error: OSError) -> CacheNotWritable:
    """The error to raise if the cache folder cannot be written."""
    return CacheNotWritable(
        f"The cache folder {cache} cannot be written ({error.strerror or error}).",
        suspect="a read-only home folder, another user's home folder, or a full disk.",
        remedy=f"{ANOTHER}.",
    )


def is_safe(path: Path) -> bool:
    """Whether a file or folder exists, and no other user can change it."""
    try:
        require_safe([path])
    except CacheNotSafe:
        return False
    return path.exists()


def require_safe(paths: Iterable[Path]) -> None:
    """Refuse files and folders that another user could change: programs in them run as this user.

    Write access for the group is accepted: with the umask 002, the default on
    some systems, it is the user's own group.

    Args:
        paths: files and folders; if one cannot be read it is ignored, as it cannot be used
            either.

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
                f"{path} belongs to {_name_of(found.st_uid)}, and programs in it would run as "
                f"{_name_of(os.geteuid())}.",
                suspect="sudo, or a container that mounts another user's home folder.",
                remedy=f"run as {_name_of(found.st_uid)}, or {ANOTHER}.",
            )
        if found.st_mode & stat.S_IWOTH:
            tighten = f"chmod -R o-w {shlex.quote(str(path))}"
            raise CacheNotSafe(
                f"Everybody on this machine may write to {path}, and programs in it would run as "
                f"{_name_of(os.geteuid())}.",
                suspect="a shared folder, or a umask of 000.",
                remedy=f"`{tighten}` and `kafkalab prepare --again`, or {ANOTHER}.",
            )


def _require_safe_way_to(path: Path, looked_at: set[Path]) -> None:
    """Refuse a path if another user could replace one of its folders.

    Args:
        path: a path without links.
        looked_at: the folders that are known to be safe; this function adds to them.

    Raises:
        CacheNotSafe: everybody may rename files in one of the folders.
    """
    for folder in path.parents:
        if folder in looked_at:
            continue
        mode = folder.stat().st_mode
        # With the sticky bit, as on /tmp, only owners may rename.
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise CacheNotSafe(
                f"Everybody on this machine may write to {folder}, and so could replace {path}, "
                f"from which programs run as {_name_of(os.geteuid())}.",
                suspect="a shared folder, or a umask of 000.",
                remedy=f"`chmod o-w {shlex.quote(str(folder))}`, or {ANOTHER}.",
            )
        looked_at.add(folder)


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
