"""Find and delete the topics and groups that runs leave in a cluster that outlives them.

Transactional ids stay: no client can delete them. They expire when they were not
used for `transactional.id.expiration.ms`, 7 days by default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafkalab.brokers.errors import BrokerError, LeftBehind
from kafkalab.brokers.names import prefix_of
from kafkalab.clients import RECONNECT
from kafkalab.waiting import Expired, wait_until

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

# Seconds for one request about many names; the client enforces it.
LIMIT = 30.0
# Seconds. Kafka removes a killed or static member when its session times out: after 45 s under
# KIP-848 with Kafka's default settings.
MEMBERS_LIMIT = 60.0

GROUP_SETTINGS = ("consumer.session.timeout.ms",)
"""the settings that lessons change for a group"""


@dataclass(frozen=True)
class Leftovers:
    """Topics and groups by name, sorted."""

    topics: tuple[str, ...]
    groups: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.topics or self.groups)


@dataclass(frozen=True)
class Seen:
    """The topics and groups of a cluster with names of runs."""

    cluster: str
    """the cluster's id; empty if the cluster does not report one"""
    left: Leftovers


def look(admin: AdminClient) -> Seen:
    """The topics and groups of a cluster with names of runs.

    Args:
        admin: an admin client of the cluster.

    Raises:
        LeftBehind: the cluster did not list them.
    """
    from confluent_kafka import KafkaException

    def of_runs(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(name for name in names if prefix_of(name)))

    try:
        metadata = admin.list_topics(timeout=LIMIT)
        groups = admin.list_consumer_groups(request_timeout=LIMIT).result().valid
    except KafkaException as error:
        raise _left_behind(f"it does not list them ({error.args[0].str()})") from error
    left = Leftovers(of_runs(metadata.topics), of_runs(each.group_id for each in groups))
    return Seen(metadata.cluster_id or "", left)


def leftovers(client: Mapping[str, Any], prefix: str) -> Leftovers:
    """The topics and groups of one run.

    Args:
        client: client properties.
        prefix: the prefix of all names that the run made.

    Raises:
        LeftBehind: the cluster did not list them.
    """
    from confluent_kafka.admin import AdminClient

    left = look(AdminClient({**client, **RECONNECT})).left
    return Leftovers(
        tuple(name for name in left.topics if prefix_of(name) == prefix),
        tuple(name for name in left.groups if prefix_of(name) == prefix),
    )


def signs_of_life(admin: AdminClient, groups: Collection[str]) -> dict[str, str]:
    """For each group that has members, or may have: the sign of it, such as `has 2 members`.

    Args:
        admin: an admin client of the cluster.
        groups: the names of the groups; a deleted group has no entry in the result.
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
    """Delete topics and groups; names that are already gone are no error.

    A topic can be deleted even with an open transaction.

    Args:
        client: client properties.
        found: the topics and groups to delete.
        tell: prints a line for the user, if groups still have members.

    Raises:
        LeftBehind: some could not be deleted.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({**client, **RECONNECT})
    refused = _delete_topics(admin, found.topics)
    if found.groups:
        _forget_settings(admin, found.groups)
        refused |= _delete_groups(admin, found.groups, tell)
    if refused:
        name, why = next(iter(refused.items()))
        raise _left_behind(f"{len(refused)} could not be deleted, such as {name!r} ({why})")


def delete_at_once(client: Mapping[str, Any], found: Leftovers) -> bool:
    """Delete topics and groups, except groups in which Kafka still counts members.

    Args:
        client: client properties.
        found: the topics and groups to delete.

    Returns:
        Whether nothing is left.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({**client, **RECONNECT})
    refused = _delete_topics(admin, found.topics)
    if found.groups:
        _forget_settings(admin, found.groups)
        refused |= _undeleted_groups(admin, found.groups)
    return not refused


def _delete_topics(admin: AdminClient, topics: Sequence[str]) -> dict[str, str]:
    """Delete topics; return those that could not be deleted, each with the error."""
    from confluent_kafka import KafkaError

    if not topics:
        return {}
    asked: dict[str, Future[Any]] = admin.delete_topics(
        list(topics), operation_timeout=LIMIT, request_timeout=LIMIT
    )
    return _refused(asked, {KafkaError.UNKNOWN_TOPIC_OR_PART})


def _forget_settings(admin: AdminClient, groups: Sequence[str]) -> None:
    """Remove the settings of groups: a group's settings outlive the group (KIP-848).

    Errors are ignored: a user who may not do this, or a cluster that cannot, has no such settings.
    """
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

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
    """Delete groups, once Kafka has removed their members; return those that are left."""
    left = list(_undeleted_groups(admin, groups).values())
    if alive := left.count("NON_EMPTY_GROUP"):
        tell(
            f"kafkalab: {alive} groups of this run still have members: "
            f"waiting until the cluster removes them, {MEMBERS_LIMIT:.0f} s at most"
        )
    # Other errors are temporary, too: a coordinator may still be loading its groups.
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
    """The error of each name that was refused; errors in `gone` do not count."""
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
        suspect="killed members that the cluster still counts, or a missing right.",
        remedy="run `kafkalab clean --older-than=0` in a minute; it shows what it deletes.",
    )
