"""`kafkalab serve`: the REST API, and the explorer's page."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from kafkalab import typed
from kafkalab.brokers.cluster import Cluster, cluster_of
from kafkalab.brokers.live import Labs
from kafkalab.brokers.names import EVERY_RUN
from kafkalab.cli import output
from kafkalab.cli.options import (
    BootstrapOption,
    CacheOption,
    ConfigOption,
    VersionOption,
    WrongValue,
)
from kafkalab.cli.warmed import ended_by_signals, warmed
from kafkalab.config import SERVE_PORT, Settings
from kafkalab.demo import DEMO_TOPICS
from kafkalab.tasks.topics import provision

TOKEN_VARIABLE = "KAFKALAB_TOKEN"  # noqa: S105 - that is its name
SHORTEST_TOKEN = 16


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = SERVE_PORT,
    host: Annotated[
        str, typer.Option(help="The address to listen on; other machines need the token.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option(help=f"A file with the token; else {TOKEN_VARIABLE} has it.")
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="On your own cluster only names with this prefix may be changed.")
    ] = EVERY_RUN,
    allow_foreign: Annotated[
        bool, typer.Option("--allow-foreign", help="On your own cluster all may be changed.")
    ] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    kafka_version: VersionOption = None,
    cache: CacheOption = None,
) -> None:
    """Serve the REST API at /docs, and the explorer at /, until Ctrl-C.

    It works on the lab that is up, else on one of its own, or on any cluster with --bootstrap.
    Example: kafkalab serve --port 8765
    """
    _require_extra()
    from kafkalab.web.app import create_app
    from kafkalab.web.safety import Door, is_loopback
    from kafkalab.web.server import serve as listen

    if not prefix:
        raise WrongValue("--prefix: an empty one would allow all names: --allow-foreign says so")
    token = _token(token_file)
    if not token and not is_loopback(host):
        raise WrongValue(
            f"--host {host}: other machines could reach it, so it needs a token: "
            f"name a file with one by --token-file, or set {TOKEN_VARIABLE}"
        )
    settings = Settings.from_environment(
        bootstrap=bootstrap, client_config=config, cache=cache, kafka_version=kafka_version
    )
    with _listener(host, port) as listener, ended_by_signals():
        try:
            with _cluster(settings) as cluster:
                door = Door(host, token)
                app = create_app(cluster, door, prefix=prefix, allow_foreign=allow_foreign)
                _tell(cluster, host, listener.getsockname()[1], has_token=bool(token))
                listen(app, listener)
        except KeyboardInterrupt:
            output.line()
            raise typer.Exit(typed.ENDED_BY_CTRL_C) from None


def _require_extra() -> None:
    try:
        import fastapi
        import fastapi.sse
        import uvicorn
    except ImportError as error:
        raise WrongValue(
            f"serve needs {error.name}, which is not installed: pip install 'pytest-kafkalab[api]'"
        ) from error
    _ = fastapi, uvicorn


def _token(file: Path | None) -> str:
    """The token that clients must send; empty if none was given.

    Raises:
        WrongValue: the file cannot be read, or the token is too short or has other letters.
    """
    import os

    try:
        token = os.environ.get(TOKEN_VARIABLE, "") if file is None else file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise WrongValue(f"--token-file {file}: {error}") from error
    token = token.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise WrongValue("the token has blanks or other letters than ASCII's: no header carries it")
    if (file is not None or token) and len(token) < SHORTEST_TOKEN:
        raise WrongValue(
            f"the token has {len(token)} characters: use {SHORTEST_TOKEN} or more, as from "
            "`openssl rand -hex 16`"
        )
    return token


@contextlib.contextmanager
def _cluster(settings: Settings) -> Iterator[Cluster]:
    """The cluster that was named, the lab that is up, or one that ends with the block.

    Raises:
        BrokerError: it does not answer, or cannot be started.
    """
    is_named = settings.bootstrap or settings.client_config
    if is_named or Labs(settings.cache).find() is not None:
        yield cluster_of(
            settings.bootstrap or None,
            str(settings.client_config) if settings.client_config else None,
            str(settings.cache),
            settings.kafka_version or None,
        )
        return
    output.line("No lab is up, so one is started: it ends with this command.", style="dim")
    with warmed(settings) as warm:
        broker = warm.broker()
        properties = {**broker.client_properties(), "log_level": 0}
        provision(properties, DEMO_TOPICS)
        yield Cluster(
            properties,
            f"a lab of this server's own at {broker.bootstrap}",
            broker.version,
            is_lab=True,
            java_properties=None,
        )


@contextlib.contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound.

    Raises:
        WrongValue: the port is taken, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise WrongValue(f"--host {host}: {error.strerror}: name an address of yours") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            # A client that calls as soon as the address is printed waits, and is not refused.
            listener.listen()
        except OSError as error:
            raise WrongValue(
                f"--port {port}: it is not possible to listen at {host}:{port} "
                f"({error.strerror}): name another, or 0 for any free port"
            ) from error
        yield listener


def _tell(cluster: Cluster, host: str, port: int, *, has_token: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    output.line(f"It works on {cluster.title}.")
    output.whole(f"http://{shown}:{port}/      the explorer")
    output.whole(f"http://{shown}:{port}/docs  the API")
    if has_token:
        output.line("It asks for the token, which is not shown here.")
    output.line("Ctrl-C ends it.")
