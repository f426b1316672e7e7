"""The ledger: which runs of this user may have made something in a cluster that outlives them.

A topic's name does not show who made it: anyone may use a name of the same shape, and
a topic cannot carry a mark. So each run enters itself in the ledger, as a file in the cache
folder, before it makes anything in a cluster. When all of it is deleted, the file is, too.
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
    """One run in a cluster; its name is the prefix of all names that the run makes there."""

    cluster: str
    """the cluster's id"""


class Ledger:
    """The entries in a cache folder."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self._folder = cache / "clusters"

    def enter(self, prefix: str, owner: Owner, cluster: str) -> None:
        """Record that a run may make something in a cluster from now on.

        Raises:
            CacheNotWritable: the entry cannot be written.
        """
        try:
            make_folder(self._folder)
            Entry(name=prefix, owner=owner, cluster=cluster).write(self._file(prefix))
        except OSError as error:
            raise cache_not_writable(self.cache, error) from error

    def entry(self, prefix: str) -> Entry | None:
        """The entry of a run; None if there is none, or if another user could have written it."""
        file = self._file(prefix)
        is_ours = is_safe(self._folder) and is_safe(file)
        return read_mark(file, Entry, prefix) if is_ours else None

    def __iter__(self) -> Iterator[Entry]:
        prefixes = [f"{path.stem}-" for path in sorted(self._folder.glob("*.json"))]
        return (entry for prefix in prefixes if (entry := self.entry(prefix)) is not None)

    def strike_out(self, prefix: str) -> None:
        """Delete the entry of a run: nothing of it is left in its cluster."""
        if self.entry(prefix) is not None:
            self._file(prefix).unlink(missing_ok=True)

    def _file(self, prefix: str) -> Path:
        return self._folder / f"{prefix.removesuffix('-')}.json"
