"""What one thread has read does not undo what another has changed meanwhile."""

from __future__ import annotations

import pytest

from kafkalab.web.positions import Positions

FIRST, SECOND = ("topic", 0), ("topic", 1)


@pytest.fixture
def positions() -> Positions:
    """Two partitions are tailed, and the client has them."""
    made = Positions()
    made.tail({FIRST: 2, SECOND: 5})
    made.with_new_client()
    assert made.changed() == {FIRST: 2, SECOND: 5}
    return made


def test_the_tail_goes_on_from_offset_to_offset(positions: Positions) -> None:
    assert positions.go_on({FIRST: 4}) == {FIRST: 2}
    assert positions.go_on({FIRST: 7, SECOND: 6}) == {FIRST: 4, SECOND: 5}
    assert positions.changed() is None, "the client knows how far it has read"


def test_the_end_that_is_reached_already_is_no_step(positions: Positions) -> None:
    assert positions.go_on({FIRST: 2, SECOND: 5}) == {}


def test_a_partition_that_is_tailed_already_stays_where_it_is(positions: Positions) -> None:
    assert positions.tail({FIRST: 0}) == {FIRST: 2}
    assert positions.changed() is None


def test_what_an_old_client_read_moves_nothing(positions: Positions) -> None:
    """A topic was made anew: the old client may still tell the end of the one before."""
    positions.lose([FIRST])
    positions.tail({FIRST: 0})

    assert positions.is_client_old
    assert positions.go_on({FIRST: 2, SECOND: 9}) == {}

    positions.with_new_client()
    assert not positions.is_client_old
    assert positions.changed() == {FIRST: 0, SECOND: 5}
    assert positions.go_on({FIRST: 2}) == {FIRST: 0}


def test_what_lies_behind_is_not_read_twice(positions: Positions) -> None:
    """A page was loaded again: its new stream begins further on than the one before had read."""
    positions.leave([FIRST])
    positions.tail({FIRST: 8})

    assert positions.changed() == {FIRST: 8, SECOND: 5}
    assert positions.go_on({FIRST: 6}) == {}
    assert positions.go_on({FIRST: 9}) == {FIRST: 8}


def test_what_was_read_before_is_no_gap(positions: Positions) -> None:
    """The stream before had read further than the end that the new one begins with."""
    positions.leave([FIRST])
    positions.tail({FIRST: 8})

    assert positions.go_on({FIRST: 12}) == {}, "the client has it from before"
    assert positions.changed() == {FIRST: 8, SECOND: 5}
    assert positions.go_on({FIRST: 12}) == {FIRST: 8}


def test_an_end_that_is_not_known_tails_nothing(positions: Positions) -> None:
    assert positions.tail({FIRST: None, ("other", 0): None}) == {FIRST: 2}
    assert positions.changed() is None


def test_a_partition_that_nobody_wants_does_not_come_back(positions: Positions) -> None:
    positions.leave([FIRST])

    assert positions.go_on({FIRST: 4}) == {}
    assert positions.changed() == {SECOND: 5}
