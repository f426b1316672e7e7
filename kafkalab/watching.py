"""Hears at once when something changes in folders.

Nothing depends on it: not every file system tells of changes, and a folder may come and go. Who
listens looks for himself now and then, and what this hears makes that quick.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import watchfiles

# Milliseconds: a change is told of after the first of them, and as long as more come after each.
STEP = 20


class Folders:
    """Folders, without those below them, which tell when something in them changes."""

    def __init__(self) -> None:
        self._places: frozenset[tuple[Path, int, int]] = frozenset()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._ear, self._mouth = os.pipe()
        os.set_blocking(self._ear, False)

    def fileno(self) -> int:
        """What is ready to be read when something has changed."""
        return self._ear

    def has_changed(self) -> bool:
        """Whether something has changed since this was asked last."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._ear, 65536))
        return False

    def listen_to(self, folders: Iterable[Path]) -> None:
        """Hear of these folders from now on; of one that is not there, of the next above it.

        One that was made anew is another. It is quick where nothing is to be done.
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
        """Hear nothing more."""
        self._end()
        os.close(self._ear)
        os.close(self._mouth)

    def _end(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _hear(self, paths: list[Path], stop: threading.Event) -> None:
        # What cannot be heard of, such as folders beyond the system's limit, is looked at all
        # the same.
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
    """The folder, or the next above it that is there, and which one it is."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            found = path.stat()
            if path.is_dir():
                return path, found.st_dev, found.st_ino
    return Path("/"), 0, 0
