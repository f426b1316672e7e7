"""A forked process that may do anything: what is not seen in whole runs (see test_wicked)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from kafkalab.offspring import Offspring

# Its child sends Ctrl-C's signal while Python is still busy with what it does after a fork.
CTRL_C_IN_THE_FORK = """
import os
import signal

from kafkalab.offspring import Offspring

os.register_at_fork(after_in_parent=lambda: [None for _ in range(3_000_000)])


def main(mouth):
    os.kill(os.getppid(), signal.SIGINT)
    mouth.say(done=True)


offspring = Offspring(main)
try:
    list(offspring.said(5))
except KeyboardInterrupt:
    print("heard")
finally:
    offspring.end()
"""


def test_ctrl_c_in_the_middle_of_a_fork_is_heard(repository: Path) -> None:
    """Python passes over what a signal raises while it forks: Ctrl-C waits for its end."""
    ended = subprocess.run(
        [sys.executable, "-c", CTRL_C_IN_THE_FORK],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        # A shell that runs the tests in the background has SIGINT ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )

    assert (ended.stdout, ended.stderr) == ("heard\n", "")


def test_who_is_done_has_not_ended_early() -> None:
    """A process that has ended by the time its last message is read was done before."""
    offspring = Offspring(lambda mouth: mouth.say(answer=1, done=True))
    try:
        # It stays to be waited for by the one who listens.
        os.waitid(os.P_PID, offspring._pid, os.WEXITED | os.WNOWAIT)

        said = list(offspring.said(5))
    finally:
        offspring.end()

    assert said == [{"answer": 1, "done": True}]
    assert (offspring.why_ended, offspring.ended_itself) == ("", "")
