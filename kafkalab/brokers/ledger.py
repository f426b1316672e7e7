"""What this user's runs have made in clusters that outlive them: a file for each such run.

A topic's name is no mark: anybody may have one of the same shape, and a topic
has no room for a mark of ours. So a run is written down in the cache folder
before it makes anything in a cluster, and struck out when all of it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kafkalab.brokers.cache import cache_not_writable, is_safe, make_folder
from kafkalab.brokers.marks import Mark, read_mark
from kafkalab.brokers.owner import Owner


@dataclass(frozen=True, kw_only=True)
class Entry(Mark):
    """One run in a cluster; its name is what the names of all that it makes there begin with."""

    cluster: str
    """the id that the cluster tells of itself"""


class Ledger:
    """The entries in a cache folder."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._folder = cache / "clusters"

    def enter(self, prefix: str, owner: Owner, cluster: str) -> None:
        """Write down that a run may make something in a cluster from now on.

        Raises:
            CacheNotWritable: that failed.
        """
        try:
            make_folder(self._folder)
            Entry(name=prefix, owner=owner, cluster=cluster).write(self._file(prefix))
        except OSError as error:
            raise cache_not_writable(self.cache, error) from error

    def entry(self, prefix: str) -> Entry | None:
        """What was written down of a run; None where nothing was, or where others could have."""
        file = self._file(prefix)
        is_ours = is_safe(self._folder) and is_safe(file)
        return read_mark(file, Entry, prefix) if is_ours else None

    def __iter__(self) -> Iterator[Entry]:
        prefixes = [f"{path.stem}-" for path in sorted(self._folder.glob("*.json"))]
        return (entry for prefix in prefixes if (entry := self.entry(prefix)) is not None)

    def strike_out(self, prefix: str) -> None:
        """Forget a run: nothing of it is left in its cluster."""
        if self.entry(prefix) is not None:
            self._file(prefix).unlink(missing_ok=True)

    def _file(self, prefix: str) -> Path:
        return self._folder / f"{prefix.removesuffix('-')}.json"
