"""`kafkalab topics`: list, show, create, delete, and provision from definitions."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from rich.table import Table

from kafkalab.brokers.cluster import Cluster, cluster_of, refused_by
from kafkalab.brokers.errors import ClusterRefuses
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.options import EITHER_NAME, BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.contracts.topics import (
    REQUEST_LIMIT,
    Action,
    NotKnownEverywhere,
    Provisioned,
    TopicDefinition,
    TopicDescription,
)
from kafkalab.demo import DEMO_TOPICS
from kafkalab.observe.topics import is_internal, is_legal_name, names_of
from kafkalab.readable import readable, shortened
from kafkalab.tasks.topics import describe, provision, what_would_be

app = typer.Typer(
    help="The topics of a Kafka: list, show, create, delete, provision.",
    context_settings=EITHER_NAME,
    no_args_is_help=True,
)

# Characters of a typed name in one line.
LONGEST_NAME = 60

Names = Annotated[list[str], typer.Argument(help="Names of topics.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@app.command("list")
def list_(
    as_json: JsonOption = False,
    internal: Annotated[
        bool, typer.Option("--internal", help="Kafka's own topics, too, such as its offsets.")
    ] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """List the topics, with their partitions.

    Example: kafkalab topics list --json
    """
    cluster = cluster_of(bootstrap, config, cache)
    with one_line("to list the topics"):
        found = describe(cluster.properties, names_in(cluster, internal=internal))
        rows = [each for each in found if each.exists]
        if as_json:
            typer.echo(json.dumps([_as_data(each) for each in rows], indent=2))
            return
        for each in rows:
            count = len(each.partitions)
            settings = "".join(f"  {name}={value}" for name, value in each.settings.items())
            output.line(
                f"{each.name}  {count} partition{'' if count == 1 else 's'}{settings}",
            )


@app.command()
def show(
    names: Names,
    as_json: JsonOption = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Show topics: partitions, leaders, replicas, and settings of their own.

    Example: kafkalab topics show orders
    """
    cluster = cluster_of(bootstrap, config, cache)
    with one_line(f"to show {', '.join(names)}"):
        found = _known(cluster, names)
        if as_json:
            typer.echo(json.dumps([_as_data(each) for each in found], indent=2))
            return
        for each in found:
            _show(each)


@app.command()
def create(
    names: Names,
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic.")] = 1,
    replicas: Annotated[int, typer.Option(min=1, max=32767, help="Of each partition.")] = 1,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="As in retention.ms=60000. May be given more than once."),
    ] = None,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Create topics; one that is there already is compared, and left as it is.

    Example: kafkalab topics create clicks --partitions 6 --setting retention.ms=60000
    """
    settings = dict(_setting(each) for each in setting or ())
    definitions = [TopicDefinition(name, partitions, replicas, settings) for name in names]
    _provision(cluster_of(bootstrap, config, cache), definitions)


@app.command()
def delete(
    names: Names,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Delete topics, with all their records.

    Example: kafkalab topics delete clicks --yes
    """
    cluster = cluster_of(bootstrap, config, cache)
    with one_line(f"to delete {', '.join(names)}"):
        _known(cluster, names)
        if not yes:
            typer.confirm(
                f"Delete {', '.join(map(readable, names))} of {cluster.title}?", abort=True
            )
        admin = AdminClient(cluster.properties)
        asked = admin.delete_topics(
            list(names), operation_timeout=REQUEST_LIMIT, request_timeout=REQUEST_LIMIT
        )
        is_well = True
        for name, future in asked.items():
            try:
                # Without a timeout: the client has its own, REQUEST_LIMIT.
                future.result()
                output.line(f"{name}: deleted")
            except KafkaException as error:
                is_well = False
                output.line(f"{name}: failed: {error.args[0].str()}", style="red")
        if not is_well:
            raise typer.Exit(1)


@app.command("provision")
def provision_(
    file: Annotated[
        Path | None,
        typer.Option(help="TOML with a table for each topic; without it the five of the demo."),
    ] = None,
    grow: Annotated[
        bool,
        typer.Option("--grow", help="Add missing partitions: keys move to other partitions."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Create the topics that are missing, and show how the others differ.

    A file has, for each topic: [orders], partitions = 6, replicas = 1, and settings in
    [orders.settings]. Example: kafkalab topics provision --file topics.toml --dry-run
    """
    definitions = _definitions(file) if file is not None else list(DEMO_TOPICS)
    cluster = cluster_of(bootstrap, config, cache)
    if dry_run:
        with one_line("to look at the topics"):
            _tell_what_would_be(cluster, definitions, grow=grow)
        return
    _provision(cluster, definitions, grow=grow)


def names_in(cluster: Cluster, *, internal: bool = False) -> list[str]:
    """The names of all topics, in order; without Kafka's internal ones unless asked for."""
    names = names_of(AdminClient(cluster.properties))
    return [name for name in names if internal or not is_internal(name)]


def partitions_of(cluster: Cluster, topic: str) -> list[int]:
    """The partitions of a topic.

    Raises:
        ClusterRefuses: there is no such topic.
        KafkaException: the cluster does not answer.
    """
    return [each.id for each in _known(cluster, [topic])[0].partitions]


def unknown_topic(cluster: Cluster, name: str) -> ClusterRefuses:
    """The error for a topic that does not exist, with names of topics that do."""
    names = names_in(cluster)
    few = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    could_be = is_legal_name(name)
    more = "" if could_be else ", and no topic can have that name"
    return ClusterRefuses(
        f"There is no topic {shortened(name, LONGEST_NAME)}{more}.",
        suspect=f"a typing error: there are {few}." if names else "it was not created yet.",
        remedy=f"`kafkalab topics create {name if could_be else 'NAME'}` makes one.",
    )


def tell(each: Provisioned, definition: TopicDefinition) -> str:
    """What provisioning did with one topic, in words."""
    if each.action is Action.FAILED:
        return f"failed: {each.error}"
    drifts = "; ".join(
        f"{drift.what} is {drift.found or 'the default'}, "
        f"defined is {drift.defined or 'the default'}"
        for drift in each.drifts
    )
    if each.action is Action.DRIFTED:
        return f"drifted, and left as it is: {drifts}"
    if each.action is Action.UNCHANGED:
        return "as defined, left as it is"
    count = definition.partitions
    done = f"{each.action}, {count} partition{'' if count == 1 else 's'}"
    return f"{done}; {drifts}" if drifts else done


def _provision(
    cluster: Cluster, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> None:
    """Provision the topics, and print what was done; the exit code is 1 if one failed."""
    with one_line("to create topics"):
        try:
            done = provision(cluster.properties, definitions, grow=grow)
        except ValueError as error:
            raise WrongValue(str(error)) from error
        except NotKnownEverywhere as error:
            raise refused_by("to create topics", str(error)) from error
        for each, definition in zip(done, definitions, strict=True):
            is_well = each.action not in (Action.FAILED, Action.DRIFTED)
            style = "" if is_well else "yellow" if each.action is Action.DRIFTED else "red"
            output.line(
                f"{shortened(each.name, LONGEST_NAME)}: {tell(each, definition)}", style=style
            )
        if any(each.action is Action.FAILED for each in done):
            raise typer.Exit(1)


def _tell_what_would_be(
    cluster: Cluster, definitions: Sequence[TopicDefinition], *, grow: bool
) -> None:
    planned = what_would_be(AdminClient(cluster.properties), definitions, grow=grow)
    for definition, each in zip(definitions, planned, strict=True):
        would = "would be " if each.action in (Action.CREATED, Action.GROWN) else ""
        output.line(f"{definition.name}: {would}{tell(each, definition)}")


def _definitions(file: Path) -> list[TopicDefinition]:
    """The topics that a file defines.

    Raises:
        WrongValue: it cannot be read, or is not of that form.
    """
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
        found = [_definition(name, table) for name, table in tables.items()]
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise WrongValue(f"--file {file}: {error}") from error
    if not found:
        raise WrongValue(f"--file {file} defines no topic: [orders] begins the first")
    return found


def _definition(name: str, table: Any) -> TopicDefinition:
    if not isinstance(table, Mapping):
        raise ValueError(f"{name} is no table: [{name}] begins one")
    if strange := table.keys() - {"partitions", "replicas", "settings"}:
        raise ValueError(
            f"[{name}] has {', '.join(sorted(strange))}: it may have partitions, replicas, settings"
        )
    settings = table.get("settings", {})
    if not isinstance(settings, Mapping):
        raise ValueError(f"[{name}] has settings that are no table: [{name}.settings] begins one")
    written = {key: _text(value) for key, value in settings.items()}
    definition = msgspec.convert({**table, "name": name, "settings": written}, TopicDefinition)
    if definition.partitions < 1 or definition.replicas < 1:
        raise ValueError(f"[{name}] has no partitions, or no replicas: 1 is the least")
    return definition


def _text(value: object) -> str:
    # Kafka writes true and false in small letters.
    return str(value).lower() if isinstance(value, bool) else str(value)


def _setting(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (name and equals):
        raise WrongValue(f"--setting {given}: a name, = and a value, as in retention.ms=60000")
    return name, value


def _known(cluster: Cluster, names: Sequence[str]) -> list[TopicDescription]:
    """The topics of these names.

    Raises:
        ClusterRefuses: one of them does not exist.
    """
    found = describe(cluster.properties, list(dict.fromkeys(names)))
    for each in found:
        if not each.exists:
            raise unknown_topic(cluster, each.name)
    return found


def _show(topic: TopicDescription) -> None:
    output.line(readable(topic.name), style="bold")
    table = Table(box=None, pad_edge=False)
    for heading in ("partition", "leader", "replicas", "in sync"):
        table.add_column(heading, justify="right" if heading == "partition" else "left")
    for each in topic.partitions:
        leader = "none" if each.leader is None else str(each.leader)
        table.add_row(
            str(each.id),
            leader,
            ", ".join(map(str, each.replicas)),
            ", ".join(map(str, each.in_sync)),
        )
    output.picture(table)
    for name, value in sorted(topic.settings.items()):
        output.whole(f"{name}={value}", indent=2)
    if not topic.settings:
        output.line("No settings of its own: the broker's defaults apply.", indent=2)


def _as_data(topic: TopicDescription) -> dict[str, Any]:
    data = asdict(replace(topic, settings=dict(topic.settings)))
    return {name: data[name] for name in ("name", "partitions", "settings")}
