"""The Docker engine: how to find it, where it publishes ports, and the label of a run's containers.

Both `container`, which starts containers, and `runs`, which cleans up after a run, use this.
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
"""the label of each container and network of a run; its value is the run's id"""

# Seconds. A running engine answers in milliseconds, a hung one never.
ENGINE_LIMIT = 5
LOOPBACK = "127.0.0.1"


def find_engine() -> docker.DockerClient | None:
    """A client of the Docker engine; None if no engine answers.

    It looks for signs of an engine first, since importing Docker's client takes longer
    than the rest of the choice of a backend.
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
    # The engine answers. Later operations may take longer, as long as a graceful stop.
    client.api.timeout = int(STOP_LIMIT * 2)
    return client


def _engine_url() -> str | None:
    """The address of the engine; None for the usual one."""
    from docker.context import ContextAPI

    if host := os.environ.get("DOCKER_HOST"):
        return host
    context = ContextAPI.get_current_context()
    return None if context is None else context.Host


def engine_host() -> str:
    """The address at which the engine publishes ports; LOOPBACK for an engine on this machine."""
    import docker.errors
    from docker.utils import parse_host

    try:
        # Docker's own parser: an address without a scheme is TCP.
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
