"""Who can use a broker of ours: nobody but this machine, unless the engine is another's."""

from __future__ import annotations

import pytest

from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.engine import engine_host


@pytest.mark.parametrize(
    ("docker_host", "host"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1"),
        ("tcp://127.0.0.1:2375", "127.0.0.1"),
        ("tcp://localhost:2375", "127.0.0.1"),
        ("tcp://[::1]:2375", "127.0.0.1"),
        ("tcp://10.0.0.5:2376", "10.0.0.5"),
        ("10.0.0.5:2376", "10.0.0.5"),
        ("tcp://[fd00::5]:2376", "[fd00::5]"),
        ("ssh://ann@build.example.com", "build.example.com"),
        ("nonsense://", "127.0.0.1"),
    ],
)
def test_where_an_engine_publishes(
    monkeypatch: pytest.MonkeyPatch, docker_host: str, host: str
) -> None:
    """An engine of this machine publishes on loopback; another one where clients reach it."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)

    assert engine_host() == host


@pytest.mark.parametrize(
    ("docker_host", "said"),
    [("unix:///var/run/docker.sock", False), ("tcp://10.0.0.5:2376", True)],
)
def test_an_engine_of_another_machine_is_told_of(
    monkeypatch: pytest.MonkeyPatch, docker_host: str, said: bool
) -> None:
    """The header says where everybody could use the broker."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)

    described = ContainerBackend("apache/kafka:4.4.0").describe()

    assert ("on 10.0.0.5: open to everybody who reaches that host" in described) == said
