"""A run's folder, its owner, and the clean-up of everything that the run starts.

Everything that a run starts has the path of the run's folder on its command line
(JVMs) or the run's id in a label (containers). So all parts of a run can be found, no
matter which process started them and how that process ended.

The folder also contains a mark: a file that names the run and its owner. Folders
without a mark are never removed: the cache folder may contain `runs` or `logs` of
another program.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kafkalab.brokers.cache import cache_not_writable, make_folder
from kafkalab.brokers.engine import remove_containers_of
from kafkalab.brokers.marks import Mark, read_mark
from kafkalab.brokers.names import run_prefix
from kafkalab.brokers.owner import Machine, Owner
from kafkalab.brokers.processes import brokers_of, kill

# The number of runs whose broker logs are kept.
KEPT_LOGS = 10

MARK = "run.json"
"""the file that marks a folder as a run's"""


@dataclass(frozen=True, kw_only=True)
class RunMark(Mark):
    """The mark in a run's folder; its name is the folder's."""

    backend: str
    began: float


@dataclass(frozen=True)
class Run:
    """One run: a folder for all its brokers, and the process that owns them."""

    folder: Path
    """its name is the run's id"""
    owner: Owner
    backend: str
    """the backend's name: the clean-up depends on it"""
    began: float
    """seconds since the epoch"""

    @classmethod
    def new(cls, cache: Path, backend: str = "") -> Run:
        """Make a run that this process owns. It writes nothing until `open`.

        The backend may be set later, by `with_backend`.
        """
        return cls(cache / "runs" / uuid.uuid4().hex[:12], Owner.me(), backend, time.time())

    def with_backend(self, backend: str) -> Run:
        """The same run, once its backend is known."""
        return replace(self, backend=backend)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Run:
        """The run from the data of `as_data`, in another process of the run."""
        owner = {**data["owner"], "machine": Machine(**data["owner"]["machine"])}
        return cls(Path(data["folder"]), Owner(**owner), data["backend"], data["began"])

    def as_data(self) -> dict[str, Any]:
        """The run as JSON-safe data."""
        return {**asdict(self), "folder": str(self.folder)}

    @property
    def mark(self) -> RunMark:
        """The mark for its folders."""
        return RunMark(
            name=self.folder.name, owner=self.owner, backend=self.backend, began=self.began
        )

    @property
    def prefix(self) -> str:
        """The prefix of the names of all topics, groups and transactional ids of the run."""
        return run_prefix(self.began, self.folder.name)

    @property
    def cache(self) -> Path:
        return self.folder.parent.parent

    @property
    def logs(self) -> Path:
        """The folder in which the shared broker's log is kept after the run."""
        return self.cache / "logs" / self.folder.name

    def open(self) -> None:
        """Make the folder, clean up after dead runs, and start a watchdog; only once per run.

        Raises:
            CacheNotWritable: the folder cannot be made.
        """
        try:
            make_folder(self.folder)
            if not self.mark.write(self.folder / MARK):
                return
        except OSError as error:
            raise cache_not_writable(self.cache, error) from error
        clear_dead_runs(self.cache)
        self._set_watchdog()

    def _set_watchdog(self) -> None:
        package_root = Path(__file__).parents[2]
        watchdog = subprocess.Popen(
            # -P: Python imports no modules from the current folder.
            [sys.executable, "-P", "-m", "kafkalab.brokers.watchdog", str(self.folder)],
            env={**os.environ, "PYTHONPATH": str(package_root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal, or the end of its session, must not reach it.
            start_new_session=True,
        )
        # The watchdog outlives this process, so nothing waits for it; this avoids Python's warning.
        watchdog.returncode = 0

    def close(self) -> None:
        """End all brokers of the run and remove its folder; the shared broker's log is kept."""
        # Twice: a worker may start one more broker while the folder is being removed.
        for _ in range(2):
            self._end_brokers()
            # An error in keeping the log must not stop the clean-up.
            with contextlib.suppress(OSError):
                self._keep_logs()
            with contextlib.suppress(OSError):
                self._remove_folder()

    @property
    def lock_file(self) -> Path:
        """The file to lock while starting the shared broker, or attaching to it."""
        return self.folder / "lock"

    def _end_brokers(self) -> None:
        kill(list(brokers_of(self.folder)))
        if self.backend == "container":
            remove_containers_of(self.folder.name)

    def _remove_folder(self) -> None:
        # Remove the mark last: if the removal is cut short, the next run can remove the rest.
        for path in self.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != MARK:
                path.unlink(missing_ok=True)
        if [path.name for path in self.folder.iterdir()] == [MARK]:
            (self.folder / MARK).unlink(missing_ok=True)
        self.folder.rmdir()

    def _keep_logs(self) -> None:
        for log in self.folder.glob("shared/node-*/broker.log"):
            self.mark.write(make_folder(self.logs) / MARK)
            shutil.copy(log, self.logs / f"{log.parent.name}.log")
        kept = sorted(_marked_in(self.cache / "logs"), key=lambda run: run.folder.stat().st_mtime)
        for old in kept[:-KEPT_LOGS]:
            shutil.rmtree(old.folder, ignore_errors=True)


def run_at(folder: Path) -> Run | None:
    """The run of a folder; None if it is not the folder of a run.

    The path of the run is the folder itself: it reads no path from a file, and follows no link.
    """
    mark = None if folder.is_symlink() else read_mark(folder / MARK, RunMark, folder.name)
    return None if mark is None else Run(folder, mark.owner, mark.backend, mark.began)


def runs_in(cache: Path) -> list[Run]:
    """All runs with a folder in a cache folder, of any owner."""
    return list(_marked_in(cache / "runs"))


def _marked_in(folder: Path) -> Iterator[Run]:
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            if (run := run_at(each)) is not None:
                yield run


def clear_dead_runs(cache: Path) -> None:
    """End and remove the runs with an owner that has ended.

    If this machine cannot check the owner, as it runs on another host or in a container
    with the same cache folder, the run is kept: `kafkalab doctor` names it.
    """
    for run in runs_in(cache):
        if run.owner.is_known_to_be_dead():
            run.close()


@contextlib.contextmanager
def workshop(cache: Path) -> Iterator[Path]:
    """A temporary folder in the cache folder, for preparations; it is removed after the block.

    It belongs to a run of its own, so that even if this process is killed no files and no JVM
    are left.
    """
    run = Run.new(cache, "embedded")
    run.open()
    try:
        yield run.folder
    finally:
        run.close()
