"""A process forked from this one that may do anything, and that ends at its limit at the latest.

It sends its messages line by line. At the end it is gone, with all processes that it has
started. On Linux this includes processes that lost their parent, as this process adopts them;
on other systems they cannot be found.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import json
import os
import re
import selectors
import signal
import stat
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import psutil

from kafkalab.brokers.processes import END_LIMIT
from kafkalab.waiting import Expired, wait_until

# Seconds between two checks of a process that sends nothing.
LOOK_EVERY = 0.05
# Bytes. Code that prints more is out of control, and would soon fill the disk.
MOST_PRINTED = 100_000_000
# Seconds within which faulthandler writes the stacks, even while no Python code runs.
STACK_LIMIT = 2.0

# Options of Linux's prctl(2).
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)$')
"""a line of faulthandler's output"""

STACK_SIGNAL = signal.SIGUSR2
"""the signal at which the forked process writes its stacks"""


class Frame(NamedTuple):
    """A function that has not returned."""

    file: Path
    line: int
    function: str


class Mouth:
    """Sends messages to the parent process."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._owner = os.getpid()

    def say(self, **data: Any) -> None:
        """Send data that JSON can hold."""
        if os.getpid() != self._owner:
            # If the code forked, its copy comes here, too. It must not report or clean up again.
            os._exit(0)
        line = json.dumps(data, default=repr).encode() + b"\n"
        while line:
            line = line[os.write(self._pipe, line) :]


class Offspring:
    """A forked process, and all processes that it has started."""

    def __init__(self, main: Callable[[Mouth], None]) -> None:
        """Fork the process.

        Args:
            main: runs in the process, which ends when `main` returns.
        """
        self.why_ended = ""
        """why the process ended, or is to be ended, before it was done; else empty"""
        self.is_late = False
        """whether the process ran longer than its limit"""
        self.ended_itself = ""
        """how the process ended by itself, such as "with exit status 0"; else empty"""
        self._folder = tempfile.TemporaryDirectory(prefix="kafkalab-", ignore_cleanup_errors=True)
        self._stacks: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - see end()
        self._stacks_seen = 0
        self._is_alive = True
        self._others = set(psutil.Process().children(recursive=True))
        self._printed = _printed()
        self._ear, mouth = os.pipe()
        # Without this, both processes would write the content of these buffers.
        sys.stdout.flush()
        sys.stderr.flush()
        # Python loses an exception that a signal raises during a fork, also that of Ctrl-C. So
        # SIGINT is blocked until `said` runs, whose caller ends the process.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._pid = _fork()
        if self._pid == 0:
            self._live(main, mouth)
        os.close(mouth)

    def _live(self, main: Callable[[Mouth], None], mouth: int) -> NoReturn:
        status, leave = 1, os._exit
        try:
            os.close(self._ear)
            # The parent's objects must not be destroyed here: the threads of a client, for
            # example, do not exist in this process.
            gc.freeze()
            _end_with(os.getppid())
            _let_it_be_killed_first()
            # At Ctrl-C the parent ends, and ends this process. This sets a handler and does not
            # ignore the signal, since programs started from here would inherit "ignored".
            signal.signal(signal.SIGINT, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            faulthandler.enable(self._stacks)
            faulthandler.register(STACK_SIGNAL, self._stacks)
            tell_where_it_exits(self._stacks.fileno())
            tempfile.tempdir = os.environ["TMPDIR"] = self._folder.name
            main(Mouth(mouth))
            status = 0
        finally:
            leave(status)

    def said(self, limit: float) -> Iterator[dict[str, Any]]:
        """Yield each message as it comes, until the process is done or has a `why_ended`.

        The message `unlimited` lifts the limit. After the message `done` the process is done.

        Args:
            limit: seconds from now.
        """
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        ends, rest = time.monotonic() + limit, b""
        with selectors.DefaultSelector() as ear:
            ear.register(self._ear, selectors.EVENT_READ)
            while True:
                is_dead = self._look()
                has_said = ear.select(0 if is_dead else LOOK_EVERY)
                heard = os.read(self._ear, 65536) if has_said else b""
                *lines, rest = (rest + heard).split(b"\n")
                for line in lines:
                    data = json.loads(line)
                    if data.get("unlimited"):
                        ends = float("inf")
                    yield data
                    if data.get("done"):
                        # By now it may have ended, which is no early end.
                        self.why_ended = self.ended_itself = ""
                        return
                if is_dead and not heard:
                    return
                if time.monotonic() > ends:
                    self.is_late = True
                    self.why_ended = f"it was ended after {limit:.0f} s"
                    return
                if _printed() - self._printed > MOST_PRINTED:
                    self.why_ended = f"it printed more than {MOST_PRINTED // 1_000_000} MB"
                    return

    def _look(self) -> bool:
        """Whether the process has ended by itself; if so, `why_ended` is set."""
        if not self._is_alive:
            return True
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
            self.ended_itself = how
            self.why_ended = f"its process ended {how}, before the test was over"
            self._is_alive = False
        return not self._is_alive

    def stacks(self) -> list[list[Frame]]:
        """The stacks of all threads, now or at the process's end, innermost frame first."""
        with contextlib.suppress(ProcessLookupError, Expired):
            if self._is_alive:
                os.kill(self._pid, STACK_SIGNAL)
                # A stopped process does not react to signals.
                os.kill(self._pid, signal.SIGCONT)
                wait_until(self._stacks_are_whole, limit=STACK_LIMIT, what="the stacks")
        return stacks_in(self._said_of_stacks())

    def _stacks_are_whole(self) -> bool:
        # They are written piece by piece: complete if nothing was added since the last check.
        before, self._stacks_seen = self._stacks_seen, len(self._said_of_stacks())
        return 0 < before == self._stacks_seen

    def _said_of_stacks(self) -> bytes:
        return os.pread(self._stacks.fileno(), 1_000_000, 0)

    def end(self) -> None:
        """Kill the process and all that it has started; all are gone on return."""
        if self._is_alive:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        with contextlib.suppress(Expired):
            wait_until(self._killed, limit=END_LIMIT, what="processes to end")
        os.close(self._ear)
        self._stacks.close()
        self._folder.cleanup()

    def _killed(self) -> bool:
        """Kill the processes that run; return whether none ran.

        A process may have started others before it was killed, so call this again and again.
        """
        left = set(psutil.Process().children(recursive=True)) - self._others
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in left:
            # A process can wait only for its children; adopted processes are its children, too.
            with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
                process.wait(LOOK_EVERY)
        return not left


def stacks_in(said: bytes) -> list[list[Frame]]:
    """The stacks that faulthandler wrote, one for each thread, innermost frame first."""
    threads: list[list[Frame]] = [[]]
    for line in said.decode("utf-8", "replace").splitlines():
        if found := FRAME.match(line):
            threads[-1].append(Frame(Path(found["file"]), int(found["line"]), found["function"]))
        else:
            threads.append([])
    return [each for each in threads if each]


@contextlib.contextmanager
def orphans_adopted() -> Iterator[None]:
    """During the block, become the parent of all descendants that lose their own parent.

    This works on Linux; on other systems it does nothing.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, 0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of a fork while threads run; the child needs none of these threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _printed() -> int:
    """How many bytes were printed, if the output goes to a file, as with pytest's capture."""
    known = {}
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                known[found.st_dev, found.st_ino] = found.st_size
    return sum(known.values())


def tell_where_it_exits(stacks: int) -> None:
    """Have `os._exit` write the stack to a file descriptor before it ends this process."""
    owner, end = os.getpid(), os._exit

    def tell(status: int) -> NoReturn:
        if os.getpid() == owner:
            faulthandler.dump_traceback(stacks, all_threads=False)
        end(status)

    os._exit = tell


def _end_with(parent: int) -> None:
    """Have this process killed when its parent ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _let_it_be_killed_first() -> None:
    """If memory runs out, let the kernel kill this process and not the broker."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "utf-8")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
