"""The state of a live lab, read from its folder in the cache: what it is, and whether it is up.

This module loads fast: code that only looks for the lab needs no other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kafkalab.brokers.cache import is_safe
from kafkalab.brokers.marks import Mark, read_mark
from kafkalab.brokers.owner import Owner
from kafkalab.brokers.properties import lab_settings

if TYPE_CHECKING:
    from docker.models.containers import Container

    from kafkalab.brokers import Backend, Broker

MARK = "lab.json"
STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class LabMark(Mark):
    """The mark in a lab's folder; its name is the folder's, its owner the starting process."""

    backend: str
    """the backend that started its nodes: embedded or container"""
    version: str
    """the version of Apache Kafka, as in 4.4.0"""
    image: str
    """the image of its containers; empty if it has none"""
    brokers: int
    settings: str
    """the digest of the lab's settings"""
    data: str
    """the folder that keeps its data; empty if the data is deleted with the lab"""
    began: float
    """seconds since the epoch"""


@dataclass(frozen=True)
class LiveLab:
    """A lab, read from its folder."""

    folder: Path
    mark: LabMark
    broker: Mapping[str, Any]
    """the broker's state"""
    owners: tuple[Owner, ...]
    """the processes of its nodes; empty if they are containers"""

    @property
    def ports(self) -> tuple[int, ...]:
        """For clients, one for each node in the order of their ids."""
        return tuple(row["port"] for row in self.broker["nodes"])

    @property
    def is_here(self) -> bool:
        """Whether it is a lab of this machine: several machines may share a cache folder."""
        return self.mark.owner.machine.is_here()

    def running(self) -> int:
        """How many of its nodes run."""
        if self.mark.backend == "embedded":
            return sum(owner.is_known_to_be_alive() for owner in self.owners)
        return len(_running_containers(self.mark.name)) if self.is_here else 0

    def why_unfit(self, version: str, image: str) -> str:
        """Why a run cannot use it; empty if it can.

        Args:
            version: the Kafka that the run would start.
            image: the image in the run's settings; empty if they name none.
        """
        mark = self.mark
        if mark.version != version:
            return f"it is Kafka {mark.version}, not {version}"
        if image and mark.image != image:
            return f"it does not run in a container of {image}"
        if mark.settings != digest_of_settings(version):
            return "another kafkalab has started it, with other settings"
        if mark.brokers != 1:
            return f"it has {mark.brokers} brokers, and facts are stated for one"
        return ""

    def attached(self, starter: Backend) -> Broker:
        """Attach to its broker.

        A node that has ended gets no process: another process may have the same id by now.
        """
        living = {owner.pid for owner in self.owners if owner.is_known_to_be_alive()}
        nodes = [
            {**row, "pid": row["pid"] if row["pid"] in living else None} if "pid" in row else row
            for row in self.broker["nodes"]
        ]
        return starter.attach({**self.broker, "nodes": nodes})


def folder_of_labs(cache: Path) -> Path:
    """The folder that contains a folder for each lab."""
    return cache / "labs"


def labs_of(cache: Path) -> Iterator[LiveLab]:
    """All labs that have been ready, also ended ones and those of other machines."""
    with contextlib.suppress(OSError):
        for folder in sorted(folder_of_labs(cache).iterdir()):
            if (lab := _lab_at(folder)) is not None:
                yield lab


def lab_that_is_up(cache: Path) -> LiveLab | None:
    """The lab that is up on this machine; None if there is none."""
    return next((lab for lab in labs_of(cache) if lab.is_here and lab.running()), None)


def digest_of_settings(version: str) -> str:
    """A digest of the lab settings of this kafkalab, to notice labs with other settings."""
    rows = sorted(lab_settings(version).items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def _lab_at(folder: Path) -> LiveLab | None:
    """The lab in a folder; None if there is none, it was never ready, or others could change it."""
    mark = None if folder.is_symlink() else read_mark(folder / MARK, LabMark, folder.name)
    if mark is None or not is_safe(folder) or not is_safe(folder / STATE):
        return None
    import msgspec

    try:
        state = json.loads((folder / STATE).read_text("utf-8"))
        owners = msgspec.convert(state["owners"], tuple[Owner, ...])
        lab = LiveLab(folder, mark, state["broker"], owners)
        return lab if lab.ports else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _running_containers(lab: str) -> list[Container]:
    from kafkalab.brokers.engine import RUN_LABEL, find_engine

    client = find_engine()
    if client is None:
        return []
    return client.containers.list(filters={"label": f"{RUN_LABEL}={lab}"})
