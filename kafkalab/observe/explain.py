"""Explain looks at a group by facts of Module A: pure functions, without a Kafka.

A check takes all looks, sorted by time, and yields its findings. What the looks do not show is
listed as such, and never guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from kafkalab.contracts import Place
from kafkalab.observe.group_looks import Look, SeenMember, Standing
from kafkalab.readable import shortened

# Two looks could agree by chance: three show the beginning, the middle and the end of a time.
LEAST_LOOKS = 3

# Seconds. By default a member commits every 5 s. The interval does not explain a commit that does
# not move for twice as long.
STILL = 10.0

# Seconds. A transaction of Kafka Streams takes 0.1; by default one is open for a minute at most.
# One that is open for longer than this keeps readers of committed records waiting.
OPEN = 5.0

# Seconds. A rebalance takes less than one; a group that is in one for longer has a slow member.
UNSETTLED = 5.0

# A partition is hot if it gets three times as much as the others on average. Keys that a hash
# spreads over a few partitions differ by less than that.
HOT_TIMES = 3.0

# Offsets by which the hottest partition must have grown: a few records may be there by chance.
HOT_LEAST = 100

# Part of the intervals between looks in which it must have grown: a single batch is no hot key.
HOT_STEPS = 0.5

# A group falls behind if its lag grows by this part of what was written. Automatic commits alone
# move the lag up and down by less, in two times STILL.
BEHIND_PART = 0.25
BEHIND_LEAST = 100

# Partitions or names that a sentence lists; it counts the rest, so that it stays short.
NAMED = 5

# Characters of a client's name, which may be of any length.
LONGEST_NAME = 60

# The states of a group that is not in a rebalance.
SETTLED = ("STABLE", "EMPTY")

HEALTHY, FOUND, UNTOLD = "healthy", "found", "cannot tell"


@dataclass(frozen=True)
class Finding:
    """Something that the looks show, with the fact that explains it."""

    kind: str
    says: str
    """what was seen, in a sentence"""
    fact: str
    """the slug of a fact of Module A"""
    next: str
    """what to look at next, in a sentence"""


@dataclass(frozen=True)
class Explanation:
    """All that the looks show."""

    verdict: str
    """HEALTHY, FOUND, or UNTOLD"""
    seconds: float
    """from the first look to the last"""
    looks: int
    findings: tuple[Finding, ...]
    saw: tuple[str, ...]
    """what was looked at and is well, in sentences"""
    cannot_tell: tuple[str, ...]
    """what these looks do not show, in sentences; most say what would show it"""


class Looks(tuple[Look, ...]):
    """Looks at one group, sorted by time, and also by partition."""

    @cached_property
    def by_place(self) -> Mapping[Place, Sequence[tuple[float, Standing]]]:
        """For each partition: the time of each look, and the group's offsets there."""
        found = defaultdict(list)
        for look in self:
            for each in look.partitions:
                found[each.place].append((look.time, each))
        return found


def explain(given: Iterable[Look]) -> Explanation:
    """Explain what looks at a group show.

    Args:
        given: looks at one group, sorted by time.
    """
    looks = Looks(given)
    seconds = looks[-1].time - looks[0].time if looks else 0.0
    if len(looks) < LEAST_LOOKS:
        return Explanation(UNTOLD, seconds, len(looks), (), (), (_too_few(len(looks)),))
    findings = tuple(found for check in CHECKS for found in check(looks))
    untold = tuple(_untold(looks, seconds))
    is_enough = seconds >= STILL and looks[-1].state in SETTLED and not _is_silent(looks[-1])
    verdict = FOUND if findings else HEALTHY if is_enough else UNTOLD
    saw = tuple(_saw(looks, is_well=verdict == HEALTHY))
    return Explanation(verdict, seconds, len(looks), findings, saw, untold)


# What is found


def empty(looks: Looks) -> Iterator[Finding]:
    """The group has no member; its commits may move all the same."""
    if looks[-1].members:
        return
    moved = sum(_moved(looks, place) > 0 for place in _places(looks))
    if moved:
        yield Finding(
            "no-member",
            f"The group has no member, and yet its commits moved in {_partitions(moved)}.",
            "assign-joins-no-group",
            "A consumer that calls assign(), or an admin, commits for it: no member will take "
            "over its partitions when it dies.",
        )
        return
    yield Finding(
        "empty",
        "The group is empty: it has no member, and its commits do not move.",
        "offsets-expire",
        "Do its processes run, and with this group.id? Its commits expire after "
        "offsets.retention.minutes, by default a week.",
    )


def members_change(looks: Looks) -> Iterator[Finding]:
    """Members came, or went, or did both."""
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    for before, after in pairwise(looks):
        first, then = _by_id(before), _by_id(after)
        came.update(_name(then[each]) for each in then.keys() - first.keys())
        went.update(_name(first[each]) for each in first.keys() - then.keys())
    both = came.keys() & went.keys()
    for name in sorted(both):
        yield Finding(
            "comes-and-goes",
            f"{name} comes and goes: it came {_times(came[name])} and went {_times(went[name])}. "
            "Each time partitions move.",
            "slow-processing-loses-partitions",
            "Its log: either the process restarts (with a group.instance.id it could do so without "
            "a rebalance, see static-membership), or it polls later than max.poll.interval.ms.",
        )
    if left := sorted(went.keys() - both):
        yield Finding(
            "left",
            f"Members left, and did not come back: {_listed(left)}.",
            "leaving-or-dying",
            "Were they meant to end? The group notices a dead member only after its session.",
        )
    if new := sorted(came.keys() - both):
        yield Finding(
            "joined",
            f"Members joined: {_listed(new)}. Each time partitions move.",
            "one-two-three-two",
            "Were they meant to start? Look again when the group has settled.",
        )


def unsettled(looks: Looks) -> Iterator[Finding]:
    """A rebalance does not end."""
    run = _last_run(looks, lambda look: look.state not in SETTLED)
    if run and (took := run[-1].time - run[0].time) >= UNSETTLED:
        yield Finding(
            "unsettled",
            f"The group does not settle: for {took:.0f} s it was "
            f"{_listed(sorted({_words(look.state) for look in run}))}.",
            "real-groups-are-patient",
            "Which member is slow to give its partitions up? All wait for it, for up to "
            "max.poll.interval.ms.",
        )


def idle_members(looks: Looks) -> Iterator[Finding]:
    """A member has no partition in all of the last stable looks."""
    run = _last_run(looks, lambda look: look.state == "STABLE")
    if len(run) < LEAST_LOOKS:
        return
    idle = set.intersection(
        *({each.id for each in look.members if not each.partitions} for look in run)
    )
    if not idle:
        return
    members = run[-1].members
    owned = {place for each in members for place in each.partitions}
    names = _listed(sorted(_name(each) for each in members if each.id in idle))
    if len(members) > len(owned):
        yield Finding(
            "too-many-members",
            f"{len(members)} members share {_partitions(len(owned))}: nothing is left for {names}.",
            "more-members-than-partitions",
            "Are the idle members a reserve? More partitions, not more members, make the group "
            "faster.",
        )
    else:
        yield Finding(
            "uneven",
            f"{len(members)} members share {_partitions(len(owned))}, and {names} has none. "
            f"The assignor is {run[-1].assignor or 'unknown'}.",
            "range-against-roundrobin",
            "partition.assignment.strategy, and the topics that each member subscribes to.",
        )


def ownerless(looks: Looks) -> Iterator[Finding]:
    """A partition with unread offsets has no owner, though the group is stable."""
    run = _last_run(looks, lambda look: look.state == "STABLE")
    if len(run) < LEAST_LOOKS or not run[-1].members:
        return
    left = set.intersection(*(_unowned(look) for look in run))
    if left:
        yield Finding(
            "ownerless",
            f"No member owns {_named(left)}, though there is something to read.",
            "new-partitions-reach-the-group",
            "Do its members still subscribe to that topic? A classic member sees added partitions "
            "when it next fetches metadata, every 5 minutes.",
        )


def no_commit(looks: Looks) -> Iterator[Finding]:
    """There are records, and the group has committed no offset."""
    last = looks[-1]
    if looks[-1].time - looks[0].time < STILL or not last.members:
        return
    if any(each.committed is not None for look in looks for each in look.partitions):
        return
    if any(_has_records(each) for each in last.partitions):
        yield Finding(
            "no-commit",
            "The group has committed nothing at all, though there are records.",
            "reset-only-without-a-commit",
            "enable.auto.commit, or the commits of its code: without a commit, auto.offset.reset "
            "decides where a restarted member begins.",
        )


def stands_still(looks: Looks) -> Iterator[Finding]:
    """A partition has something to read, and its commit does not move."""
    last = looks[-1]
    if not last.members:
        return
    owners = _owners(last)
    still = [
        each
        for each in last.partitions
        if each.place in owners and _may_stand_still(looks, each) and _has_something_left(each)
    ]
    if not still:
        return
    places = set(_places(looks)) - {each.place for each in still}
    others = sum(_moved(looks, place) > 0 for place in places)
    whose = sorted({_name(owners[each.place]) for each in still})
    beside = f" The commits of {_count(others, 'other partition')} moved." if others else ""
    lag = sum(each.lag or 0 for each in still)
    yield Finding(
        "stands-still",
        f"{_named(each.place for each in still)} {'stands' if len(still) == 1 else 'stand'} still: "
        f"no commit moved for at least {STILL:.0f} s, and the lag is {_offsets(lag)}.{beside}"
        f" Owner: {_listed(whose)}.",
        "heartbeats-are-not-polls",
        "What does that member do with its record? It can be stuck and still send heartbeats. "
        "And does it commit at all? See kafkalab lag --watch.",
    )


def falls_behind(looks: Looks) -> Iterator[Finding]:
    """The group commits, and yet more is written than it reads."""
    if not looks[-1].members or looks[-1].time - looks[0].time < 2 * STILL:
        return
    middle = (looks[0].time + looks[-1].time) / 2
    lags = [(look.time, look.lag) for look in looks if look.lag is not None]
    before = [lag for time, lag in lags if time < middle]
    after = [lag for time, lag in lags if time >= middle]
    written = sum(_grown(looks, place) for place in _places(looks))
    commits = sum(_moved(looks, place) > 0 for place in _places(looks))
    if not before or not after or not commits:
        return
    behind = min(after) - min(before)
    if behind >= max(BEHIND_LEAST, BEHIND_PART * written):
        yield Finding(
            "falls-behind",
            f"The group falls behind: {_offsets(written)} were written, and its least lag went up "
            f"from {min(before)} to {min(after)}.",
            "partitions-bound-parallelism",
            "How long does a record take to process? More members help, up to one for each "
            "partition.",
        )


def hot(looks: Looks) -> Iterator[Finding]:
    """One partition of a topic gets far more than the others, again and again."""
    by_topic: dict[str, dict[Place, int]] = defaultdict(dict)
    for place in _places(looks):
        by_topic[place[0]][place] = _grown(looks, place)
    for topic, grown in sorted(by_topic.items()):
        place = max(grown, key=lambda each: grown[each])
        others = [count for each, count in grown.items() if each != place]
        if not others or grown[place] < max(HOT_LEAST, HOT_TIMES * sum(others) / len(others)):
            continue
        if _steps(looks, place) < HOT_STEPS:
            continue
        yield Finding(
            "hot",
            f"{_named([place])} is hot: it got {grown[place]} of the {sum(grown.values())} offsets "
            f"that were written to {topic}, which has {_partitions(len(grown))}.",
            "hot-key-hot-partition",
            f"Which keys go there? See kafkalab distribution {topic}. More partitions or members "
            "do not split a key.",
        )


def goes_back(looks: Looks) -> Iterator[Finding]:
    """A commit is lower than in the look before, or is gone."""
    back: dict[Place, tuple[int, int]] = {}
    gone: set[Place] = set()
    for before, after in pairwise(looks):
        then = {each.place: each for each in after.partitions}
        for was in before.partitions:
            now = then.get(was.place)
            if was.committed is None or now is None:
                continue
            if now.committed is None:
                gone.add(was.place)
            elif now.committed < was.committed:
                back[was.place] = (was.committed, now.committed)
    if back:
        place = min(back)
        was_at, now_at = back[place]
        yield Finding(
            "goes-back",
            f"The commit went back in {_named(back)}: {_at(place, back)}from {was_at} to {now_at}. "
            "The next start reads the offsets between again.",
            "commits-can-go-back",
            "Was it reset? If not, commits come out of order: from several threads, or from a "
            "member that does not own the partition (nobody-checks-ownership).",
        )
    if gone:
        yield Finding(
            "commit-gone",
            f"The commit is gone in {_named(gone)}.",
            "deleting-forgets-offsets",
            "Was the topic deleted and created again, or were the group's offsets deleted?",
        )


def outside(looks: Looks) -> Iterator[Finding]:
    """A commit is before the log's start, or behind its end."""
    before = [each for each in looks[-1].partitions if each.is_before_the_log]
    behind = [each for each in looks[-1].partitions if each.is_behind_the_log]
    if before:
        first, places = before[0], [each.place for each in before]
        yield Finding(
            "before-the-log",
            f"The commit is before the log's start in {_named(places)}: {_at(first.place, places)}"
            f"it is {first.committed}, and the log starts at {first.start}. Records that the group "
            "had not read were deleted.",
            "commit-outside-the-log-resets",
            "Compare retention.ms and retention.bytes of the topic with the lag. auto.offset.reset "
            "decides where the group goes on.",
        )
    if behind:
        first, places = behind[0], [each.place for each in behind]
        yield Finding(
            "behind-the-log",
            f"The commit is behind the log's end in {_named(places)}: {_at(first.place, places)}"
            f"it is {first.committed}, and the log ends at {first.high}.",
            "commit-outside-the-log-resets",
            "Was the topic created again, did it lose records, or was the offset set by hand? "
            "auto.offset.reset decides where the group goes on.",
        )


def held_back(looks: Looks) -> Iterator[Finding]:
    """Readers of committed records cannot get past an open transaction."""
    held = [each for each in looks[-1].partitions if _open_for(looks, each.place) >= OPEN]
    if held:
        first, places = held[0], [each.place for each in held]
        took = _open_for(looks, first.place)
        yield Finding(
            "held-back",
            f"An open transaction holds readers back in {_named(places)}: for {took:.0f} s "
            f"{_at(first.place, places)}readers of committed records came to {first.end}, and "
            f"the log ends at {first.high}.",
            "open-transaction-holds-back",
            "Which producer is it? See kafkalab kafka-transactions list. Its "
            "transaction.timeout.ms ends the transaction, by default after a minute.",
        )


Check = Callable[[Looks], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    empty,
    members_change,
    unsettled,
    idle_members,
    ownerless,
    no_commit,
    stands_still,
    falls_behind,
    hot,
    goes_back,
    outside,
    held_back,
)

# What is well, and what the looks do not show


def _saw(looks: Looks, *, is_well: bool) -> Iterator[str]:
    last = looks[-1]
    written = sum(_grown(looks, place) for place in _places(looks))
    read = sum(max(0, _moved(looks, place)) for place in _places(looks))
    members, partitions = _count(len(last.members), "member"), _partitions(len(last.partitions))
    yield f"{members}, {partitions}: {written} offsets written, {read} committed."
    lag = "unknown" if last.lag is None else str(last.lag)
    yield f"The lag is {lag} now. It counts offsets, and transaction markers have offsets too."
    if is_well:
        yield (
            "The members stayed, each partition has an owner, and none stands still or is hot; "
            "no commit went back or lies outside the log; no open transaction holds readers back."
        )


def _untold(looks: Looks, seconds: float) -> Iterator[str]:
    last = looks[-1]
    if _is_silent(last):
        yield "What the lag is: a partition's leader, or the group's commits, did not answer."
    if last.state not in SETTLED:
        yield f"Which member owns what: at the last look the group was {_words(last.state)}."
    if seconds < STILL and last.members:
        yield (
            f"Whether a partition stands still: members commit every 5 s by default, and the looks "
            f"took {seconds:.1f} s. --for {2 * STILL:.0f} is enough."
        )
    unread = [
        each.place
        for each in last.partitions
        if each.lag and not each.was_read and _may_stand_still(looks, each)
    ]
    if unread:
        yield (
            f"Whether a record is left in {_named(unread)}: the commit does not move, and what is "
            "left could not be read. It can be a transaction's marker."
        )
    written = {place: _grown(looks, place) for place in _places(looks)}
    if not any(written.values()):
        yield "Whether new records are read, and which partition is hot: none came."
    elif max(written.values()) < HOT_LEAST:
        yield (
            f"Whether a partition is hot: fewer than {HOT_LEAST} offsets were written to each in "
            "this time."
        )
    if 0 < max((_open_for(looks, place) for place in written), default=0) < OPEN:
        yield f"Whether a transaction that is open now hangs: it is younger than {OPEN:.0f} s."
    if last.members and not _has_any_commit(last) and seconds < STILL:
        yield "Whether the group commits: it has not yet."
    yield (
        "Whether the group rebalanced between two looks and has the same owners again: Kafka shows "
        "an observer no generation."
    )


def _too_few(count: int) -> str:
    return (
        f"Anything: there are {_count(count, 'look')} at the group, and {LEAST_LOOKS} are needed. "
        "A longer --for, or a shorter --every, gives more."
    )


# Reading the looks


def _places(looks: Looks) -> list[Place]:
    return [each.place for each in looks[-1].partitions]


def _moved(looks: Looks, place: Place) -> int:
    """By how many offsets the commit moved, from the first known commit to the last."""
    commits = [each.committed for _, each in looks.by_place[place] if each.committed is not None]
    return commits[-1] - commits[0] if commits else 0


def _grown(looks: Looks, place: Place) -> int:
    """How many offsets were written; 0 for a log that was created again."""
    ends = [each.high for _, each in looks.by_place[place] if each.high is not None]
    return max(0, ends[-1] - ends[0]) if ends else 0


def _steps(looks: Looks, place: Place) -> float:
    """The part of the intervals between looks in which the partition grew."""
    ends = [each.high for _, each in looks.by_place[place] if each.high is not None]
    steps = [after > before for before, after in pairwise(ends)]
    return sum(steps) / len(steps) if steps else 0.0


def _may_stand_still(looks: Looks, last: Standing) -> bool:
    """Whether there were always offsets to read, for STILL seconds, and no commit moved."""
    seen = looks.by_place[last.place]
    if last.committed is None:
        return _came_uncommitted(seen)
    run = _last_of(seen, lambda each: each.committed == last.committed and bool(each.lag))
    return bool(run) and run[-1][0] - run[0][0] >= STILL


def _has_something_left(last: Standing) -> bool:
    """Whether a record is left: offsets can belong to markers or to compacted records."""
    return last.committed is None or last.oldest is not None


def _came_uncommitted(seen: Sequence[tuple[float, Standing]]) -> bool:
    """Whether records came at least STILL seconds ago, and the group has never committed.

    Without new records, a group that begins at the end has nothing to commit.
    """
    if any(each.committed is not None for _, each in seen):
        return False
    first, now = seen[0][1].high, seen[-1][0]
    return first is not None and any(
        each.high is not None and each.high > first and now - time >= STILL for time, each in seen
    )


def _open_for(looks: Looks, place: Place) -> float:
    """For how many seconds the last stable offset has been below the high watermark, unmoved."""
    seen = looks.by_place[place]
    end = seen[-1][1].end if seen else None
    run = _last_of(
        seen,
        lambda each: (
            each.end is not None
            and each.end == end
            and each.high is not None
            and each.high > each.end
        ),
    )
    return run[-1][0] - run[0][0] if run else 0.0


def _last_of(
    seen: Sequence[tuple[float, Standing]], holds: Callable[[Standing], bool]
) -> list[tuple[float, Standing]]:
    """The last ones, without a break, for which it holds."""
    run: list[tuple[float, Standing]] = []
    for time, each in reversed(seen):
        if not holds(each):
            break
        run.insert(0, (time, each))
    return run


def _last_run(looks: Sequence[Look], holds: Callable[[Look], bool]) -> list[Look]:
    """The last looks, without a break, for which it holds."""
    run: list[Look] = []
    for look in reversed(looks):
        if not holds(look):
            break
        run.insert(0, look)
    return run


def _unowned(look: Look) -> set[Place]:
    left = (
        each.place
        for each in look.partitions
        if each.lag or (each.committed is None and _has_records(each))
    )
    return set(left) - _owners(look).keys()


def _owners(look: Look) -> Mapping[Place, SeenMember]:
    return {place: each for each in look.members for place in each.partitions}


def _by_id(look: Look) -> dict[str, SeenMember]:
    """Members by a lasting name: a static member gets another id when it restarts."""
    return {each.instance or each.id: each for each in look.members}


def _has_records(standing: Standing) -> bool:
    return None not in (standing.start, standing.high) and standing.high > standing.start  # type: ignore[operator]


def _has_any_commit(look: Look) -> bool:
    return any(each.committed is not None for each in look.partitions)


def _is_silent(look: Look) -> bool:
    """Whether a partition's start or end is unknown."""
    return any(None in (each.start, each.end, each.high) for each in look.partitions)


# Words


def _name(member: SeenMember) -> str:
    """A name that outlives a restart: a static member's own name, or its client and host."""
    name = member.instance or f"{member.client}@{member.host.lstrip('/')}"
    return shortened(name, LONGEST_NAME)


def _named(places: Iterable[Place]) -> str:
    return _listed([f"{topic}[{partition}]" for topic, partition in sorted(places)])


def _at(place: Place, named: Sized) -> str:
    """Say which of the named partitions is meant; empty if there is only one."""
    return f"in {_named([place])} " if len(named) > 1 else ""


def _listed(words: Sequence[str]) -> str:
    shown = [*words[:NAMED], *([f"{len(words) - NAMED} more"] if len(words) > NAMED else [])]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _partitions(count: int) -> str:
    return _count(count, "partition")


def _offsets(count: int) -> str:
    return _count(count, "offset")


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _words(state: str) -> str:
    return state.lower().replace("_", " ")
