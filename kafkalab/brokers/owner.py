"""The process whose end ends a run: where it runs, and whether it still does."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from kafkalab.brokers.processes import is_running

# Two readings of one process's start differ by rounding only: Linux tells full seconds of boot.
SAME_START = 2.0


@dataclass(frozen=True)
class Machine:
    """Where a process id means something.

    A cache folder can be seen from several such places at once: from hosts that
    share a home folder, from containers that mount one folder.
    """

    host: str
    """its name: two hosts may have the same"""
    boot: str
    """differs with each start of a Linux kernel; empty elsewhere"""
    namespace: str
    """of process ids on Linux: each container has its own; empty elsewhere"""

    @classmethod
    def here(cls) -> Machine:
        """Where this process runs."""
        return cls(socket.gethostname(), _boot(), _namespace())

    def is_here(self) -> bool:
        """Whether this process can judge the processes there. Where that is not known: no.

        After a reboot it is no, too: another host may have the same name.
        """
        is_known = bool(self.boot and self.namespace) or not psutil.LINUX
        return is_known and self == Machine.here()


def _boot() -> str:
    # Elsewhere a start is a time since the epoch, which no process of another boot can share.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


@dataclass(frozen=True)
class Owner:
    """A process by its id, its start and its place: ids are used again, and elsewhere too."""

    pid: int
    start: float
    """seconds since the system's boot, or since the epoch: see `start_of`"""
    machine: Machine
    user: str
    """who it runs as; to be shown"""

    @classmethod
    def me(cls) -> Owner:
        """The process that calls."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process that has this id here and now."""
        return cls(pid, start_of(psutil.Process(pid)), Machine.here(), _user())

    def is_alive(self) -> bool:
        """Whether that process, and not a later one with its id, still runs.

        Only who is in its place can tell.
        """
        try:
            process = psutil.Process(self.pid)
            is_the_same = abs(start_of(process) - self.start) < SAME_START
        except psutil.NoSuchProcess:
            return False
        return is_the_same and is_running(process)

    def is_known_to_be_alive(self) -> bool:
        """Whether it can be told from here, and lives."""
        return self.machine.is_here() and self.is_alive()

    def is_known_to_be_dead(self) -> bool:
        """Whether it can be told from here, and has ended: what it left may be cleared away."""
        return self.machine.is_here() and not self.is_alive()

    def __str__(self) -> str:
        return f"{self.user}@{self.machine.host}"


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


def _user() -> str:
    # A container's user may have no name; what is raised then differs by Python's version.
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.geteuid())
