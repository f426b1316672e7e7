"""Child processes of a test, because only a process can crash.

A crash in a lesson is a killed process: all that it had in memory is lost.
A consumer that is merely no longer referenced goes on sending heartbeats.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FunctionType
from typing import Any

from kafkalab.config import PACKAGE
from kafkalab.contracts import BrokenContract
from kafkalab.offspring import STACK_LIMIT, STACK_SIGNAL, stacks_in, tell_where_it_exits
from kafkalab.unwritten import as_unwritten
from kafkalab.waiting import Expired, wait_until

# Seconds at most between two lines of a stack that Python prints.
STACK_PAUSE = 0.5

# Seconds. A child is forked in 20 ms, from a server that is ready after half a second.
CHILD_LIMIT = 30.0

Say = Callable[[object], None]
"""Sends something to the parent at once: it arrives even if the next line kills the process."""

# It forks children from a process that has no clients, so they inherit no client's threads.
_context = multiprocessing.get_context("forkserver")
_loaded_there = ["confluent_kafka", "pytest", "kafkalab.observe.delivery_bench"]


def load_once(*modules: str) -> None:
    """Import modules once, in the server that forks the children, and not in each child.

    It has an effect only before this process starts its first child.
    """
    _loaded_there.extend(each for each in modules if each not in _loaded_there)
    _context.set_forkserver_preload(_loaded_there)


load_once()


class ChildFailed(AssertionError):
    """The program raised an error; the text says which, and where."""


class Child:
    """A process that runs a function, and what it has sent."""

    def __init__(self, program: Callable[..., None], *arguments: object, **named: object) -> None:
        """Start the process.

        Args:
            program: a function of a module; it is called with Say and the arguments.
            arguments: anything that pickles.
            named: keyword arguments.
        """
        self._ear, mouth = _context.Pipe(duplex=False)
        self._stacks, pen = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=_run,
            args=(program, mouth, pen, arguments, named),
            name=program.__name__,
            daemon=True,
        )
        self._process.start()
        mouth.close()
        pen.close()
        self._said: list[Any] = []

    def said(self) -> list[Any]:
        """All that it has sent until now.

        Raises:
            ChildFailed: it raised an error.
        """
        # The pipe ends when the process ends.
        with contextlib.suppress(EOFError, OSError):
            while self._ear.poll():
                self._said.append(self._ear.recv())
        for failure in self._said:
            if isinstance(failure, ChildFailed):
                raise failure
        return self._said

    def wait(self, limit: float = CHILD_LIMIT) -> list[Any]:
        """Wait until it has ended by itself; return all that it sent.

        Raises:
            ChildFailed: it raised an error, or foreign code in it called `os._exit`.
            Expired: it did not end within the limit, in seconds; the text names the line that
                it is at.
        """
        try:
            wait_until(
                lambda: (self.said(), self._process.exitcode)[1],
                lambda code: code is not None,
                limit=limit,
                what=f"the process of {self._process.name} to end",
            )
        except Expired as error:
            raise Expired(f"{self._hangs_in()}{error}") from None
        if place := self._place():
            file, how = place.partition(":")[0], f"with exit status {self._process.exitcode}"
            raise ChildFailed(f"{place}: {ended_by(file, how)}")
        return self.said()

    def wait_for_crash(self) -> list[Any]:
        """Wait until it has crashed; return all that it sent before.

        Raises:
            ChildFailed: it raised an error, or ended without a crash.
            Expired: it did not end within CHILD_LIMIT.
        """
        said = self.wait()
        if not self.was_killed:
            raise ChildFailed(f"the process ended without its crash; it had sent {said}")
        return said

    def _hangs_in(self) -> str:
        """Name the file and line of foreign code that has not returned in it; empty without one."""
        os.kill(self._process.pid or 0, STACK_SIGNAL)
        place = self._place(STACK_LIMIT)
        return f"{place}: it did not return in time: " if place else ""

    def _place(self, limit: float = 0.0) -> str:
        """File and line of foreign code in the stacks that it writes; empty without one.

        Args:
            limit: seconds to wait for the first line.
        """
        told = b""
        while self._stacks.poll(STACK_PAUSE if told else limit):
            if not (more := os.read(self._stacks.fileno(), 65536)):
                break
            told += more
        for stack in stacks_in(told):
            for file, line, _ in stack:
                if _is_foreign(str(file)):
                    return f"{file.name}:{line}"
        return ""

    def wait_for(self, enough: Callable[[list[Any]], bool], what: str) -> list[Any]:
        """Wait until `enough` accepts what it has sent; return all of that.

        Raises:
            Expired: it did not within CHILD_LIMIT.
        """
        return wait_until(self.said, enough, limit=CHILD_LIMIT, what=what)

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it, so that it could do nothing more."""
        return self._process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); on return it is gone."""
        self._process.kill()
        self._process.join(CHILD_LIMIT)


def ended_by(file: str, how: str) -> str:
    """What to tell a learner whose code ended the process that it runs in.

    Args:
        file: the name of the file.
        how: such as "with exit status 0".
    """
    return f"your {file} ended the process that it runs in, {how}: let it return, or raise an error"


def crash() -> None:
    """End this process as a power cut would: it closes, sends and commits nothing more."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def children() -> Iterator[Callable[..., Child]]:
    """Yield a function that starts children; kill at the end those that still run."""
    started: list[Child] = []

    def start(program: Callable[..., None], *arguments: object, **named: object) -> Child:
        started.append(Child(program, *arguments, **named))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def _run(
    program: FunctionType,
    mouth: Connection,
    pen: Connection,
    arguments: tuple[object, ...],
    named: dict[str, object],
) -> None:
    faulthandler.register(STACK_SIGNAL, pen.fileno())
    tell_where_it_exits(pen.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        program(mouth.send, *arguments, **named)
    except BrokenContract as broken:
        # Its text names the line of the component; the traceback would name the wrapper's.
        mouth.send(ChildFailed(str(broken)))
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        # An error that shows in Python's own files was caused by their caller.
        *_, last = [each for each in frames if not _is_pythons(each.filename)] or frames
        if isinstance(error, SystemExit) and last.filename == program.__code__.co_filename:
            # The program itself may call sys.exit(); code that it calls must not.
            raise
        place = f"{Path(last.filename).name}:{last.lineno}"
        told = f"{type(error).__name__}: {str(error) or 'no message'}"
        if isinstance(error, NotImplementedError):
            *_, (frame, _) = traceback.walk_tb(error.__traceback__)
            told = as_unwritten(error, frame.f_code)
        mouth.send(ChildFailed(f"{place}: {told}"))


def _is_pythons(file: str) -> bool:
    return Path(file).is_relative_to(sysconfig.get_path("stdlib")) and "site-packages" not in file


def _is_foreign(file: str) -> bool:
    """Whether it is neither Python's, nor kafkalab's, nor a string, as the forkserver's start."""
    return not (_is_pythons(file) or Path(file).is_relative_to(PACKAGE) or file.startswith("<"))


def _end_with_parent() -> None:
    """End with the test's process: if that is killed, its children would poll for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        crash()
