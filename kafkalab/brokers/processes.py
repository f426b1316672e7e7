"""Processes by their id: whether they run, and ending them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import psutil

from kafkalab.brokers.errors import EndFailed
from kafkalab.waiting import Expired, wait_until

# A killed process is gone at once, unless the disk it writes to hangs.
END_LIMIT = 30.0


def is_running(process: psutil.Process) -> bool:
    """Whether the process lives. A zombie, ended but not reaped yet, does not.

    But one whose other threads are still on their way out does: it holds its
    ports and files until the last is gone.
    """
    try:
        if not process.is_running():
            return False
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False


def wait_for_end(processes: Sequence[psutil.Process], limit: float = END_LIMIT) -> None:
    """Wait until none of the processes runs; children of this process are reaped.

    psutil's own wait takes a zombie of another parent for alive.

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
    """Kill processes and wait until they are gone; one that is gone already is fine.

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
            remedy="look at the process, then run again.",
        ) from error
