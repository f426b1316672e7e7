"""A run's folder, its owner, and how nothing of it is left behind.

Whatever a run starts carries the path of the run's folder on its command line
(JVMs) or in a label (containers). So what belongs to a run can be found by
that mark alone, whoever started it and however that process went.

The folder has a mark in it, too: a file that says which run it is of, and who
owns that. Nothing is removed that has none. The cache folder may be anybody's,
with a `runs` or `logs` of theirs.
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

# Broker logs of so many runs are kept.
KEPT_LOGS = 10

MARK = "run.json"
"""the file that marks a folder as a run's"""


@dataclass(frozen=True, kw_only=True)
class RunMark(Mark):
    """What a run's folder says of it; its name is the folder's."""

    backend: str
    began: float


@dataclass(frozen=True)
class Run:
    """One run: a folder for all its brokers, and the process that owns them."""

    folder: Path
    """its name is the run's id"""
    owner: Owner
    backend: str
    """the backend's name: it tells what there may be to clear away"""
    began: float
    """seconds since the epoch"""

    @classmethod
    def new(cls, cache: Path, backend: str = "") -> Run:
        """A run owned by this process. Nothing is written until `open`.

        The backend may be named later, by `with_backend`.
        """
        return cls(cache / "runs" / uuid.uuid4().hex[:12], Owner.me(), backend, time.time())

    def with_backend(self, backend: str) -> Run:
        """The same run, once its backend is known."""
        return replace(self, backend=backend)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Run:
        """The run that `as_data` told of, in another process of it."""
        owner = {**data["owner"], "machine": Machine(**data["owner"]["machine"])}
        return cls(Path(data["folder"]), Owner(**owner), data["backend"], data["began"])

    def as_data(self) -> dict[str, Any]:
        """The run as JSON-safe data."""
        return {**asdict(self), "folder": str(self.folder)}

    @property
    def mark(self) -> RunMark:
        """What marks its folders."""
        return RunMark(
            name=self.folder.name, owner=self.owner, backend=self.backend, began=self.began
        )

    @property
    def prefix(self) -> str:
        """What the names of all topics, groups and transactional ids of the run begin with."""
        return run_prefix(self.began, self.folder.name)

    @property
    def cache(self) -> Path:
        return self.folder.parent.parent

    @property
    def logs(self) -> Path:
        """Where the shared broker's log is kept after the run."""
        return self.cache / "logs" / self.folder.name

    def open(self) -> None:
        """Make the folder, clear what dead runs left, and set a watchdog. Once per run.

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
            # -P: nothing that lies in the current folder, whatever its name, is run by this.
            [sys.executable, "-P", "-m", "kafkalab.brokers.watchdog", str(self.folder)],
            env={**os.environ, "PYTHONPATH": str(package_root)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C in the terminal, or the end of its session, must not reach it.
            start_new_session=True,
        )
        # Nobody waits for it, as it outlives this process: Python is not to warn of that.
        watchdog.returncode = 0

    def close(self) -> None:
        """End all brokers of the run and remove its folder; the shared broker's log is kept."""
        # Twice: a worker may be starting one more while the folder goes.
        for _ in range(2):
            self._end_brokers()
            # A log that cannot be kept must not keep a broker running.
            with contextlib.suppress(OSError):
                self._keep_logs()
            with contextlib.suppress(OSError):
                self._remove_folder()

    @property
    def lock_file(self) -> Path:
        """Who holds it starts the shared broker, or asks for it."""
        return self.folder / "lock"

    def _end_brokers(self) -> None:
        kill(list(brokers_of(self.folder)))
        if self.backend == "container":
            remove_containers_of(self.folder.name)

    def _remove_folder(self) -> None:
        # The mark goes last: where a removal was cut short, the next run knows whose the rest is.
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
    """The run whose folder this is; None where it is no run's.

    A run's folder is where it lies: no path is read from a file, and no link followed.
    """
    mark = None if folder.is_symlink() else read_mark(folder / MARK, RunMark, folder.name)
    return None if mark is None else Run(folder, mark.owner, mark.backend, mark.began)


def runs_in(cache: Path) -> list[Run]:
    """The runs whose folders lie in a cache folder, whoever owns them."""
    return list(_marked_in(cache / "runs"))


def _marked_in(folder: Path) -> Iterator[Run]:
    with contextlib.suppress(OSError):
        for each in folder.iterdir():
            if (run := run_at(each)) is not None:
                yield run


def clear_dead_runs(cache: Path) -> None:
    """End and remove the runs whose owner has ended.

    Where that cannot be told from here, as of another host or container that
    uses the same cache folder, a run is left alone: `kafkalab doctor` names it.
    """
    for run in runs_in(cache):
        if run.owner.is_known_to_be_dead():
            run.close()


@contextlib.contextmanager
def workshop(cache: Path) -> Iterator[Path]:
    """A folder to prepare in, in the cache folder, that is gone when the block ends.

    It is a run's, so that who is killed meanwhile leaves neither files nor a JVM.
    """
    run = Run.new(cache, "embedded")
    run.open()
    try:
        yield run.folder
    finally:
        run.close()
