"""Commands that get a machine ready: `kafkalab prepare` and `kafkalab doctor`."""

from __future__ import annotations

import contextlib
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from kafkalab.brokers.cache import require_writable
from kafkalab.brokers.choose import container_backend, embedded_backend
from kafkalab.brokers.distribution import Distribution, find_java
from kafkalab.brokers.errors import BrokerError, NoJava, OtherVersion
from kafkalab.brokers.prepared import Prepared
from kafkalab.brokers.runs import runs_in
from kafkalab.cli import output
from kafkalab.cli.options import CacheOption, ImageOption, VersionOption
from kafkalab.config import Settings, doc
from kafkalab.readable import readable

OLDEST_PYTHON = (3, 11)
# Runs of other machines that are shown.
SHOWN = 5


class Bar:
    """A progress bar for downloads, and a line for each step."""

    def __init__(self, console: Console | None = None) -> None:
        """A bar that appears with the first download.

        Args:
            console: where it is shown; None means stdout.
        """
        self._progress = Progress(
            TextColumn("  "),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("fetch", visible=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        # Stopping a bar that never appeared would print an empty line.
        if self._progress.live.is_started:
            self._progress.stop()

    def step(self, text: str) -> None:
        output.line(text, console=self._progress.console)

    def total(self, size: int) -> None:
        self._progress.start()
        self._progress.update(self._task, total=size, visible=True)

    def advance(self, size: int) -> None:
        self._progress.advance(self._task, size)


def prepare(
    again: Annotated[
        bool, typer.Option("--again", help="Delete what was prepared, and prepare it again.")
    ] = False,
    cache: CacheOption = None,
    image: ImageOption = None,
    kafka_version: VersionOption = None,
) -> None:
    """Fetch and prepare Kafka, once: about 45 MB, and 15 seconds."""
    settings = Settings.from_environment(cache=cache, image=image, kafka_version=kafka_version)
    embedded = embedded_backend(settings)
    if again:
        embedded.prepared.remove()
    with Bar() as bar:
        embedded.prepare(bar)
    output.line(f"Ready: {embedded.describe()}.")
    _pull_image(settings)


def _pull_image(settings: Settings) -> None:
    """Pull the image; if that fails, say so, as the embedded Kafka is enough."""
    try:
        container = container_backend(settings)
        if not container.engine_answers():
            output.line("No Docker engine answers; none is needed.")
            return
        with Bar() as bar:
            container.prepare(bar)
    except BrokerError as error:
        happened = str(error).partition(" Suspected:")[0]
        output.line(f"Going on without containers: {happened}")
        return
    output.line(f"Ready: {container.describe()}.")


class Finding(NamedTuple):
    """One line of the doctor's report."""

    what: str
    is_well: bool
    found: str
    remedy: str = ""


def doctor(
    cache: CacheOption = None, image: ImageOption = None, kafka_version: VersionOption = None
) -> None:
    """Show what this machine can do, and how to get what is missing.

    Exit code 0 when at least one backend can start Kafka.
    """
    settings = Settings.from_environment(cache=cache, image=image, kafka_version=kafka_version)
    embedded = list(_embedded(settings))
    container = list(_container(settings))
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "to do"):
        table.add_column(heading, overflow="fold")
    for finding in [_python(), *embedded, *container, *_left_by_others(settings)]:
        sign = "[green]ok[/]" if finding.is_well else "[yellow]--[/]"
        table.add_row(sign, *(Text(readable(each)) for each in finding[0:1] + finding[2:]))
    output.picture(table)
    output.line()
    ready = [
        name
        for name, findings in (("embedded", embedded), ("container", container))
        if all(finding.is_well for finding in findings)
    ]
    output.line(
        f"Ready to start Kafka: {', '.join(ready)}." if ready else "Not ready to start Kafka yet.",
        style="bold",
    )
    raise typer.Exit(0 if ready else 1)


def _python() -> Finding:
    is_new_enough = sys.version_info[:2] >= OLDEST_PYTHON
    return Finding(
        "Python",
        is_new_enough,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "" if is_new_enough else "use Python 3.11 or newer",
    )


def _embedded(settings: Settings) -> Iterator[Finding]:
    yield _cache(settings)
    try:
        java = find_java()
    except BrokerError as error:
        yield _trouble("Java", error)
        return
    yield Finding("Java", True, f"{java.build} ({java.origin})")
    distribution = Distribution(settings.cache, java, embedded_backend(settings).kafka_version)
    missing = distribution.missing_jars()
    if missing:
        size = sum(jar.size for jar in missing) / 1e6
        found = f"{len(missing)} of {len(distribution.jars)} missing, {size:.0f} MB"
        yield Finding("Kafka jars", False, found, "kafkalab prepare")
    else:
        yield _jars(distribution)
    yield _prepared(Prepared(distribution))


def _cache(settings: Settings) -> Finding:
    try:
        require_writable(settings.cache)
        # Without Java nothing from the cache is run.
        with contextlib.suppress(NoJava):
            embedded_backend(settings).require_safe()
    except BrokerError as error:
        return _trouble("cache folder", error)
    return Finding("cache folder", True, str(settings.cache))


def _left_by_others(settings: Settings) -> Iterator[Finding]:
    """Runs of other machines or containers in this cache: whether they ended is unknown here.

    Runs of this machine from before its last reboot are among them.
    """
    runs = [run for run in runs_in(settings.cache) if not run.owner.machine.is_here()]
    for run in sorted(runs, key=lambda run: run.began)[:SHOWN]:
        days = (time.time() - run.began) / (24 * 3600)
        yield Finding(
            "run elsewhere",
            True,
            f"of {run.owner}, began {days:.1f} days ago, {_size_of(run.folder)}",
            f"if it has ended there: rm -r {shlex.quote(str(run.folder))}",
        )
    if len(runs) > SHOWN:
        yield Finding("run elsewhere", True, f"{len(runs) - SHOWN} more in {settings.cache}/runs")


def _size_of(folder: Path) -> str:
    size = 0
    for path in folder.rglob("*"):
        # The run may be deleting its files.
        with contextlib.suppress(OSError):
            size += path.lstat().st_size
    return f"{size / 1e6:.0f} MB"


def _jars(distribution: Distribution) -> Finding:
    try:
        distribution.verify()
    except BrokerError as error:
        return _trouble("Kafka jars", error)
    return Finding("Kafka jars", True, f"{distribution.version}, all sha256 sums are right")


def _prepared(prepared: Prepared) -> Finding:
    if not prepared.is_there:
        return Finding("prepared Kafka", False, "not yet", "kafkalab prepare")
    start = f"starts in about {prepared.measured_start:.1f} s"
    if not prepared.distribution.java.has_aot_cache:
        return Finding("prepared Kafka", True, f"{start}; Java 25 would make that faster")
    if not prepared.aot_cache.exists():
        return Finding("prepared Kafka", True, "the AOT cache is gone", "kafkalab prepare --again")
    size = prepared.aot_cache.stat().st_size / 1e6
    return Finding("prepared Kafka", True, f"{start}, AOT cache of {size:.0f} MB")


def _container(settings: Settings) -> Iterator[Finding]:
    try:
        backend = container_backend(settings)
    except OtherVersion as error:
        yield _trouble("image", error)
        return
    if not backend.engine_answers():
        remedy = "start Docker, if you want containers"
        yield Finding("Docker engine", False, "none answers", remedy)
        return
    yield Finding("Docker engine", True, backend.client.version()["Version"])
    has_image = backend.has_image()
    how = f"kafkalab prepare, or build one ({doc('docker.md', 'docker/README.md')})"
    yield Finding(
        "image",
        has_image,
        backend.image if has_image else f"{backend.image} is not there",
        "" if has_image else how,
    )


def _trouble(what: str, error: BrokerError) -> Finding:
    happened, _, remedy = str(error).splitlines()[0].partition(" To do: ")
    return Finding(what, False, happened, remedy)
