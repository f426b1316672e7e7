"""What the pictures of one test have in common: a clock, and a colour for each name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafkalab.learning_log.evidence import NUMBERS, by_number
from kafkalab.learning_log.plots import (
    COLOURS,
    OTHERS,
    STROKES,
    coloured_names,
    room_beside,
    times_in,
)

PICTURES = ("shares", "timeline", "series")
"""the kinds of evidence that are drawn"""


def as_drawn(
    items: Sequence[dict[str, Any]], family: Sequence[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """The evidence of one test, where each picture's item has all that its drawing depends on.

    Pictures with a clock show the same seconds, one exactly above the other. A name has one
    colour in all pictures, and two names have two, as long as there are colours.

    Args:
        items: as `Evidence` records them.
        family: the evidence of the test and of its siblings, that is the fact and its
            controls, in which names have the same colours; without it, that of the test alone.
    """
    colours = colours_of(family or items)
    timed = [item for item in items if item["kind"] in PICTURES and times_in(item)]
    times = [time for item in timed for time in times_in(item)]
    common = {
        "clock": [min(0.0, *times), max(times)] if times else None,
        "beside": max(map(room_beside, timed), default=0.0),
    }
    drawn = []
    for item in items:
        if item["kind"] in PICTURES:
            named = {"colours": {name: colours[name] for name in coloured_names(item)}}
            item = {**item, **named, **(common if item in timed else {})}
        drawn.append(item)
    return drawn


def colours_of(items: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """A number for each name that is coloured in the pictures of these items.

    It is found by the name's own number, so that member-2 looks the same where member-3 is
    missing. Names of one kind, such as members, begin with the first colour; those of
    another, such as partitions, count down from the last.
    """
    pictures = [item for item in items if item["kind"] in PICTURES]
    # Lines may differ by stroke, too; what is filled has only colours, and has them first.
    pictures.sort(key=lambda item: item["kind"] == "series")
    kinds = _kinds(name for item in pictures for name in coloured_names(item))
    # It is grey, and no name's.
    slots = {OTHERS: len(COLOURS) - 1}
    for item in pictures:
        names = coloured_names(item)
        strokes = len(STROKES) if item["kind"] == "series" else 1
        for name in sorted(set(names) - slots.keys(), key=by_number):
            wanted = [_wish(name, kinds), *range(len(COLOURS) * strokes)]
            here = {slots[each] for each in names if each in slots}
            free = [slot for slot in wanted if slot not in slots.values()]
            # There are fewer colours than names: at least no two of one picture share one.
            free += [slot for slot in wanted if slot not in here]
            slots[name] = (free or wanted)[0]
    return slots


def _kinds(names: Iterable[str]) -> dict[str, int]:
    """The kinds of names, with the lowest number of each."""
    kinds: dict[str, int] = {}
    for name in sorted(set(names), key=by_number):
        kinds.setdefault(_kind(name), _number(name))
    return kinds


def _wish(name: str, kinds: Mapping[str, int]) -> int:
    kind = _kind(name)
    at = (_number(name) - kinds[kind]) % (len(COLOURS) - 1)
    return at if kind == next(iter(kinds)) else len(COLOURS) - 2 - at


def _kind(name: str) -> str:
    """What a name has in common with others, as member-2 has with member-3."""
    return NUMBERS.sub("", name) if NUMBERS.search(name) else ""


def _number(name: str) -> int:
    # Longer ones are no numbers that anybody counts by.
    return next((int(part) for part in NUMBERS.findall(name)[-1:] if len(part) < 10), 0)
