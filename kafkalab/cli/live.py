"""The live lab: `kafkalab up`, `kafkalab down`, `kafkalab ps`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

import typer
from confluent_kafka import KafkaException

from kafkalab import typed
from kafkalab.brokers.choose import backend_named, choose_starter, starter_of
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import PortTaken
from kafkalab.brokers.lab_state import LiveLab
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.live import Labs, Starter
from kafkalab.brokers.ports import is_free
from kafkalab.brokers.properties import CLUSTER_ID
from kafkalab.cli import output
from kafkalab.cli.options import BackendOption, CacheOption, ImageOption, VersionOption, WrongValue
from kafkalab.cli.setup import Bar
from kafkalab.cli.topics import tell
from kafkalab.cli.warmed import undisturbed
from kafkalab.config import Settings
from kafkalab.contracts.topics import NotKnownEverywhere
from kafkalab.demo import DEMO_TOPICS
from kafkalab.tasks.topics import provision

# The port that tutorials and most tools use.
USUAL_PORT = 9092
BROKERS = (1, 3)


def up(
    port: Annotated[
        int | None,
        typer.Option(
            min=1024,
            max=65535 - max(BROKERS),
            help=f"For clients; with 3 brokers, the first one's. By default {USUAL_PORT}, if free.",
        ),
    ] = None,
    brokers: Annotated[int, typer.Option(help="1 or 3.")] = 1,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep the data for the next up --keep-data.")
    ] = False,
    backend: BackendOption = None,
    cache: CacheOption = None,
    image: ImageOption = None,
    kafka_version: VersionOption = None,
) -> None:
    """Start a Kafka, with the topics of a shop, that runs until `kafkalab down`.

    From then on pytest, learn, check and watch use it, if they would start the same Kafka.
    Example: kafkalab up --brokers 3 --keep-data
    """
    if brokers not in BROKERS:
        raise WrongValue(f"--brokers {brokers}: a lab has 1 or 3")
    settings = Settings.from_environment(
        backend=backend, cache=cache, image=image, kafka_version=kafka_version
    )
    starter, labs = _starter(settings), Labs(settings.cache)
    with labs.locked():
        lab = labs.find()
        if lab is None:
            lab = _started(labs, starter, brokers, port, keep_data=keep_data)
        else:
            _require_same(lab, starter, brokers, port, keep_data=keep_data)
            output.line(f"It is up already, since {_since(lab)}: {_title(lab)}", style="bold")
    bootstrap = _bootstrap(lab, settings)
    _show_topics(bootstrap, lab.mark.brokers)
    _show_how(bootstrap, lab)


def _starter(settings: Settings) -> Starter:
    if settings.backend == "auto":
        return choose_starter(settings)[0]
    starter = backend_named(settings.backend, settings)
    if not isinstance(starter, EmbeddedBackend | ContainerBackend):
        raise WrongValue(
            f"--backend {settings.backend} starts no Kafka: name embedded or container"
        )
    return starter


def _started(
    labs: Labs, starter: Starter, brokers: int, port: int | None, *, keep_data: bool
) -> LiveLab:
    if port is not None:
        _require_free(port, brokers)
    with Bar() as bar:
        starter.prepare(bar)
    began = time.monotonic()
    output.line("Kafka is starting ...", style="dim")
    first = port or USUAL_PORT
    try:
        try:
            lab = labs.start(starter, brokers, first, keep_data=keep_data)
        except PortTaken:
            if port is not None:
                raise
            lab = labs.start(starter, brokers, None, keep_data=keep_data)
    except KeyboardInterrupt:
        output.line()
        raise typer.Exit(typed.ENDED_BY_CTRL_C) from None
    took = time.monotonic() - began
    output.line(f"It is up: {_title(lab)}, after {took:.1f} s", style="bold")
    if port is None and lab.ports[0] != USUAL_PORT:
        which = f"port {USUAL_PORT}" if brokers == 1 else f"a port from {USUAL_PORT} on"
        output.line(f"Another program uses {which}, so the lab uses other ports.")
    return lab


def _require_free(port: int, brokers: int) -> None:
    for each in range(port, port + brokers):
        if not is_free(each):
            raise WrongValue(
                f"--port {port}: another program listens on {each} already: name another port, "
                "or leave --port out to use a free one"
            )


def _require_same(
    lab: LiveLab, starter: Starter, brokers: int, port: int | None, *, keep_data: bool
) -> None:
    mark = lab.mark
    others = [
        (mark.backend, starter.name, "backend"),
        (mark.version, starter.kafka_version, "version"),
        (mark.brokers, brokers, "brokers"),
        (lab.ports[0], port or lab.ports[0], "port"),
        (bool(mark.data), keep_data or bool(mark.data), "keep-data"),
    ]
    for has, asked, what in others:
        if has != asked:
            raise WrongValue(
                f"a lab is up already, and differs from what you asked for: {what} {has}, "
                f"not {asked}: `kafkalab down` ends it"
            )


def _title(lab: LiveLab) -> str:
    mark = lab.mark
    count = "1 broker" if mark.brokers == 1 else f"{mark.brokers} brokers"
    kept = ", its data is kept" if mark.data else ""
    return f"Apache Kafka {mark.version}, {mark.backend}, {count}{kept}"


def _since(lab: LiveLab) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(lab.mark.began))


def _bootstrap(lab: LiveLab, settings: Settings) -> str:
    return lab.attached(starter_of(lab, settings.cache)).bootstrap


def _show_topics(bootstrap: str, replicas: int) -> None:
    definitions = [replace(topic, replicas=replicas) for topic in DEMO_TOPICS]
    try:
        done = provision({"bootstrap.servers": bootstrap, "log_level": 0}, definitions)
    except (KafkaException, NotKnownEverywhere) as error:
        raise WrongValue(
            f"the lab at {bootstrap} did not create its topics ({error}): "
            "`kafkalab down`, then `kafkalab up`"
        ) from error
    output.line("Its topics:")
    for each, definition in zip(done, definitions, strict=True):
        output.line(f"{each.name}: {tell(each, definition)}", indent=2)


def _show_how(bootstrap: str, lab: LiveLab) -> None:
    output.line("Connect to it:")
    output.whole(f'Python  Producer({{"bootstrap.servers": "{bootstrap}"}})', indent=2)
    output.whole(f"Java    bootstrap.servers={bootstrap}", indent=2)
    output.whole(f"kcat    kcat -b {bootstrap} -L", indent=2)
    if lab.mark.brokers == 1:
        output.line("pytest, kafkalab learn, check and watch use it from now on.")
    else:
        output.line("pytest, learn, check and watch start their own: facts are for one broker.")
    output.line("It keeps running when you close this terminal. This ends it:")
    output.whole("kafkalab down", indent=2)


def down(
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Delete all data that labs have kept, too.")
    ] = False,
    cache: CacheOption = None,
) -> None:
    """End the lab that is up; only data that it should keep is left.

    Example: kafkalab down
    """
    settings = Settings.from_environment(cache=cache)
    labs = Labs(settings.cache)
    with labs.locked(), undisturbed():
        lab = labs.find()
        if lab is None:
            output.line("No lab is up.")
        else:
            users = list(_users(settings))
            labs.stop(lab, starter_of(lab, settings.cache))
            output.line(f"It is down: {_title(lab)}.")
            if users:
                output.line(f"A run used it, and its facts are invalid now: {', '.join(users)}")
        # A lab that was killed while it started may have left files, too.
        labs.clear()
        for folder in labs.kept():
            if delete_data:
                labs.delete_data(folder)
                output.line(f"Its data is deleted: {folder.name}")
            else:
                output.line(f"Its data is kept, for `kafkalab up --keep-data`: {folder.name}")


def _users(settings: Settings) -> Iterator[str]:
    """The runs that may use the lab now."""
    for entry in Ledger(settings.cache):
        if entry.cluster == CLUSTER_ID and entry.owner.is_known_to_be_alive():
            yield f"process {entry.owner.pid}"


def ps(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: a list.")] = False,
    cache: CacheOption = None,
) -> None:
    """Show the lab that is up, and what other labs left behind.

    Example: kafkalab ps --json
    """
    settings = Settings.from_environment(cache=cache)
    labs = list(Labs(settings.cache))
    rows = [_row(lab, settings) for lab in labs]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        output.line("No lab is up. This starts one:")
        output.whole("kafkalab up", indent=2)
        return
    for lab, row in zip(labs, rows, strict=True):
        where = row["bootstrap"] or "A lab"
        output.line(f"{where}: {row['state']}, started {row['since']}", style="bold")
        output.line(_title(lab), indent=2)


def _row(lab: LiveLab, settings: Settings) -> dict[str, Any]:
    running = lab.running()
    mark = lab.mark
    state = "up" if running == mark.brokers else "a node is gone" if running else "ended"
    return {
        "bootstrap": _bootstrap(lab, settings) if running else "",
        "version": mark.version,
        "backend": mark.backend,
        "brokers": mark.brokers,
        "running": running,
        "since": _since(lab),
        "data": mark.data,
        "state": state if lab.is_here else f"elsewhere: of {mark.owner}",
        "pids": [owner.pid for owner in lab.owners],
    }
