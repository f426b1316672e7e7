"""A broker that is warm as long as a command needs it, and is ended whatever ends that."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from kafkalab.brokers.choose import choose
from kafkalab.cli import output
from kafkalab.cli.setup import Bar
from kafkalab.config import Settings
from kafkalab.warm import WarmBroker


@contextlib.contextmanager
def warmed(settings: Settings) -> Iterator[WarmBroker]:
    """A broker that begins to start, for the block.

    Raises:
        BrokerError: there is no way to a Kafka.
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
    """Let no Ctrl-C end the block: what is at its end takes a moment, and is to be whole."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
