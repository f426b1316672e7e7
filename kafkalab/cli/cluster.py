"""Turns an error of Kafka into the one line that a command prints."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from confluent_kafka import KafkaError, KafkaException

from kafkalab.brokers.cluster import refused
from kafkalab.cli import output


@contextlib.contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn what Kafka refuses in the block into an error of one line.

    A closed output pipe is no error: the command ends.

    Args:
        what: what was tried, as in "to read orders".

    Raises:
        BrokerError: Kafka refused it, or does not answer.
        SystemExit: the program that read the output has ended.
    """
    try:
        yield
    except KafkaException as error:
        raise refused(what, error.args[0]) from error
    except KafkaError as error:  # type: ignore[misc]  # its stubs call it no exception
        # If a callback raises a KafkaException, the client's call raises the KafkaError in it.
        raise refused(what, error) from error
    except BrokenPipeError:
        output.end_with_the_pipe()
