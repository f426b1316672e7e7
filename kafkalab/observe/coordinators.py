"""What the coordinators of groups say, asked by a client that does not outlive their silence."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.clients import LONGEST_REQUEST
from kafkalab.contracts import ClientConfig

if TYPE_CHECKING:
    from confluent_kafka.admin import ConsumerGroupDescription


class Coordinators:
    """Asks the coordinators of groups. One thread at a time may use it."""

    def __init__(self, config: ClientConfig) -> None:
        """Ask the coordinators of a cluster.

        Args:
            config: the settings of an admin client that reaches the cluster.
        """
        self._config = config
        self._admin: AdminClient | None = None
        self._open = ExitStack()

    def describe(
        self, groups: Sequence[str], limit: float
    ) -> dict[str, ConsumerGroupDescription | KafkaError]:
        """Describe groups; a group has an error in place of its description.

        Args:
            groups: their names.
            limit: seconds for all of them.

        Raises:
            TimeoutError: a coordinator did not answer in time.
        """
        if self._admin is None:
            self._admin = self._open.enter_context(AdminClient(dict(self._config)))
        asked = self._admin.describe_consumer_groups(list(groups), request_timeout=LONGEST_REQUEST)
        if wait(asked.values(), limit).not_done:
            self.close()
            raise TimeoutError(f"no coordinator of a group answered within {limit:g} s")
        return {group: _answer(future) for group, future in asked.items()}

    def close(self) -> None:
        """Close the client; the next question opens another."""
        self._admin = None
        self._open.close()


def _answer(future: Future[ConsumerGroupDescription]) -> ConsumerGroupDescription | KafkaError:
    failure = future.exception()
    if failure is None:
        return future.result()
    if isinstance(failure, KafkaException):
        error: KafkaError = failure.args[0]
        return error
    raise failure
