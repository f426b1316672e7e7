"""Let Ctrl-C end a run, even if the Kafka client swallows the signal."""

from __future__ import annotations

from collections.abc import Generator

import pytest


class Interrupts:
    """Hooks of each process that runs facts.

    If a signal arrives during a call of the client, its C extension returns a result with the
    exception still set. Python raises a SystemError for that, and the run would go on.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        return (yield from _interrupted())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        return (yield from _interrupted())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        return (yield from _interrupted())


def _interrupted() -> Generator[None, object, object]:
    """Raise the KeyboardInterrupt that caused a SystemError."""
    try:
        return (yield)
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise
