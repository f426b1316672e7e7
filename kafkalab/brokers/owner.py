"""The owner of a run: a process, its machine, and whether it still runs."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from kafkalab.brokers.processes import is_running

# Seconds. Two readings of a process's start differ by rounding: Linux gives the boot in full
# seconds.
SAME_START = 2.0


@dataclass(frozen=True)
class Machine:
    """A host or container: a process id is unique only inside one.

    Several of them may use a cache folder at once: hosts that share a home folder, or
    containers that mount the same folder.
    """

    host: str
    """the host's name; two hosts may have the same"""
    boot: str
    """on Linux the id of the kernel's last start; empty on other systems"""
    namespace: str
    """on Linux the namespace of process ids: each container has its own; empty elsewhere"""

    @classmethod
    def here(cls) -> Machine:
        """The machine of this process."""
        return cls(socket.gethostname(), _boot(), _namespace())

    def is_here(self) -> bool:
        """Whether this process can check the processes there; False if that is not known.

        It is also False after a reboot, as another host may have the same name.
        """
        is_known = bool(self.boot and self.namespace) or not psutil.LINUX
        return is_known and self == Machine.here()


def _boot() -> str:
    # On other systems a process's start is a time since the epoch, unique across boots.
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
    """A process, by id, start and machine: the same id may be used again, or on other machines."""

    pid: int
    start: float
    """seconds since the system's boot, or since the epoch: see `start_of`"""
    machine: Machine
    user: str
    """the user's name, for messages"""

    @classmethod
    def me(cls) -> Owner:
        """The process that calls this."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process that has this id on this machine now."""
        return cls(pid, start_of(psutil.Process(pid)), Machine.here(), _user())

    def is_alive(self) -> bool:
        """Whether that process still runs, and not a later one with the same id.

        Call this only on the process's own machine.
        """
        try:
            process = psutil.Process(self.pid)
            is_the_same = abs(start_of(process) - self.start) < SAME_START
        except psutil.NoSuchProcess:
            return False
        return is_the_same and is_running(process)

    def is_known_to_be_alive(self) -> bool:
        """Whether this machine can check it, and it runs."""
        return self.machine.is_here() and self.is_alive()

    def is_known_to_be_dead(self) -> bool:
        """Whether this machine can check it, and it has ended: its leftovers may be removed."""
        return self.machine.is_here() and not self.is_alive()

    def __str__(self) -> str:
        return f"{self.user}@{self.machine.host}"


def start_of(process: psutil.Process) -> float:
    """The start of a process, in seconds that do not change when the clock is set.

    Linux counts from the boot. psutil adds the time of the boot, which changes with
    the clock: after a laptop's sleep a living owner would look dead. So this subtracts
    it again. macOS stores the time itself.

    Raises:
        psutil.NoSuchProcess: the process has ended.
    """
    boot = psutil.boot_time() if psutil.LINUX else 0.0
    started: float = process.create_time() - boot
    return started


def _user() -> str:
    # A container's user may have no name; the exception depends on Python's version.
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.geteuid())
