"""Processes of a test's own: what they say, how they end, and that none outlives its test."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from kafkalab.brokers.processes import is_running
from kafkalab.observe.children import Child, ChildFailed, Say, children, crash
from kafkalab.waiting import Expired, wait_until

# A process is started, or ends, within milliseconds; on a loaded machine within seconds.
LIMIT = 20.0

# A test's process that starts a child, tells its id, and waits for ever.
STARTS_A_CHILD = """
import sys
from kafkalab.observe.children import Child
from tests.test_children import waits_for_ever

if __name__ == "__main__":
    child = Child(waits_for_ever)
    (pid,) = child.wait_for(bool, what="the child's id")
    print(pid, flush=True)
    input()
"""


def says_and_returns(say: Say, *words: str) -> None:
    for word in words:
        say(word)


def says_and_dies(say: Say) -> None:
    say("last word")
    crash()


def fails(_: Say) -> None:
    raise ValueError("no")


def says_and_leaves(say: Say) -> None:
    say("last word")
    sys.exit(3)


def calls(_: Say, code: str) -> None:
    exec(compile(code, "leaves.py", "exec"))  # noqa: S102 - it stands for a learner's


def waits_for_ever(say: Say) -> None:
    say(os.getpid())
    threading.Event().wait()


def test_what_it_said_is_known_in_order() -> None:
    """A child that has ended by itself has said all, and was not killed."""
    child = Child(says_and_returns, "a", "b")

    assert child.wait(LIMIT) == ["a", "b"]
    assert not child.was_killed


def test_what_it_said_before_it_died_is_known() -> None:
    """What a child says just before it kills itself is heard."""
    child = Child(says_and_dies)

    assert child.wait(LIMIT) == ["last word"]
    assert child.was_killed


def test_what_it_raised_is_told_with_its_place() -> None:
    """An error in the child is raised here, with file and line."""
    with pytest.raises(ChildFailed, match=r"test_children\.py:\d+: ValueError: no"):
        Child(fails).wait(LIMIT)


def test_the_program_may_leave_by_sys_exit() -> None:
    """A program that calls sys.exit itself ends so, and that is no error."""
    assert Child(says_and_leaves).wait(LIMIT) == ["last word"]


def test_code_that_it_calls_may_not_leave_by_sys_exit() -> None:
    """When other code calls sys.exit, that is told with its place: a program was to go on."""
    with pytest.raises(ChildFailed, match=r"leaves\.py:2: SystemExit: 3"):
        Child(calls, "def leave():\n raise SystemExit(3)\nleave()").wait(LIMIT)


def test_one_that_does_not_end_tells_where_it_stands() -> None:
    """When its limit is over the text names file and line at which it waits."""
    with pytest.raises(Expired, match=r"^test_children\.py:\d+: it did not return in time: waited"):
        Child(waits_for_ever).wait(1.0)


def test_it_ends_with_the_block() -> None:
    """A child that still runs is gone when its block ends."""
    with children() as start:
        (pid,) = start(waits_for_ever).wait_for(bool, what="the child's id")
        process = psutil.Process(pid)

    assert not is_running(process)


def test_it_does_not_outlive_a_killed_test(repository: Path) -> None:
    """When the process that started it is killed, nobody closes a child: it ends by itself."""
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_CHILD],
        cwd=repository,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    process = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.communicate()

    wait_until(lambda: not is_running(process), limit=LIMIT, what="the child to end")
