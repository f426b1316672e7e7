"""What each task asks for, apart from its answer: types, errors, settings and signatures.

One module for each task, of the name that its component has: `topics.py` is written
to `kafkalab.contracts.topics`. What a module defines is given: import it from there.
Its last class is a Protocol of the module's own name; it lists what the component has
to offer, and says of each function what it must do. Whoever keeps to it passes the
facts about the component. The reference answers are in `kafkalab/tasks/`.

A component imports its contract and the client. Where it has to wait for something, it may
do so by `kafkalab.waiting.wait_until`; what it raises is its contract's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ClientConfig = Mapping[str, Any]
"""Properties of a client, in librdkafka's names; `bootstrap.servers` at least."""

Place = tuple[str, int]
"""A topic and one of its partitions."""


class BrokenContract(AssertionError):
    """A component does not offer what its task asks for; it refutes the component facts."""
