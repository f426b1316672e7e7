"""Kafka's own tools: their names, their jars, and the AOT cache for a quick start.

The names are those of the scripts in the `bin` folder of Apache Kafka, without `.sh`; the
classes are those that the scripts start. Tools of Connect and Streams are left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kafkalab.brokers import Steps, Topology
from kafkalab.brokers.cache import require_safe, require_writable
from kafkalab.brokers.distribution import (
    LEAN_FLAGS,
    Distribution,
    Jar,
    kind_of_cpu,
    one_line,
    pinned_jars,
    pinned_versions,
    pins_of,
    sha256_of,
    stamp_of,
)
from kafkalab.brokers.errors import NoTool, PreparationFailed
from kafkalab.brokers.marks import Mark, read_mark

if TYPE_CHECKING:
    from kafkalab.brokers.embedded import EmbeddedBackend

OURS = "org.apache.kafka.tools."

AOT_CACHE = "tools.aot"

FLAGS = (
    # All tiers of the compiler: some tools measure what a client can do.
    *(flag for flag in LEAN_FLAGS if flag != "-XX:TieredStopAtLevel=1"),
    "-Xlog:disable",
    # The level in config/tools-log4j2.yaml of Apache Kafka.
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

# With a recording of all tiers, the JVM compiles much code again at each start, which then takes
# a third longer.
RECORDED_WITH = (*FLAGS, "-XX:TieredStopAtLevel=1")

Since = tuple[tuple[str, str], ...]
"""first versions of Kafka, oldest first, each with its word; an empty word: none yet"""


def _always(word: str) -> Since:
    return (("4.0", word),)


SERVERS = _always("--bootstrap-server")
CONFIG = _always("--command-config")
NONE = _always("")


def _config_was(older: str) -> Since:
    """The option's names before and after KIP-1147, which made it the same for all tools."""
    return (("4.0", older), ("4.2", "--command-config"))


@dataclass(frozen=True)
class Tool:
    """One of Kafka's tools."""

    mains: Since
    """the class that it starts"""
    servers: Since = SERVERS
    """the option that names the cluster"""
    config: Since = CONFIG
    """the option that names a file of client properties"""
    has_commands: bool = False
    """whether options follow a first word, as in `kafka-cluster cluster-id`"""

    def main(self, version: str) -> str:
        """The class that it starts in a version; empty if that version does not have the tool."""
        return word_in(self.mains, version)


def _tool(main: str, *, servers: Since = SERVERS, config: Since = CONFIG) -> Tool:
    return Tool(_always(OURS + main), servers, config)


TOOLS = {
    "kafka-acls": _tool("AclCommand"),
    "kafka-broker-api-versions": _tool("BrokerApiVersionsCommand"),
    "kafka-client-metrics": _tool("ClientMetricsCommand"),
    "kafka-cluster": Tool(
        _always(OURS + "ClusterTool"), config=_config_was("--config"), has_commands=True
    ),
    "kafka-configs": Tool((("4.0", "kafka.admin.ConfigCommand"), ("4.4", OURS + "ConfigCommand"))),
    "kafka-console-consumer": _tool(
        "consumer.ConsoleConsumer", config=_config_was("--consumer.config")
    ),
    "kafka-console-producer": _tool("ConsoleProducer", config=_config_was("--producer.config")),
    "kafka-console-share-consumer": _tool(
        "consumer.ConsoleShareConsumer", config=_config_was("--consumer-config")
    ),
    "kafka-consumer-groups": _tool("consumer.group.ConsumerGroupCommand"),
    "kafka-consumer-perf-test": _tool(
        "ConsumerPerformance", config=_config_was("--consumer.config")
    ),
    "kafka-delegation-tokens": _tool("DelegationTokenCommand"),
    "kafka-delete-records": _tool("DeleteRecordsCommand"),
    "kafka-dump-log": Tool(
        (("4.0", "kafka.tools.DumpLogSegments"), ("4.3", OURS + "DumpLogSegments")), NONE, NONE
    ),
    # Before KIP-1147 it took its arguments by position, with the servers first.
    "kafka-e2e-latency": _tool(
        "EndToEndLatency",
        servers=(("4.0", ""), ("4.2", "--bootstrap-server")),
        config=(("4.0", ""), ("4.2", "--command-config")),
    ),
    "kafka-features": _tool("FeatureCommand"),
    "kafka-get-offsets": _tool("GetOffsetShell"),
    "kafka-groups": _tool("GroupsCommand"),
    "kafka-jmx": _tool("JmxTool", servers=NONE, config=NONE),
    "kafka-leader-election": _tool("LeaderElectionCommand", config=_config_was("--admin.config")),
    "kafka-log-dirs": _tool("LogDirsCommand"),
    "kafka-metadata-quorum": _tool("MetadataQuorumCommand"),
    "kafka-producer-perf-test": _tool(
        "ProducerPerformance",
        servers=(("4.0", "--producer-props"), ("4.2", "--bootstrap-server")),
        config=_config_was("--producer.config"),
    ),
    "kafka-reassign-partitions": _tool("reassign.ReassignPartitionsCommand"),
    "kafka-replica-verification": _tool(
        "ReplicaVerificationTool", servers=_always("--broker-list"), config=NONE
    ),
    "kafka-share-consumer-perf-test": Tool(
        (("4.0", ""), ("4.1", OURS + "ShareConsumerPerformance")),
        config=_config_was("--consumer.config"),
    ),
    "kafka-share-groups": _tool("consumer.group.ShareGroupCommand"),
    "kafka-streams-groups": Tool((("4.0", ""), ("4.1", OURS + "streams.StreamsGroupCommand"))),
    "kafka-topics": _tool("TopicCommand"),
    "kafka-transactions": _tool("TransactionsCommand"),
    "kafka-verifiable-consumer": _tool(
        "VerifiableConsumer", config=_config_was("--consumer.config")
    ),
    "kafka-verifiable-producer": _tool(
        "VerifiableProducer", config=_config_was("--producer.config")
    ),
    "kafka-verifiable-share-consumer": Tool(
        (("4.0", ""), ("4.1", OURS + "VerifiableShareConsumer"))
    ),
}


def word_in(words: Since, version: str) -> str:
    """The word of a version of Kafka; empty if it has none."""
    return [word for since, word in words if _minor(since) <= _minor(version)][-1]


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def main_of(name: str, version: str) -> str:
    """The class that a tool starts.

    Raises:
        NoTool: this version has no such tool.
    """
    if main := TOOLS[name].main(version):
        return main
    having = [each for each in pinned_versions() if TOOLS[name].main(each)]
    raise NoTool(
        f"Kafka {version} has no {name}.",
        suspect="the tool is newer.",
        remedy=f"use one of {', '.join(having)}, with KAFKALAB_KAFKA_VERSION and `kafkalab up`.",
    )


class ToolDistribution(Distribution):
    """One Kafka version in the cache folder, with the jars of its tools."""

    fetched_by: ClassVar[str] = "kafkalab kafka-topics --version"

    @property
    def jars(self) -> tuple[Jar, ...]:
        return (*pinned_jars(self.version), *pins_of("tool_jars", self.version))


@dataclass(frozen=True, kw_only=True)
class ToolsMark(Mark):
    """The mark of a folder with the tools' AOT cache; its name is the folder's."""

    aot_stamp: tuple[int, ...]
    """the stamp of the finished AOT cache"""
    aot_sha256: str


class Tools:
    """The tools of one Kafka version, Java runtime and kind of CPU, with their own AOT cache."""

    def __init__(self, distribution: ToolDistribution) -> None:
        self.distribution = distribution
        ingredients = [
            distribution.java.build,
            # File names only: the JVM accepts the cache if the jars are in another folder
            # (JDK-8279366).
            [jar.file_name for jar in distribution.jars],
            [jar.sha256 for jar in distribution.jars],
            RECORDED_WITH,
            kind_of_cpu(),
        ]
        key = hashlib.sha256(json.dumps(ingredients).encode()).hexdigest()[:12]
        self.folder = distribution.cache / "tools" / f"{distribution.version}-{key}"

    @property
    def aot_cache(self) -> Path:
        return self.folder / AOT_CACHE

    @property
    def is_there(self) -> bool:
        """Whether nothing has to be fetched or made."""
        has_cache = not self.distribution.java.has_aot_cache or self._mark() is not None
        return has_cache and not self.distribution.missing_jars()

    def command(self, main: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
        """The command line that runs a main class, with the AOT cache if there is one.

        Args:
            main: the class.
            arguments: its arguments.
            flags: more flags for the JVM.
        """
        return self.distribution.command(
            main, *arguments, flags=[*FLAGS, *self._aot_flags(), *flags]
        )

    def require_safe(self) -> None:
        """Refuse jars and an AOT cache that another user could change.

        Raises:
            CacheNotSafe: others could change one of the folders or files.
        """
        distribution = self.distribution
        folders = [distribution.cache, distribution.jar_folder, self.folder.parent, self.folder]
        require_safe([*folders, *distribution.jar_files, self.aot_cache])

    def prepare(self, steps: Steps) -> None:
        """Fetch the jars and make the AOT cache, if they are missing: once, 5 s or more.

        Raises:
            BrokerError: a jar could not be fetched, or Kafka could not be started.
        """
        from filelock import FileLock, Timeout

        from kafkalab.brokers.embedded import PREPARE_LIMIT, EmbeddedBackend

        require_writable(self.distribution.cache)
        broker = EmbeddedBackend(self.distribution.cache, self.distribution.version)
        broker.prepare(steps)
        try:
            with FileLock(self.distribution.cache / "kafkalab-tools.lock", timeout=PREPARE_LIMIT):
                self.distribution.fetch(steps)
                if self.distribution.java.has_aot_cache and self._mark() is None:
                    self._make_aot_cache(broker, steps)
        except Timeout as error:
            raise PreparationFailed(
                f"Another command has been preparing Kafka's tools for {PREPARE_LIMIT:.0f} s.",
                suspect="a slow network, or a command that hangs.",
                remedy="end that command, then try again.",
            ) from error
        except OSError as error:
            raise PreparationFailed(
                f"Kafka's tools could not be prepared in {self.distribution.cache} "
                f"({one_line(error)}).",
                suspect="a full disk, or files there that belong to another user.",
                remedy="free some space, or name another folder with KAFKALAB_CACHE.",
            ) from error

    def _mark(self) -> ToolsMark | None:
        return read_mark(self.folder / "tools.json", ToolsMark, self.folder.name)

    def _aot_flags(self) -> list[str]:
        """The flags that use the AOT cache; the JVM ignores a cache that does not fit.

        The JVM checks the whole content only with a flag, see `Prepared.aot_flags`.
        """
        mark = self._mark()
        if mark is None or not self.aot_cache.exists():
            return []
        is_as_left = (
            stamp_of(self.aot_cache) == mark.aot_stamp
            or sha256_of(self.aot_cache) == mark.aot_sha256
        )
        flag = f"-XX:AOTCache={self.aot_cache}"
        return [flag] if is_as_left else [flag, "-XX:+VerifySharedSpaces"]

    def _make_aot_cache(self, backend: EmbeddedBackend, steps: Steps) -> None:
        """Let a tool list the topics of a new broker, and make a cache of the loaded classes.

        The folder is made in another place and then renamed: it is complete or does not exist.
        """
        from kafkalab.brokers.cache import make_folder
        from kafkalab.brokers.node import Node
        from kafkalab.brokers.owner import Owner
        from kafkalab.brokers.prepared import write_aot_cache
        from kafkalab.brokers.runs import workshop

        steps.step("writing an AOT cache for Kafka's own tools, once")
        with workshop(self.distribution.cache) as folder:
            recorded, draft = folder / "tools.aotconf", folder / "tools"
            draft.mkdir(mode=0o700)
            self._record(backend, folder, recorded)
            node = Node(0, folder, 0, 0)
            main = (TOOLS["kafka-topics"].main(self.distribution.version),)
            made = draft / AOT_CACHE
            write_aot_cache(self.distribution, node, main, RECORDED_WITH, recorded, made)
            # Set explicitly, as the umask may allow others to write: its content is run.
            made.chmod(0o600)
            mark = ToolsMark(
                name=self.folder.name,
                owner=Owner.me(),
                aot_stamp=stamp_of(made),
                aot_sha256=sha256_of(made),
            )
            mark.write(draft / "tools.json")
            make_folder(self.folder.parent)
            if os.path.lexists(self.folder):
                raise PreparationFailed(
                    f"{self.folder} is there, and kafkalab did not make it.",
                    suspect="foreign files in the cache folder.",
                    remedy="move it away, or name another folder with KAFKALAB_CACHE.",
                )
            draft.rename(self.folder)

    def _record(self, backend: EmbeddedBackend, folder: Path, recorded: Path) -> None:
        broker = backend.launch(Topology(), folder / "training")
        flags = [*RECORDED_WITH, "-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}"]
        main = TOOLS["kafka-topics"].main(self.distribution.version)
        arguments = ("--bootstrap-server", broker.bootstrap, "--list")
        try:
            # It takes 2 s on an idle machine.
            answer = subprocess.run(
                self.distribution.command(main, *arguments, flags=flags),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise _no_training("it took longer than 120 s") from error
        finally:
            broker.close()
        if answer.returncode != 0:
            raise _no_training(one_line(answer.stderr or answer.stdout))


def _no_training(why: str) -> PreparationFailed:
    return PreparationFailed(
        f"Kafka's tool kafka-topics did not list the topics of a new broker ({why}).",
        suspect="a machine under heavy load, or too little memory.",
        remedy="try again.",
    )
