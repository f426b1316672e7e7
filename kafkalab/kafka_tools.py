"""Run Kafka's own tools, unchanged: `kafkalab kafka-topics --list`.

A tool replaces this process, so that Ctrl-C, pipes and exit codes are the tool's own. If the
command line names no cluster, this module adds one: the lab that is up, or the cluster that
KAFKALAB_BOOTSTRAP and KAFKALAB_CONFIG name. It does not import `kafkalab.cli`, since that import
takes as long as the tool itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from kafkalab.brokers.distribution import find_java, pinned_version
from kafkalab.brokers.errors import BrokerError, NoLab
from kafkalab.brokers.lab_state import LiveLab, lab_that_is_up
from kafkalab.brokers.tools import TOOLS, Tool, ToolDistribution, Tools, main_of, word_in
from kafkalab.config import KAFKA_VERSION, Settings

# These need no cluster. Only some tools know the last one; the others print their own help.
HELP = ("--help", "--version", "-h")

# Kafka's tools accept shortened options; with this many letters an option is unique.
SHORTEST = len("--bo")
SHORT_SERVERS = ("-b", "-C")
"""the short options of kafka-cluster"""


@dataclass(frozen=True)
class Target:
    """The cluster that a tool works on."""

    bootstrap: str
    properties: Path | None
    """a file with client properties; None if none are needed"""
    version: str
    """the version of Kafka; empty if unknown"""


def is_tool(words: Sequence[str]) -> bool:
    """Whether a command line, without the program, calls one of Kafka's tools."""
    return bool(words) and words[0] in TOOLS


def run(name: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by one of Kafka's tools; an error is one line on stderr."""
    try:
        command = command_of(name, arguments)
    except BrokerError as error:
        from kafkalab.cli import output

        output.trouble(str(error))
        sys.exit(1)
    # Python ignores SIGPIPE, and a program started by exec inherits ignored signals.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606 - no shell is needed


def command_of(name: str, arguments: Sequence[str]) -> list[str]:
    """The command line that runs a tool, after its jars are fetched and checked.

    Raises:
        BrokerError: no lab is up and no other cluster was named, or the tool cannot be run.
    """
    settings = Settings.from_environment()
    lab = lab_that_is_up(settings.cache)
    tool, target = TOOLS[name], None
    version = _version(settings, lab)
    if not _needs_no_cluster(tool, arguments, version):
        target = _target(settings, lab)
        version = target.version or version
    main = main_of(name, version)
    tools = Tools(ToolDistribution(settings.cache, find_java(), version))
    tools.require_safe()
    if not tools.is_there:
        _prepare(tools)
    tools.distribution.verify()
    whole = completed(tool, arguments, target, version) if target else list(arguments)
    return tools.command(main, *whole, flags=_users_flags())


def completed(tool: Tool, arguments: Sequence[str], target: Target, version: str) -> list[str]:
    """A tool's arguments; the servers and the properties file are added if they are missing.

    Args:
        tool: the tool to run.
        arguments: as the user wrote them.
        target: the cluster.
        version: the tool's version.
    """
    servers, config = word_in(tool.servers, version), word_in(tool.config, version)
    properties = []
    if target.properties and config and not _has(arguments, _names_of(tool.config)):
        properties = [config, str(target.properties)]
    if servers == "--producer-props":
        return [*properties, *_with_property(arguments, target.bootstrap)]
    added = [servers, target.bootstrap, *properties]
    at = 1 if tool.has_commands else 0
    return [*arguments[:at], *added, *arguments[at:]]


def _with_property(arguments: Sequence[str], bootstrap: str) -> list[str]:
    """Add the servers to the producer properties: of two such options only one would count."""
    servers, option = f"bootstrap.servers={bootstrap}", "--producer-props"
    if option not in arguments:
        return [*arguments, option, servers]
    at = arguments.index(option) + 1
    return [*arguments[:at], servers, *arguments[at:]]


def _needs_no_cluster(tool: Tool, arguments: Sequence[str], version: str) -> bool:
    """Whether to add no cluster: the call asks for help or names one, or the tool needs none."""
    if not word_in(tool.servers, version) or any(each in HELP for each in arguments):
        return True
    by_place = tool is TOOLS["kafka-e2e-latency"] and not "".join(arguments[:1]).startswith("-")
    told = any("bootstrap.servers=" in each for each in arguments)
    names = (*_names_of(tool.servers), "--bootstrap-controller")
    return by_place or told or _has(arguments, names) or _has(arguments, SHORT_SERVERS)


def _names_of(words: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(word for _, word in words if word != "--producer-props")


def _has(arguments: Sequence[str], options: Sequence[str]) -> bool:
    """Whether one of the options is there: in full, shortened, or as `option=value`."""
    for argument in arguments:
        word = argument.split("=")[0]
        if word in options:
            return True
        if len(word) >= SHORTEST and any(option.startswith(word) for option in options):
            return True
    return False


def _version(settings: Settings, lab: LiveLab | None) -> str:
    """The tools' version if the cluster does not decide it."""
    if settings.kafka_version:
        return pinned_version(settings.kafka_version)
    is_labs = lab is not None and not settings.bootstrap and not settings.client_config
    return lab.mark.version if lab is not None and is_labs else KAFKA_VERSION


def _target(settings: Settings, lab: LiveLab | None) -> Target:
    """The cluster that the environment names, else the lab that is up.

    Raises:
        BrokerError: there is neither, or it does not answer.
    """
    is_plain = not (settings.bootstrap or settings.client_config or settings.kafka_version)
    if lab is not None and is_plain and lab.mark.backend == "embedded":
        # A shortcut: the code below finds the same, but needs slow imports.
        servers = ",".join(f"127.0.0.1:{port}" for port in lab.ports)
        return Target(servers, None, lab.mark.version)
    if lab is None and not settings.bootstrap and not settings.client_config:
        raise NoLab(
            "No lab is up, and no cluster was named.",
            suspect="the lab was ended, or another cache folder is in use.",
            remedy="start one with `kafkalab up`, or name yours with --bootstrap-server or "
            "KAFKALAB_BOOTSTRAP.",
        )
    from kafkalab.brokers.cluster import cluster_of

    cluster = cluster_of(None, None, None)
    version = pinned_version(cluster.version) if cluster.version else ""
    return Target(cluster.bootstrap, cluster.java_properties, version)


def _prepare(tools: Tools) -> None:
    from kafkalab.cli import output
    from kafkalab.cli.setup import Bar

    # The bar goes to stderr, as the tool's output may go to another program.
    with Bar(output.beside()) as bar:
        tools.prepare(bar)


def _users_flags() -> list[str]:
    """The flags for the JVM from the variables that Kafka's start scripts read, too."""
    import shlex

    words = (os.environ.get(name, "") for name in ("KAFKA_HEAP_OPTS", "KAFKA_OPTS"))
    return [flag for each in words for flag in shlex.split(each)]
