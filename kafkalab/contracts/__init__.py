"""The contract of each task, without the answer: types, errors, settings and signatures.

Each task has one module here, with the name of its component: `topics.py` keeps the contract
`kafkalab.contracts.topics`. What a module defines is given: import it from there. Its last
class is a Protocol with the module's own name. It lists what the component has to offer, and
says what each function must do. A component that keeps all of it passes the facts about the
component. The reference answers are in `kafkalab/tasks/`.

A component imports its contract and the client. To wait for something, it may use
`kafkalab.waiting.wait_until`. It raises the errors that its contract names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ClientConfig = Mapping[str, Any]
"""Properties of a client, by librdkafka's names; at least `bootstrap.servers`."""

Place = tuple[str, int]
"""A topic and one of its partitions."""


class BrokenContract(AssertionError):
    """A component does not offer what its contract demands; this refutes the component facts."""
