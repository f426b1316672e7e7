"""What the pictures of one test share: one time axis, and one colour for each name."""

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
    """The evidence of one test; each picture's item gets its colours and its time axis.

    Pictures with a time axis show the same seconds, one exactly above the other. A name has the
    same colour in all pictures, and two names have different ones, as long as there are enough.

    Args:
        items: as `Evidence` records them.
        family: the evidence of the fact's test and of all its controls, in which names get the
            same colours; if it is empty, only `items` are looked at.
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
    """The colour's number for each name that has a colour in the pictures of these items.

    It is computed from the number in the name, so that member-3 has the same colour with and
    without a member-2. Names of the first kind, such as members, take the colours from the first
    on; those of another kind, such as partitions, from the last one backwards.
    """
    pictures = [item for item in items if item["kind"] in PICTURES]
    # Lines may differ by stroke, too; filled bars have only colours, so they choose first.
    pictures.sort(key=lambda item: item["kind"] == "series")
    kinds = _kinds(name for item in pictures for name in coloured_names(item))
    # The last colour is grey, and for OTHERS only.
    slots = {OTHERS: len(COLOURS) - 1}
    for item in pictures:
        names = coloured_names(item)
        strokes = len(STROKES) if item["kind"] == "series" else 1
        for name in sorted(set(names) - slots.keys(), key=by_number):
            wanted = [_wish(name, kinds), *range(len(COLOURS) * strokes)]
            here = {slots[each] for each in names if each in slots}
            free = [slot for slot in wanted if slot not in slots.values()]
            # If there are fewer colours than names, at least no two names in a picture share one.
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
    """The name without its number: the same for member-2 and member-3."""
    return NUMBERS.sub("", name) if NUMBERS.search(name) else ""


def _number(name: str) -> int:
    # Longer ones are ids, not numbers that count something.
    return next((int(part) for part in NUMBERS.findall(name)[-1:] if len(part) < 10), 0)
