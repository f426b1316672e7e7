"""A broker that runs as long as a command needs it, and ends however the command ends."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

from kafkalab.brokers.choose import choose
from kafkalab.cli import output
from kafkalab.cli.setup import Bar
from kafkalab.config import Settings
from kafkalab.warm import WarmBroker


@contextlib.contextmanager
def warmed(settings: Settings) -> Iterator[WarmBroker]:
    """Start a broker in the background, for the block.

    Raises:
        BrokerError: no Kafka can be started or reached.
    """
    backend, _ = choose(settings)
    with Bar() as bar:
        backend.prepare(bar)
    warm = WarmBroker(backend, settings)
    try:
        yield warm
    finally:
        with undisturbed():
            warm.close(output.line)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C in the block: it cleans up, which is short, and must be done completely."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """On SIGTERM or SIGHUP, end the block as if it ended by itself.

    Raises:
        SystemExit: with 128 plus the signal's number, as in shells.
    """

    def end(number: int, _: object) -> None:
        for each in before:
            # A second signal must not stop the cleaning up at the block's end.
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before: dict[int, Any] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
