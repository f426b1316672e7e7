"""Which backend a run gets, and why."""

from __future__ import annotations

from pathlib import Path

from kafkalab.brokers import Backend
from kafkalab.brokers.container import ContainerBackend
from kafkalab.brokers.distribution import pinned_version
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import NoLab, OtherVersion, UnknownBackend
from kafkalab.brokers.external import ExternalBackend
from kafkalab.brokers.lab_state import LiveLab
from kafkalab.brokers.live import Labs, LiveBackend, Starter
from kafkalab.config import BACKENDS, DEFAULT_IMAGE, KAFKA_VERSION, Settings


def choose(settings: Settings) -> tuple[Backend, str]:
    """The backend for these settings, and the reason where kafkalab had the choice.

    Auto takes a container when a Docker engine answers and the image is there;
    it does not pull: a lesson must not wait for a download it was not asked for.
    It never takes an external cluster: others use that, so it must be asked for by name. A lab
    that is up is the user's own, and is taken where it fits.

    Raises:
        UnknownBackend, UnknownVersion: there is no backend, or Kafka, of that name.
    """
    if settings.backend != "auto":
        return backend_named(settings.backend, settings), ""
    lab, unfit = fitting_lab(settings)
    if lab is not None:
        return lab, "auto: a lab is up, and fits"
    starter, reason = choose_starter(settings)
    passed_over = f"; the lab that is up is passed over: {unfit}" if unfit else ""
    return starter, f"{reason}{passed_over}"


def choose_starter(settings: Settings) -> tuple[Starter, str]:
    """The backend that starts a broker here, and why this one.

    Raises:
        UnknownVersion: there is no such Kafka.
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
        UnknownBackend, UnknownVersion: there is no backend, or Kafka, of that name.
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
                f"The lab that is up is not taken: {unfit}." if unfit else "No lab is up.",
                suspect="it was asked for with --kafkalab-backend=lab, and auto would do without.",
                remedy="start one that fits with `kafkalab up`; `kafkalab down` ends another.",
            )
        return lab
    if name == "external":
        return ExternalBackend(
            settings.bootstrap, settings.client_config, settings.kafka_version, settings.cache
        )
    raise UnknownBackend(
        f"There is no backend '{name}'.",
        suspect="a typing error in --kafkalab-backend, KAFKALAB_BACKEND or kafkalab_backend.",
        remedy=f"use one of {', '.join(BACKENDS)}.",
    )


def fitting_lab(settings: Settings) -> tuple[LiveBackend | None, str]:
    """The lab that is up, if a run with these settings can use it; else why not, if one is up.

    Raises:
        UnknownVersion: there is no such Kafka.
    """
    version = pinned_version(settings.kafka_version or KAFKA_VERSION)
    lab = Labs(settings.cache).find()
    if lab is None:
        return None, ""
    if unfit := lab.why_unfit(version, settings.image):
        return None, unfit
    return LiveBackend(lab, starter_of(lab, settings.cache), settings.cache), ""


def starter_of(lab: LiveLab, cache: Path) -> Starter:
    """What has started a lab, and can attach to it."""
    if lab.mark.backend == "container":
        return ContainerBackend(lab.mark.image)
    return EmbeddedBackend(cache, lab.mark.version)


def embedded_backend(settings: Settings) -> EmbeddedBackend:
    """The embedded backend with the version that was asked for.

    Raises:
        UnknownVersion: that Kafka is not pinned here.
    """
    version = pinned_version(settings.kafka_version or KAFKA_VERSION)
    return EmbeddedBackend(settings.cache, version)


def container_backend(settings: Settings) -> ContainerBackend:
    """The container backend with the image that was named, else the default one of the version.

    Raises:
        UnknownVersion: that Kafka is not pinned here.
        OtherVersion: an image and a version were named, and the image's tag is not the version.
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
