"""Notice changes in folders at once.

Callers must not rely on it: not every file system reports changes, and a folder may come and
go. So a caller also checks the folders itself from time to time; this module only makes it faster.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import watchfiles

# Milliseconds. watchfiles reports a change when no other one followed within this time.
STEP = 20


class Folders:
    """Folders that are watched for changes, without their subfolders."""

    def __init__(self) -> None:
        self._places: frozenset[tuple[Path, int, int]] = frozenset()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._ear, False)

    def fileno(self) -> int:
        """The descriptor that is readable when something has changed."""
        return self._ear

    def has_changed(self) -> bool:
        """Whether something has changed since the last call."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._ear, 65536))
        return False

    def listen_to(self, folders: Iterable[Path]) -> None:
        """Watch these folders from now on; for a missing folder, watch the next one above it.

        A folder that was deleted and made again is a new one. If nothing differs from the last
        call, the call is quick.
        """
        places = frozenset(map(_place_of, folders))
        if places == self._places:
            return
        self._end()
        self._places, self._stop = places, threading.Event()
        given = ([path for path, *_ in places], self._stop)
        self._thread = threading.Thread(target=self._hear, args=given, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._end()
        os.close(self._ear)
        os.close(self._mouth)

    def _end(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _hear(self, paths: list[Path], stop: threading.Event) -> None:
        # Some folders cannot be watched, such as those beyond the system's limit. Callers check
        # them anyway.
        with contextlib.suppress(OSError, RuntimeError):
            for _ in watchfiles.watch(
                *paths,
                watch_filter=None,
                debounce=5 * STEP,
                step=STEP,
                stop_event=stop,
                recursive=False,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                os.write(self._mouth, b"!")


def _place_of(folder: Path) -> tuple[Path, int, int]:
    """The folder, or the next existing one above it, with its device and inode."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            found = path.stat()
            if path.is_dir():
                return path, found.st_dev, found.st_ino
    return Path("/"), 0, 0
