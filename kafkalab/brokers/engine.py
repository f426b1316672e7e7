"""The Docker engine: finding it, where it publishes, and the label of what a run has there.

Who starts containers (`container`) and who clears up after a run (`runs`) both stand on this.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from kafkalab.brokers.node import STOP_LIMIT

if TYPE_CHECKING:
    from docker.models.containers import Container

    import docker

RUN_LABEL = "kafkalab.run"
"""on each container and network of a run; its value is the run's id"""

# An engine that is there answers in milliseconds, a hung one never.
ENGINE_LIMIT = 5
LOOPBACK = "127.0.0.1"


def find_engine() -> docker.DockerClient | None:
    """A client of the Docker engine that answers; None when none does.

    Looks for signs of an engine first: importing Docker's client costs more
    than the rest of the choice.
    """
    signs = (Path("/var/run/docker.sock"), Path.home() / ".docker" / "config.json")
    if not os.environ.get("DOCKER_HOST") and not any(sign.exists() for sign in signs):
        return None
    import docker.errors
    import requests

    import docker

    try:
        client = (
            docker.from_env(timeout=ENGINE_LIMIT)
            if os.environ.get("DOCKER_HOST")
            else docker.DockerClient(base_url=_engine_url(), timeout=ENGINE_LIMIT)
        )
        client.ping()
    except (docker.errors.DockerException, requests.RequestException, OSError, ValueError):
        return None
    # The engine is there: from now on operations may take as long as a graceful stop.
    client.api.timeout = int(STOP_LIMIT * 2)
    return client


def _engine_url() -> str | None:
    """Where the engine is; None where that is nowhere else than usual."""
    from docker.context import ContextAPI

    if host := os.environ.get("DOCKER_HOST"):
        return host
    context = ContextAPI.get_current_context()
    return None if context is None else context.Host


def engine_host() -> str:
    """The address at which the engine publishes ports; LOOPBACK where it is this machine's."""
    import docker.errors
    from docker.utils import parse_host

    try:
        # As Docker's own client reads it: what has no scheme is TCP.
        url = urlparse(parse_host(_engine_url()))
    except docker.errors.DockerException:
        return LOOPBACK
    host = url.hostname if url.scheme in ("http", "https", "ssh") else None
    if not host or is_loopback(host):
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def remove_container(container: Container) -> None:
    """Kill and remove a container; one that is gone already is fine."""
    import docker.errors

    try:
        container.remove(force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise


def remove_containers_of(run: str) -> None:
    """Remove all containers and networks that carry the run's label."""
    client = find_engine()
    if client is None:
        return
    mark: dict[str, Any] = {"label": f"{RUN_LABEL}={run}"}
    for container in client.containers.list(all=True, filters=mark):
        remove_container(container)
    for network in client.networks.list(filters=mark):
        network.remove()
