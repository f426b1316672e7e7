"""A consumer that reports all its commits: those of its code, and the automatic ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

OnCommit = Callable[[KafkaError | None, Sequence[TopicPartition]], None]
"""Called for each commit that has ended: the error if all was refused, and the known offsets."""


class CommitsTold(Consumer):
    """A consumer that reports each commit when it has ended.

    The client itself calls `on_commit` for asynchronous and automatic commits, in
    `poll()` and `close()`. It does not for synchronous ones: they return, or raise.
    """

    def __init__(self, config: Mapping[str, Any], on_commit: OnCommit) -> None:
        super().__init__({**config, "on_commit": on_commit})
        self._on_commit = on_commit

    def commit(self, *args: Any, **given: Any) -> Any:
        """Commit as the client does, and report a synchronous commit."""
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
    """The offsets that a call of `commit` names; empty if it means the client's position."""
    if message is not None:
        place = message.topic() or "", message.partition() or 0
        return [TopicPartition(*place, (message.offset() or 0) + 1)]
    return offsets or []
