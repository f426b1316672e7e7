"""A process forked from this one that may do anything, and is over when its limit is over.

It says what it has to say line by line. In the end it is gone, and so is all that it has
started. On Linux that holds for what has lost its parent too, as it can be adopted; elsewhere
nobody finds it.
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

# Between two looks at a process that says nothing.
LOOK_EVERY = 0.05
# Who prints more than this has lost control of it; a disk is full soon.
MOST_PRINTED = 100_000_000
# Seconds within which Python writes down where it stands, also while it runs no Python code.
STACK_LIMIT = 2.0

# Of Linux's prctl(2).
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)$')
"""a line of faulthandler's"""

STACK_SIGNAL = signal.SIGUSR2
"""has a process that listens to it write down where it stands"""


class Frame(NamedTuple):
    """A function that has not returned."""

    file: Path
    line: int
    function: str


class Mouth:
    """Says something to the process that this one was forked from."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._owner = os.getpid()

    def say(self, **data: Any) -> None:
        """Say something that JSON knows."""
        if os.getpid() != self._owner:
            # Code that forks goes on twice: the second must not tell, or tidy up, once more.
            os._exit(0)
        line = json.dumps(data, default=repr).encode() + b"\n"
        while line:
            line = line[os.write(self._pipe, line) :]


class Offspring:
    """A forked process, and what it has started."""

    def __init__(self, main: Callable[[Mouth], None]) -> None:
        """Fork it.

        Args:
            main: what it does; it ends where that returns.
        """
        self.why_ended = ""
        """why it ended, or was ended, before it was done; else empty"""
        self.is_late = False
        """whether it was ended as its limit had passed"""
        self._folder = tempfile.TemporaryDirectory(prefix="kafkalab-", ignore_cleanup_errors=True)
        self._stacks: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - see end()
        self._stacks_seen = 0
        self._is_alive = True
        self._others = set(psutil.Process().children(recursive=True))
        self._printed = _printed()
        self._ear, mouth = os.pipe()
        # What is in these buffers would be written twice.
        sys.stdout.flush()
        sys.stderr.flush()
        # What a signal raises in the middle of a fork Python passes over, Ctrl-C too: it waits
        # until somebody listens, who will end the process.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._pid = _fork()
        if self._pid == 0:
            self._live(main, mouth)
        os.close(mouth)

    def _live(self, main: Callable[[Mouth], None], mouth: int) -> NoReturn:
        status, leave = 1, os._exit
        try:
            os.close(self._ear)
            # What the parent's objects hold, such as sockets and threads of a client, is not here.
            gc.freeze()
            _end_with(os.getppid())
            _let_it_be_killed_first()
            # It is the parent's to end at Ctrl-C, which ends this process too. A handler, since
            # to ignore a signal is passed on to all programs that are started.
            signal.signal(signal.SIGINT, lambda *_: None)
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            faulthandler.enable(self._stacks)
            faulthandler.register(STACK_SIGNAL, self._stacks)
            _tell_where_it_exits(self._stacks)
            tempfile.tempdir = os.environ["TMPDIR"] = self._folder.name
            main(Mouth(mouth))
            status = 0
        finally:
            leave(status)

    def said(self, limit: float) -> Iterator[dict[str, Any]]:
        """What it says, as it says it, until it is done or `why_ended`.

        It is not limited any longer once it has said `unlimited`. It is done where it has said
        `done`.

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
        """Whether the process has ended by itself; then how is known."""
        if not self._is_alive:
            return True
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"
            self.why_ended = f"its process ended {how}, in the middle of it"
            self._is_alive = False
        return not self._is_alive

    def stacks(self) -> list[list[Frame]]:
        """Where each of its threads stands, or stood when it ended, the innermost frame first."""
        with contextlib.suppress(ProcessLookupError, Expired):
            if self._is_alive:
                os.kill(self._pid, STACK_SIGNAL)
                # One that was stopped hears of nothing.
                os.kill(self._pid, signal.SIGCONT)
                wait_until(self._stacks_are_whole, limit=STACK_LIMIT, what="the stacks")
        return stacks_in(self._said_of_stacks())

    def _stacks_are_whole(self) -> bool:
        # Written piece by piece, they are whole when nothing more came since the last look.
        before, self._stacks_seen = self._stacks_seen, len(self._said_of_stacks())
        return 0 < before == self._stacks_seen

    def _said_of_stacks(self) -> bytes:
        return os.pread(self._stacks.fileno(), 1_000_000, 0)

    def end(self) -> None:
        """End it, and all that it has started; all are gone on return."""
        if self._is_alive:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        with contextlib.suppress(Expired):
            wait_until(self._killed, limit=END_LIMIT, what="processes to end")
        os.close(self._ear)
        self._stacks.close()
        self._folder.cleanup()

    def _killed(self) -> bool:
        """Kill what runs; whether nothing did. Who is killed may have started others meanwhile."""
        left = set(psutil.Process().children(recursive=True)) - self._others
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in left:
            # Only children can be waited for, and adopted ones are.
            with contextlib.suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
                process.wait(LOOK_EVERY)
        return not left


def stacks_in(said: bytes) -> list[list[Frame]]:
    """The stacks that faulthandler wrote down, one for each thread, the innermost frame first."""
    threads: list[list[Frame]] = [[]]
    for line in said.decode("utf-8", "replace").splitlines():
        if found := FRAME.match(line):
            threads[-1].append(Frame(Path(found["file"]), int(found["line"]), found["function"]))
        else:
            threads.append([])
    return [each for each in threads if each]


@contextlib.contextmanager
def orphans_adopted() -> Iterator[None]:
    """Become, as long as the block runs, the parent of processes below this one that lose theirs.

    On Linux; elsewhere nothing happens.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, 0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Threads of this process do nothing that the child needs, and it has none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _printed() -> int:
    """How many bytes were printed, where it goes into a file, as with pytest's capture."""
    known = {}
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                known[found.st_dev, found.st_ino] = found.st_size
    return sum(known.values())


def _tell_where_it_exits(stacks: IO[bytes]) -> None:
    """Have `os._exit`, as others call it in this process, write down the stack before it ends."""
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
    """Where memory runs out, this process is to go, and not the broker."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "utf-8")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
