"""`kafkalab explain`: what is seen of a group, and the facts that explain it."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import typed
from kafkalab.brokers.cluster import cluster_of
from kafkalab.cli import output
from kafkalab.cli.cluster import one_line
from kafkalab.cli.lag import named, told_in_one_line
from kafkalab.cli.options import BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.observe import explain as checks
from kafkalab.observe.explain import Explanation
from kafkalab.observe.group_looks import Look, Onlooker
from kafkalab.observe.group_samples import BadRecording, read, recording, sample

# Seconds: with automatic commits, a commit moves twice in half of this time.
LONG_ENOUGH = 2 * checks.STILL


def explain(
    group: Annotated[
        str | None, typer.Argument(help="The group's name; none with --replay.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--for", min=0, help="Seconds to look; Ctrl-C ends it earlier.")
    ] = LONG_ENOUGH,
    every: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks.")] = 1.0,
    record: Annotated[
        Path | None,
        typer.Option(help="Keep the looks in this new file, as JSON lines.", show_default=False),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Explain such a file again, without a Kafka.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: one object.")] = False,
    bootstrap: BootstrapOption = None,
    client_config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Look at a group for some time, and name the facts that explain what is seen.

    It joins no group, commits nothing and changes nothing, on any cluster. It says
    what it could not find out.

    Example: kafkalab explain my-group --for 30 --record looks.jsonl
    """
    if (group is None) == (replay is None):
        raise WrongValue("explain takes a group's name, or a file with --replay")
    if math.isnan(seconds) or math.isnan(every):
        raise WrongValue("--for and --every take numbers of seconds")
    if replay is not None:
        if record is not None:
            raise WrongValue("--record needs a Kafka, --replay uses none: leave one of them out")
        _replay(replay, as_json=as_json)
        return
    assert group is not None
    cluster = cluster_of(bootstrap, client_config, cache)
    # Otherwise the look would not show that an open transaction holds records back.
    config = {**cluster.properties, "isolation.level": "read_committed"}
    onlooker, looks = Onlooker(config, group), list[Look]()
    with one_line(f"to look at the group {named(group)}"), told_in_one_line():
        first = onlooker.look()
        was_ended = False
        with _kept(record, group) as write:

            def keep(look: Look) -> None:
                looks.append(look)
                write(look)
                left = seconds - (look.time - looks[0].time)
                output.fleeting(f"looked {len(looks)} times, {max(0, left):.0f} s to go")

            try:
                keep(first)
                sample(onlooker, seconds, every, keep)
            except KeyboardInterrupt:
                was_ended = True
        output.fleeting("")
        _show(group, looks, as_json=as_json)
    if was_ended:
        raise typer.Exit(typed.ENDED_BY_CTRL_C)


@contextlib.contextmanager
def _kept(path: Path | None, group: str) -> Iterator[Callable[[Look], None]]:
    if path is None:
        yield lambda _: None
        return
    try:
        with recording(path, group) as write:
            yield write
    except FileExistsError as error:
        raise WrongValue(f"--record {path}: it is there already: name a new file") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WrongValue(f"--record {path}: {error.strerror}: name another file") from error


def _replay(path: Path, *, as_json: bool) -> None:
    try:
        kept = read(path)
    except BadRecording as error:
        raise WrongValue(f"--replay: {error}") from error
    if kept.broken:
        count = len(kept.broken)
        lines = "1 line holds" if count == 1 else f"{count} lines hold"
        output.trouble(f"{path}: {lines} no look, from line {kept.broken[0]} on: left out")
    with one_line("to explain"):
        _show(kept.group, kept.looks, as_json=as_json)


def _show(group: str, looks: tuple[Look, ...] | list[Look], *, as_json: bool) -> None:
    told = checks.explain(looks)
    if as_json:
        typer.echo(json.dumps({"group": group, **asdict(told)}))
        return
    output.line(_heading(group, looks, told), style="bold")
    for each in told.findings:
        output.line(each.says, mark="! ", style="yellow")
        output.line(f"Fact: {each.fact}", indent=2, style="cyan")
        output.line(f"Next: {each.next}", indent=2)
    if told.verdict == checks.HEALTHY:
        output.line("It is healthy, as far as it can be seen from outside:", style="green")
    elif not told.findings:
        output.line("Nothing wrong was seen, and not enough to call it healthy.")
    for saw in told.saw:
        output.line(saw, mark="- ")
    if told.cannot_tell:
        output.line("Unknown:")
    for untold in told.cannot_tell:
        output.line(untold, mark="? ")
    if told.findings:
        output.line("A fact shows it on a Kafka of your own:")
        output.whole(f"kafkalab learn {told.findings[0].fact}", indent=2)


def _heading(group: str, looks: tuple[Look, ...] | list[Look], told: Explanation) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(looks[-1].clock))
    last = looks[-1]
    protocol = {"CLASSIC": "classic", "CONSUMER": "KIP-848"}.get(last.protocol, last.protocol)
    how = ", ".join(filter(None, [last.state.lower().replace("_", " "), protocol, last.assignor]))
    count = "1 look" if told.looks == 1 else f"{told.looks} looks"
    return f"{named(group)} at {at}: {how}; {count} in {told.seconds:.1f} s"
