"""The threads that clients have started in this process: an open client has some of its own."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path

import psutil

from kafkalab.waiting import Expired, wait_until

# Seconds. The threads of a client end in milliseconds after it was closed, on a loaded machine in
# some seconds.
END_LIMIT = 10

TASKS = Path("/proc/self/task")
"""Linux: a folder for each thread of this process"""
MAIN_THREAD = "rdk:main"
"""as librdkafka names the one thread that each open client has from its start to its end"""


def client_threads() -> frozenset[int]:
    """The ids of the main threads of the clients that are open in this process.

    Where the system does not tell a thread's name, all threads of the process.
    """
    threads = frozenset(each.id for each in psutil.Process().threads())
    if not TASKS.is_dir():
        return threads
    # A client starts others when it meets a broker, also one that was open before.
    return frozenset(each for each in threads if _name_of(each) == MAIN_THREAD)


def _name_of(thread: int) -> str:
    # It may have ended meanwhile.
    with contextlib.suppress(OSError):
        return (TASKS / str(thread) / "comm").read_text("utf-8").strip()
    return ""


def threads_left(before: frozenset[int]) -> int:
    """How many new clients are open, by their threads, when those that are closed have ended.

    Args:
        before: what `client_threads` returned. Some of these may end meanwhile: they do not count.
    """
    # A client that is in a cycle, as of a callback that refers to it, ends with the cycle.
    gc.collect()
    try:
        wait_until(
            lambda: client_threads() - before,
            lambda new: not new,
            limit=END_LIMIT,
            what="the threads of clients to end",
        )
    except Expired:
        return len(client_threads() - before)
    return 0
