"""Processes of a test's own, for what only a process can do: die.

A crash in a lesson is a process that is killed, with all that it had in memory.
A consumer that is merely forgotten goes on sending heartbeats.
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
from kafkalab.offspring import STACK_LIMIT, STACK_SIGNAL, stacks_in
from kafkalab.unwritten import as_unwritten
from kafkalab.waiting import Expired, wait_until

# Seconds that pass at most between two lines in which Python says where it stands.
STACK_PAUSE = 0.5

# A child is forked in 20 ms from a server that is ready after half a second.
CHILD_LIMIT = 30.0

Say = Callable[[object], None]
"""Tells the parent something, at once: what was said is known even if the next line kills."""

# Its children are forked from a process that has no clients, so they inherit no client's threads.
_context = multiprocessing.get_context("forkserver")
_loaded_there = ["confluent_kafka", "pytest", "kafkalab.observe.delivery_bench"]


def load_once(*modules: str) -> None:
    """Name what programs use: it is loaded where they are forked from, and not in each of them.

    It counts where it is said before the first child of this process starts.
    """
    _loaded_there.extend(each for each in modules if each not in _loaded_there)
    _context.set_forkserver_preload(_loaded_there)


load_once()


class ChildFailed(AssertionError):
    """The program raised something; the text says what, and where."""


class Child:
    """A process that runs a function, and what it said."""

    def __init__(self, program: Callable[..., None], *arguments: object) -> None:
        """Start it.

        Args:
            program: a function of a module, called with Say and the arguments.
            arguments: anything that pickles.
        """
        self._ear, mouth = _context.Pipe(duplex=False)
        self._stacks, pen = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=_run, args=(program, mouth, pen, *arguments), name=program.__name__, daemon=True
        )
        self._process.start()
        mouth.close()
        pen.close()
        self._said: list[Any] = []

    def said(self) -> list[Any]:
        """All that it has said until now.

        Raises:
            ChildFailed: it raised something.
        """
        # The end of the pipe is the end of the process.
        with contextlib.suppress(EOFError, OSError):
            while self._ear.poll():
                self._said.append(self._ear.recv())
        for failure in self._said:
            if isinstance(failure, ChildFailed):
                raise failure
        return self._said

    def wait(self, limit: float = CHILD_LIMIT) -> list[Any]:
        """Wait until it has ended by itself; return all that it said.

        Raises:
            ChildFailed: it raised something.
            Expired: it did not end within the limit, in seconds; the text says where it stands.
        """
        try:
            wait_until(
                lambda: (self.said(), self._process.exitcode)[1],
                lambda code: code is not None,
                limit=limit,
                what=f"the process of {self._process.name} to end",
            )
        except Expired as error:
            raise Expired(f"{self._stands_in()}{error}") from None
        return self.said()

    def _stands_in(self) -> str:
        """Where code that is not kafkalab's has not returned in it: file and line, or nothing."""
        os.kill(self._process.pid or 0, STACK_SIGNAL)
        told = b""
        while self._stacks.poll(STACK_PAUSE if told else STACK_LIMIT):
            if not (more := os.read(self._stacks.fileno(), 65536)):
                break
            told += more
        for stack in stacks_in(told):
            for file, line, _ in stack:
                if not _is_pythons(str(file)) and not file.is_relative_to(PACKAGE):
                    return f"{file.name}:{line}: it did not return in time: "
        return ""

    def wait_for(self, enough: Callable[[list[Any]], bool], what: str) -> list[Any]:
        """Wait until it has said enough.

        Raises:
            Expired: it did not within CHILD_LIMIT.
        """
        return wait_until(self.said, enough, limit=CHILD_LIMIT, what=what)

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, so that it could do nothing more."""
        return self._process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); it is gone on return."""
        self._process.kill()
        self._process.join(CHILD_LIMIT)


def crash() -> None:
    """End this process as a power cut would: nothing is closed, sent, committed or said."""
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def children() -> Iterator[Callable[..., Child]]:
    """Starts children; those that still run are killed at the end."""
    started: list[Child] = []

    def start(program: Callable[..., None], *arguments: object) -> Child:
        started.append(Child(program, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def _run(program: FunctionType, mouth: Connection, pen: Connection, *arguments: object) -> None:
    faulthandler.register(STACK_SIGNAL, pen.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        program(mouth.send, *arguments)
    except BrokenContract as broken:
        # It names the place in the component, which is not where it was raised.
        mouth.send(ChildFailed(str(broken)))
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        # Python's own files are where it shows, not where it comes from.
        *_, last = [each for each in frames if not _is_pythons(each.filename)] or frames
        if isinstance(error, SystemExit) and last.filename == program.__code__.co_filename:
            # The program itself may end so; code that it calls must not.
            raise
        place = f"{Path(last.filename).name}:{last.lineno}"
        told = f"{type(error).__name__}: {error}"
        if isinstance(error, NotImplementedError):
            *_, (frame, _) = traceback.walk_tb(error.__traceback__)
            told = as_unwritten(error, frame.f_code)
        mouth.send(ChildFailed(f"{place}: {told}"))


def _is_pythons(file: str) -> bool:
    return Path(file).is_relative_to(sysconfig.get_path("stdlib")) and "site-packages" not in file


def _end_with_parent() -> None:
    """When a test's own process is killed nobody closes its children: they would poll for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        crash()
