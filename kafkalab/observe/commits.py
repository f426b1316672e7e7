"""A consumer that tells of its commits, whoever makes them: its own code, or its clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

OnCommit = Callable[[KafkaError | None, Sequence[TopicPartition]], None]
"""Told of an answer: the error, if all was refused, and the offsets, as far as they are known."""


class CommitsTold(Consumer):
    """A consumer that tells of each commit when it was answered.

    The client itself tells of those that nobody waits for, its clock's among
    them, out of `poll()` and `close()`. Of those that are waited for it does not:
    they return, or raise.
    """

    def __init__(self, config: Mapping[str, Any], on_commit: OnCommit) -> None:
        super().__init__({**config, "on_commit": on_commit})
        self._on_commit = on_commit

    def commit(self, *args: Any, **given: Any) -> Any:
        """As the client's."""
        try:
            answered = super().commit(*args, **given)
        except KafkaException as refused:
            self._on_commit(refused.args[0], _asked(*args, **given))
            raise
        if answered is not None:
            self._on_commit(None, answered)
        return answered


def _asked(
    message: Message | None = None,
    offsets: Sequence[TopicPartition] | None = None,
    asynchronous: bool = True,  # noqa: ARG001 - as the client's own
) -> Sequence[TopicPartition]:
    """The offsets that a call of `commit` names; none where the client's own are meant."""
    if message is not None:
        place = message.topic() or "", message.partition() or 0
        return [TopicPartition(*place, (message.offset() or 0) + 1)]
    return offsets or []
