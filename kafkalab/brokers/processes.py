"""Check and end processes, and find the processes of brokers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from kafkalab.brokers.errors import EndFailed
from kafkalab.waiting import Expired, wait_until

# Seconds. A killed process is gone at once, unless the disk to which it writes hangs.
END_LIMIT = 30.0

KAFKA_MAIN = "kafka.Kafka"
TOOL_MAIN = "org.apache.kafka.tools."
"""the start of the main classes of Java clients that a run starts"""


def is_running(process: psutil.Process) -> bool:
    """Whether the process lives. A zombie, ended but not reaped yet, does not.

    A zombie with other threads that are still ending counts as alive: it holds
    its ports and files until the last thread is gone.
    """
    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False


def wait_for_end(processes: Sequence[psutil.Process], limit: float = END_LIMIT) -> None:
    """Wait until none of the processes runs; children of this process are reaped.

    psutil's own wait would count another parent's zombie as alive.

    Raises:
        Expired: one still runs after `limit` seconds.
    """
    wait_until(
        lambda: [process.pid for process in processes if is_running(process)],
        lambda running: not running,
        limit=limit,
        what="processes to end",
    )
    for process in processes:
        with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
            process.wait(0)


def kill(processes: Sequence[psutil.Process]) -> None:
    """Kill processes and wait until they are gone; a process that has ended is no error.

    Raises:
        EndFailed: one still runs after END_LIMIT.
    """
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    try:
        wait_for_end(processes)
    except Expired as error:
        raise EndFailed(
            f"A killed process still runs after {END_LIMIT:.0f} s ({error}).",
            suspect="a disk or file system that hangs.",
            remedy="check the process, then run again.",
        ) from error


def brokers_of(folder: Path) -> Iterator[psutil.Process]:
    """The JVMs of brokers and Java clients with files in a folder."""
    # The process's command line may name the folder by another path, such as a link.
    real = folder.resolve()
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        paths = (Path(part) for part in line if part.startswith(os.sep))
        is_ours = any(part == KAFKA_MAIN or part.startswith(TOOL_MAIN) for part in line)
        if is_ours and any(path.resolve().is_relative_to(real) for path in paths):
            yield process
