"""Find what runs have left in a cluster, who owns these runs, and what may be deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from kafkalab.brokers.ledger import Entry, Ledger
from kafkalab.brokers.leftovers import MEMBERS_LIMIT, Leftovers, look, signs_of_life
from kafkalab.brokers.names import prefix_of
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient


@dataclass(frozen=True)
class RunInCluster:
    """The topics and groups of one run in a cluster."""

    prefix: str
    left: Leftovers
    entry: Entry | None
    """None if this ledger has no entry of the run: anyone may own it"""
    spared: str
    """why it is kept; empty if it may be deleted"""


def runs_in_cluster(
    client: Mapping[str, str],
    ledger: Ledger,
    is_asked_for: Callable[[str], bool],
    named: Collection[str],
    tell: Callable[[str], None],
) -> list[RunInCluster]:
    """The runs that left topics or groups in a cluster, sorted by their start.

    A run may be deleted if it has ended by the ledger, or if the user named it.
    A run that goes on, or has a group with members, is always kept.

    Args:
        client: client properties.
        ledger: the ledger of this user's runs.
        is_asked_for: whether a run's prefix is asked for.
        named: prefixes that the user has named.
        tell: prints a line for the user, if it takes long.

    Raises:
        LeftBehind: the cluster did not list its topics and groups.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(dict(client))
    seen = look(admin)
    entries = {entry.name: entry for entry in ledger if entry.cluster == seen.cluster}
    left = {prefix: each for prefix, each in _by_prefix(seen.left).items() if is_asked_for(prefix)}
    ended = [
        group
        for prefix, each in left.items()
        if prefix in entries and entries[prefix].owner.is_known_to_be_dead()
        for group in each.groups
    ]
    _wait_for_members(admin, ended, tell)
    signs = signs_of_life(admin, [group for each in left.values() for group in each.groups])
    return [
        RunInCluster(
            prefix,
            each,
            entries.get(prefix),
            _why_spared(prefix, each, entries.get(prefix), signs, named, ledger.cache),
        )
        for prefix, each in left.items()
    ]


def _by_prefix(left: Leftovers) -> dict[str, Leftovers]:
    def prefix(name: str) -> str:
        return prefix_of(name) or ""

    groups = {key: tuple(names) for key, names in groupby(left.groups, prefix)}
    topics = {key: tuple(names) for key, names in groupby(left.topics, prefix)}
    return {
        key: Leftovers(topics.get(key, ()), groups.get(key, ())) for key in sorted(topics | groups)
    }


def _wait_for_members(
    admin: AdminClient, groups: Collection[str], tell: Callable[[str], None]
) -> None:
    """Wait until the cluster has removed the members of ended runs, which were killed with them."""
    if not signs_of_life(admin, groups):
        return
    tell(
        "Groups of ended runs still have members: waiting until the cluster removes them, "
        f"{MEMBERS_LIMIT:.0f} s at most"
    )
    with contextlib.suppress(Expired):
        wait_until(
            lambda: signs_of_life(admin, groups),
            lambda signs: not signs,
            limit=MEMBERS_LIMIT,
            what="groups without members",
            interval=0.5,
        )


def _why_spared(
    prefix: str,
    left: Leftovers,
    entry: Entry | None,
    signs: Mapping[str, str],
    named: Collection[str],
    cache: Path,
) -> str:
    if entry is not None and entry.owner.is_known_to_be_alive():
        return f"alive: its process, {entry.owner.pid}, goes on"
    if alive := [group for group in left.groups if group in signs]:
        return f"alive: {alive[0]} {signs[alive[0]]}"
    if prefix in named:
        return ""
    by_name = f"`kafkalab clean --run {prefix}` deletes it all the same"
    if entry is None:
        return f"its owner is not recorded in {cache}; {by_name}"
    if not entry.owner.is_known_to_be_dead():
        return f"this machine cannot check whether it has ended; {by_name}"
    return ""
