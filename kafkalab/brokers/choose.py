"""Choose the backend of a run, and give the reason."""

from __future__ import annotations

from pathlib import Path

from kafkalab.brokers import Backend
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.distribution import pinned_version
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import NoLab, OtherVersion, UnknownBackend
from kafkalab.brokers.lab_state import LiveLab
from kafkalab.brokers.live import Labs, LiveBackend, Starter
from kafkalab.config import BACKENDS, DEFAULT_IMAGE, KAFKA_VERSION, Settings


def choose(settings: Settings) -> tuple[Backend, str]:
    """The backend for these settings, and the reason if kafkalab chose it.

    Auto takes a container if a Docker engine answers and the image is on this machine.
    It does not pull an image: a lesson must not wait for a download that the user did not ask
    for. It never takes an external cluster: others use it, so the user must name it. A lab that
    is up is the user's own; auto takes it if it fits.

    Raises:
        UnknownBackend, UnknownVersion: there is no such backend, or version of Kafka.
    """
    if settings.backend != "auto":
        return backend_named(settings.backend, settings), ""
    lab, unfit = fitting_lab(settings)
    if lab is not None:
        return lab, "auto: a lab is up, and fits"
    starter, reason = choose_starter(settings)
    passed_over = f"; the lab that is up is not used: {unfit}" if unfit else ""
    return starter, f"{reason}{passed_over}"


def choose_starter(settings: Settings) -> tuple[Starter, str]:
    """The backend that starts a broker here, and the reason for it.

    Raises:
        UnknownVersion: there is no such version of Kafka.
    """
    embedded = embedded_backend(settings)
    try:
        container = container_backend(settings)
    except OtherVersion:
        return embedded, f"auto: {settings.image} is not Kafka {embedded.kafka_version}"
    if not container.engine_answers():
        return embedded, "auto: no Docker engine answers"
    if not container.has_image():
        return embedded, f"auto: Docker answers, but {container.image} is not there"
    return container, "auto: Docker answers and the image is there"


def backend_named(name: str, settings: Settings) -> Backend:
    """The backend of that name, with these settings.

    Raises:
        UnknownBackend, UnknownVersion: there is no such backend, or version of Kafka.
        OtherVersion: image and version contradict each other.
    """
    if name == "embedded":
        return embedded_backend(settings)
    if name == "container":
        return container_backend(settings)
    if name == "lab":
        lab, unfit = fitting_lab(settings)
        if lab is None:
            raise NoLab(
                f"The lab that is up cannot be used: {unfit}." if unfit else "No lab is up.",
                suspect="--kafkalab-backend=lab asks for a lab; auto would run without one.",
                remedy="end a lab that does not fit with `kafkalab down`, and start one with "
                "`kafkalab up`.",
            )
        return lab
    if name == "external":
        # Imported here: the modules that read a cluster's properties load slowly.
        from kafkalab.brokers.external import ExternalBackend

        return ExternalBackend(
            settings.bootstrap, settings.client_config, settings.kafka_version, settings.cache
        )
    raise UnknownBackend(
        f"There is no backend '{name}'.",
        suspect="a typing error in --kafkalab-backend, KAFKALAB_BACKEND or kafkalab_backend.",
        remedy=f"use one of {', '.join(BACKENDS)}.",
    )


def fitting_lab(settings: Settings) -> tuple[LiveBackend | None, str]:
    """The lab that is up, or the reason why a run with these settings cannot use it.

    Both are empty if no lab is up.

    Raises:
        UnknownVersion: there is no such version of Kafka.
    """
    version = pinned_version(settings.kafka_version or KAFKA_VERSION)
    lab = Labs(settings.cache).find()
    if lab is None:
        return None, ""
    if unfit := lab.why_unfit(version, settings.image):
        return None, unfit
    return LiveBackend(lab, starter_of(lab, settings.cache), settings.cache), ""


def starter_of(lab: LiveLab, cache: Path) -> Starter:
    """The backend that started a lab and can attach to it."""
    if lab.mark.backend == "container":
        return ContainerBackend(lab.mark.image)
    return EmbeddedBackend(cache, lab.mark.version)


def embedded_backend(settings: Settings) -> EmbeddedBackend:
    """The embedded backend with the version in the settings.

    Raises:
        UnknownVersion: kafkalab has no pinned jars of that version.
    """
    version = pinned_version(settings.kafka_version or KAFKA_VERSION)
    return EmbeddedBackend(settings.cache, version)


def container_backend(settings: Settings) -> ContainerBackend:
    """The container backend with the image in the settings, else the version's default image.

    Raises:
        UnknownVersion: kafkalab has no pinned jars of that version.
        OtherVersion: the settings name an image and a version, and the image's tag is another.
    """
    version = pinned_version(settings.kafka_version or KAFKA_VERSION)
    container = ContainerBackend(settings.image or f"{DEFAULT_IMAGE}:{version}")
    if settings.kafka_version and container.kafka_version != version:
        raise OtherVersion(
            f"The image {container.image} is not Kafka {version}.",
            suspect="--kafkalab-image and --kafkalab-version name two versions.",
            remedy="leave one of them out, or use --kafkalab-backend=embedded.",
        )
    return container
