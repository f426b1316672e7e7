"""Run work in a thread beside a test, and keep the error that ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kafkalab.waiting import wait_until

# Seconds for what takes milliseconds on an idle machine.
THREAD_LIMIT = 30.0
# Seconds after which a repetition ends; every test ends earlier.
REPEAT_LIMIT = 120.0


class InThread:
    """A function that runs in a thread, so that a test can go on beside it."""

    def __init__(self, work: Callable[..., object], *arguments: object) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work, *arguments), daemon=True)
        self._thread.start()

    def error(self) -> BaseException | None:
        """What it raised, once it has ended; None if it returned.

        Raises:
            Expired: it did not end within THREAD_LIMIT.
        """
        wait_until(lambda: not self._thread.is_alive(), limit=THREAD_LIMIT, what="the thread's end")
        return self._error

    def wait_until(self, is_so: Callable[[], bool], *, limit: float, what: str) -> None:
        """Wait for something that the thread does; stop waiting if the thread ends before.

        Raises:
            Expired: it did not happen within the limit, in seconds.
            Exception: what the thread raised.
            AssertionError: the thread ended, and it had not happened.
        """
        wait_until(lambda: is_so() or not self._thread.is_alive(), limit=limit, what=what)
        if not is_so():
            if self._error is not None:
                raise self._error
            raise AssertionError(f"it ended, and there was no sign of {what}")

    def _run(self, work: Callable[..., object], *arguments: object) -> None:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - error() returns it
            self._error = error


@contextmanager
def repeated(action: Callable[[], object], *, every: float, what: str) -> Iterator[None]:
    """Repeat an action in the background, as long as the block runs.

    Args:
        action: what to repeat.
        every: seconds between two times.
        what: a name for it, for an error's text.

    Raises:
        Exception: what the action raised, if the block itself raised nothing.
    """
    done = threading.Event()

    def act() -> bool:
        action()
        return done.is_set()

    thread = InThread(
        lambda: wait_until(act, limit=REPEAT_LIMIT, what=f"the end of {what}", interval=every)
    )
    try:
        yield
    finally:
        done.set()
        error = thread.error()
    if error is not None:
        raise error
