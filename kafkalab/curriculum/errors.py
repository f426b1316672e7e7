"""What goes wrong when a curriculum is read."""

from __future__ import annotations

from kafkalab.config import BadInput


class BadManifest(BadInput):
    """A manifest, or a file that belongs to it, cannot be read; the text says where and why."""
