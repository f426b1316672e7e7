"""The next offset of each tailed partition, which one thread moves and others change."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kafkalab.contracts import Place


class Positions:
    """Where the tail stands in each of its partitions.

    What a client has read may arrive after the positions were changed: it moves no partition that
    the client was not told of since. Nothing here locks: its owner does.
    """

    def __init__(self) -> None:
        self._next: dict[Place, int] = {}
        self._untold: set[Place] = set()
        self._is_changed = False
        self._is_client_old = False

    @property
    def places(self) -> Collection[Place]:
        """The tailed partitions."""
        return self._next.keys()

    @property
    def is_client_old(self) -> bool:
        """Whether the tail needs a new client."""
        return self._is_client_old

    def tail(self, starts: Mapping[Place, int | None]) -> dict[Place, int]:
        """Tail these partitions, too; one that is tailed already stays where it is.

        Args:
            starts: the offset to begin with, for each partition; None if it is not known.

        Returns:
            The next offset of each of them that is tailed now.
        """
        for place, start in starts.items():
            if start is not None and place not in self._next:
                self._next[place] = start
                self._untold.add(place)
                self._is_changed = True
        return {place: self._next[place] for place in starts if place in self._next}

    def leave(self, places: Collection[Place]) -> None:
        """Tail these partitions no more."""
        for place in places:
            del self._next[place]
            self._untold.discard(place)
        self._is_changed |= bool(places)

    def lose(self, places: Collection[Place]) -> None:
        """Tail these partitions no more, since their topics are deleted: the client is old then.

        A topic that is created again has leader epochs lower than those that the client has seen.
        """
        self.leave(places)
        self._is_client_old |= bool(places)

    def with_new_client(self) -> None:
        """Begin with a new client, to which nothing is assigned."""
        self._is_changed, self._is_client_old = True, False

    def changed(self) -> dict[Place, int] | None:
        """The next offset of each partition, for the client; None if it has these already."""
        is_changed, self._is_changed = self._is_changed, False
        self._untold.clear()
        return dict(self._next) if is_changed else None

    def go_on(self, reached: Mapping[Place, int]) -> dict[Place, int]:
        """Go on to these offsets.

        Returns:
            The offset before, for each partition that went on. What an old client read, what lies
            behind a partition's position, or in a partition that the client was not told of
            since it is tailed, moves nothing.
        """
        if self._is_client_old:
            return {}
        before = {
            place: self._next[place]
            for place, end in reached.items()
            if place not in self._untold and end > self._next.get(place, end)
        }
        self._next.update((place, reached[place]) for place in before)
        return before
