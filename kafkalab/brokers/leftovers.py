"""What runs leave in a cluster that outlives them: found by name, looked at, and deleted.

Transactional ids are not among them: no client can delete one. They expire
when they were not used for `transactional.id.expiration.ms`, 7 days by default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafkalab.brokers.errors import BrokerError, LeftBehind
from kafkalab.brokers.names import prefix_of
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

# Seconds for one request about many names; the client itself keeps it.
LIMIT = 30.0
# Who was killed, or is static, is missed after its session: 45 s under KIP-848 where floors
# are stock.
MEMBERS_LIMIT = 60.0

GROUP_SETTINGS = ("consumer.session.timeout.ms",)
"""what lessons set for a group"""


@dataclass(frozen=True)
class Leftovers:
    """Topics and groups by name, sorted."""

    topics: tuple[str, ...]
    groups: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.topics or self.groups)


@dataclass(frozen=True)
class Seen:
    """What a cluster has that looks like a run's."""

    cluster: str
    """the cluster's id; empty where it tells none"""
    left: Leftovers


def look(admin: AdminClient) -> Seen:
    """The topics and groups of a cluster whose names tell a run.

    Args:
        admin: of the cluster.

    Raises:
        LeftBehind: the cluster did not tell.
    """
    from confluent_kafka import KafkaException

    def of_runs(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(name for name in names if prefix_of(name)))

    try:
        metadata = admin.list_topics(timeout=LIMIT)
        groups = admin.list_consumer_groups(request_timeout=LIMIT).result().valid
    except KafkaException as error:
        raise _left_behind(f"it does not tell what there is ({error.args[0].str()})") from error
    left = Leftovers(of_runs(metadata.topics), of_runs(each.group_id for each in groups))
    return Seen(metadata.cluster_id or "", left)


def leftovers(client: Mapping[str, Any], prefix: str) -> Leftovers:
    """The topics and groups of one run.

    Args:
        client: client properties.
        prefix: what the names of all that the run made begin with.

    Raises:
        LeftBehind: the cluster did not tell.
    """
    from confluent_kafka.admin import AdminClient

    left = look(AdminClient(dict(client))).left
    return Leftovers(
        tuple(name for name in left.topics if prefix_of(name) == prefix),
        tuple(name for name in left.groups if prefix_of(name) == prefix),
    )


def signs_of_life(admin: AdminClient, groups: Collection[str]) -> dict[str, str]:
    """For each group that has members, or may have, how that shows: `has 2 members`.

    Args:
        admin: of the cluster.
        groups: their names; one that is gone shows none.
    """
    from confluent_kafka import KafkaError, KafkaException

    if not groups:
        return {}
    signs = {}
    asked = admin.describe_consumer_groups(list(groups), request_timeout=LIMIT)
    for group, future in asked.items():
        try:
            count = len(future.result().members)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                signs[group] = f"does not show its members ({error.args[0].name()})"
            continue
        if count:
            signs[group] = f"has {count} member{'' if count == 1 else 's'}"
    return signs


def delete_leftovers(
    client: Mapping[str, Any], found: Leftovers, tell: Callable[[str], None]
) -> None:
    """Delete topics and groups; who is gone already is fine.

    An open transaction is no hindrance: its topic goes with all that it holds back.

    Args:
        client: client properties.
        found: what is to be deleted.
        tell: takes a line for the user, when groups have members yet.

    Raises:
        LeftBehind: some could not be deleted.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(dict(client))
    refused = _delete_topics(admin, found.topics)
    if found.groups:
        _forget_settings(admin, found.groups)
        refused |= _delete_groups(admin, found.groups, tell)
    if refused:
        name, why = next(iter(refused.items()))
        raise _left_behind(f"{len(refused)} could not be deleted, such as {name!r} ({why})")


def delete_at_once(client: Mapping[str, Any], found: Leftovers) -> bool:
    """Delete topics and groups, but for the groups with members that are not missed yet.

    Args:
        client: client properties.
        found: what is to be deleted.

    Returns:
        Whether nothing of it is left.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(dict(client))
    refused = _delete_topics(admin, found.topics)
    if found.groups:
        _forget_settings(admin, found.groups)
        refused |= _undeleted_groups(admin, found.groups)
    return not refused


def _delete_topics(admin: AdminClient, topics: Sequence[str]) -> dict[str, str]:
    """Delete topics; return those that could not be, each with the error."""
    from confluent_kafka import KafkaError

    if not topics:
        return {}
    asked: dict[str, Future[Any]] = admin.delete_topics(
        list(topics), operation_timeout=LIMIT, request_timeout=LIMIT
    )
    return _refused(asked, {KafkaError.UNKNOWN_TOPIC_OR_PART})


def _forget_settings(admin: AdminClient, groups: Sequence[str]) -> None:
    """Take back what was set for groups: a group's settings outlive it (KIP-848).

    Who may not do this, or cannot, has not set any.
    """
    from confluent_kafka.admin import (
        AlterConfigOpType,
        ConfigEntry,
        ConfigResource,
        ResourceType,
    )

    resources = [
        ConfigResource(
            ResourceType.GROUP,
            group,
            incremental_configs=[
                ConfigEntry(name, "", incremental_operation=AlterConfigOpType.DELETE)
                for name in GROUP_SETTINGS
            ],
        )
        for group in groups
    ]
    asked = admin.incremental_alter_configs(resources, request_timeout=LIMIT)
    _refused({str(each): future for each, future in asked.items()}, set())


def _delete_groups(
    admin: AdminClient, groups: Sequence[str], tell: Callable[[str], None]
) -> dict[str, str]:
    """Delete groups, once their members are missed; return those that could not be."""
    left = list(_undeleted_groups(admin, groups).values())
    if alive := left.count("NON_EMPTY_GROUP"):
        tell(
            f"kafkalab: {alive} groups of this run have members that are not missed yet: "
            f"waiting for that, {MEMBERS_LIMIT:.0f} s at most"
        )
    # Other refusals pass, too: a coordinator may still load its groups.
    try:
        wait_until(
            lambda: _undeleted_groups(admin, groups),
            lambda undeleted: not undeleted,
            limit=MEMBERS_LIMIT,
            what="groups without members",
            interval=0.5,
        )
    except Expired:
        return _undeleted_groups(admin, groups)
    return {}


def _undeleted_groups(admin: AdminClient, groups: Sequence[str]) -> dict[str, str]:
    from confluent_kafka import KafkaError

    asked = admin.delete_consumer_groups(list(groups), request_timeout=LIMIT)
    return _refused(asked, {KafkaError.GROUP_ID_NOT_FOUND})


def _refused(futures: Mapping[str, Future[Any]], gone: set[int]) -> dict[str, str]:
    """For each name that was refused the error; those that are gone were not."""
    from confluent_kafka import KafkaException

    refused = {}
    for name, future in futures.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() not in gone:
                refused[name] = error.args[0].name()
    return refused


def _left_behind(what: str) -> BrokerError:
    return LeftBehind(
        f"Topics or groups of a run are still in the cluster: {what}.",
        suspect="members that were killed and are not missed yet, or a missing right.",
        remedy="run `kafkalab clean --older-than=0` in a minute; it shows what it deletes.",
    )
