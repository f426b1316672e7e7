"""A run's folder, its owner, and how nothing of it is left behind.

Whatever a run starts carries the path of the run's folder on its command line
(JVMs) or in a label (containers). So what belongs to a run can be found by
that mark alone, whoever started it and however that process went.
"""

from __future__ import annotations

import contextlib
import json
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

import psutil

from kafkalab.brokers.names import run_prefix
from kafkalab.brokers.processes import is_running, kill

RUN_LABEL = "kafkalab.run"
KAFKA_MAIN = "kafka.Kafka"
# Two readings of one process's start differ by rounding only: Linux tells full seconds of boot.
SAME_START = 2.0
# Broker logs of so many runs are kept.
KEPT_LOGS = 10
# Opening a run takes milliseconds: what is none after an hour was killed while it was opened.
OPENING_LIMIT = 3600.0


@dataclass(frozen=True)
class Owner:
    """The process whose end ends the run: by id and start, as ids are used again."""

    pid: int
    start: float
    """seconds since the system's boot, or since the epoch: see `start_of`"""

    @classmethod
    def me(cls) -> Owner:
        """The process that calls."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process that has this id now."""
        return cls(pid, start_of(psutil.Process(pid)))

    def is_alive(self) -> bool:
        """Whether that process, and not a later one with its id, still runs."""
        try:
            process = psutil.Process(self.pid)
            is_the_same = abs(start_of(process) - self.start) < SAME_START
        except psutil.NoSuchProcess:
            return False
        return is_the_same and is_running(process)


def start_of(process: psutil.Process) -> float:
    """When a process started, in seconds that stay the same when the clock is set.

    Linux counts from the boot, and psutil adds the time of the boot, which
    moves with the clock: after a laptop's sleep a living owner would look dead.
    macOS keeps the time as it was.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    boot = psutil.boot_time() if psutil.LINUX else 0.0
    started: float = process.create_time() - boot
    return started


@dataclass(frozen=True)
class Run:
    """One run: a folder for all its brokers, and the process that owns them."""

    folder: Path
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
        """The run that `as_data` told of, in another process."""
        return cls(Path(data["folder"]), Owner(**data["owner"]), data["backend"], data["began"])

    def as_data(self) -> dict[str, Any]:
        """The run as JSON-safe data."""
        return {**asdict(self), "folder": str(self.folder)}

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
        """Make the folder, clear what dead runs left, and set a watchdog. Once per run."""
        if self.folder.exists():
            return
        clear_dead_runs(self.cache)
        self.folder.mkdir(parents=True)
        (self.folder / "run.json").write_text(json.dumps(self.as_data()), "utf-8")
        self._set_watchdog()

    def _set_watchdog(self) -> None:
        package_root = Path(__file__).parents[2]
        watchdog = subprocess.Popen(
            [sys.executable, "-m", "kafkalab.brokers.watchdog", str(self.folder)],
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
            shutil.rmtree(self.folder, ignore_errors=True)
        self.lock_file.unlink(missing_ok=True)

    @property
    def lock_file(self) -> Path:
        """Beside the folder, not in it: the folder's existence says that the run is open."""
        return self.folder.with_suffix(".lock")

    def _end_brokers(self) -> None:
        kill(list(_jvms_of(self.folder)))
        if self.backend == "container":
            from kafkalab.brokers.container import remove_containers_of

            remove_containers_of(self.folder.name)

    def _keep_logs(self) -> None:
        for log in self.folder.glob("shared/node-*/broker.log"):
            self.logs.mkdir(parents=True, exist_ok=True)
            shutil.copy(log, self.logs / f"{log.parent.name}.log")
        kept = sorted((self.cache / "logs").glob("*"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-KEPT_LOGS]:
            shutil.rmtree(old, ignore_errors=True)


def run_at(folder: Path) -> Run | None:
    """The run that a folder belongs to; None when that cannot be read."""
    try:
        return Run.from_data(json.loads((folder / "run.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def clear_dead_runs(cache: Path) -> None:
    """End and remove the runs whose owner is gone, and what is left of runs that never opened."""
    for folder in {path.with_suffix("") for path in (cache / "runs").glob("*")}:
        run = run_at(folder)
        if run is None:
            _clear_unopened(folder)
        elif not run.owner.is_alive():
            run.close()


def _clear_unopened(folder: Path) -> None:
    for path in (folder, folder.with_suffix(".lock")):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime < OPENING_LIMIT:
                return
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def _jvms_of(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if KAFKA_MAIN in line and any(part.startswith(f"{folder}{os.sep}") for part in line):
            yield process
