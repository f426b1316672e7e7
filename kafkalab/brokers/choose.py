"""Which backend a run gets, and why."""

from __future__ import annotations

from kafkalab.brokers import Backend
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import UnknownBackend
from kafkalab.brokers.external import ExternalBackend
from kafkalab.config import BACKENDS, Settings


def choose(settings: Settings) -> tuple[Backend, str]:
    """The backend for these settings, and the reason where kafkalab had the choice.

    Auto takes a container when a Docker engine answers and the image is there;
    it does not pull: a lesson must not wait for a download it was not asked for.
    It never takes an external cluster: others use that, so it must be asked for by name.

    Raises:
        UnknownBackend: there is no backend of that name.
    """
    if settings.backend != "auto":
        return backend_named(settings.backend, settings), ""
    container = ContainerBackend(settings.image)
    if not container.engine_answers():
        return EmbeddedBackend(settings.cache), "auto: no Docker engine answers"
    if not container.has_image():
        return (
            EmbeddedBackend(settings.cache),
            f"auto: Docker answers, but {settings.image} is not there",
        )
    return container, "auto: Docker answers and the image is there"


def backend_named(name: str, settings: Settings) -> Backend:
    """The backend of that name, with these settings.

    Raises:
        UnknownBackend: there is none.
    """
    if name == "embedded":
        return EmbeddedBackend(settings.cache)
    if name == "container":
        return ContainerBackend(settings.image)
    if name == "external":
        return ExternalBackend(settings.bootstrap, settings.client_config)
    raise UnknownBackend(
        f"There is no backend '{name}'.",
        suspect="a typing error in --kafka-backend, KAFKALAB_BACKEND or kafka_backend.",
        remedy=f"use one of {', '.join(BACKENDS)}.",
    )
