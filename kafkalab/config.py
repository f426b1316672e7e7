"""Every setting of kafkalab, in one frozen object: option, then environment, then ini."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import platformdirs

if TYPE_CHECKING:
    import pytest

PACKAGE = Path(__file__).parent

BACKENDS = ("auto", "lab", "container", "embedded", "external")
KAFKA_VERSION = "4.4.0"
DEFAULT_IMAGE = "apache/kafka"
SERVE_PORT = 8765
"""the default port of `kafkalab serve`; pages look for it there"""


class BadInput(Exception):
    """An input or a file of the user is not valid; the text is one line."""


class Knob(NamedTuple):
    """One setting. It comes from an option, a variable or the ini file; the first one wins."""

    flag: str
    variable: str
    default: str
    help: str

    @property
    def ini(self) -> str:
        """The key in the ini file, and the option's `dest`: no other plugin has the same name."""
        return self.flag.removeprefix("--").replace("-", "_")


KNOBS = {
    "backend": Knob(
        "--kafkalab-backend",
        "KAFKALAB_BACKEND",
        "auto",
        "where the broker runs: auto, lab, container, embedded or external (default: auto)",
    ),
    "image": Knob(
        "--kafkalab-image",
        "KAFKALAB_IMAGE",
        "",
        f"the image of the container backend (default: {DEFAULT_IMAGE} of the version)",
    ),
    "kafka_version": Knob(
        "--kafkalab-version",
        "KAFKALAB_KAFKA_VERSION",
        "",
        f"the version of Kafka, as in 4.1 or 4.1.2 (default: {KAFKA_VERSION})",
    ),
    "bootstrap": Knob(
        "--kafkalab-bootstrap",
        "KAFKALAB_BOOTSTRAP",
        "",
        "host:port of your cluster, comma separated; for the external backend",
    ),
    "client_config": Knob(
        "--kafkalab-config",
        "KAFKALAB_CONFIG",
        "",
        "a Java client's properties file (SASL, TLS) for your cluster; for the external backend",
    ),
    "solutions": Knob(
        "--kafkalab-solutions",
        "KAFKALAB_SOLUTIONS",
        "",
        "folder with your own topics.py, routing.py, ...: the component facts judge it",
    ),
    "reports": Knob(
        "--kafkalab-reports",
        "KAFKALAB_REPORTS",
        "reports",
        "folder for the run's page and record (default: reports, in the root folder)",
    ),
    "concept_summary": Knob(
        "--kafkalab-concept-summary",
        "KAFKALAB_CONCEPT_SUMMARY",
        "",
        "file for a summary of the run in Markdown, for a CI job to show (default: none)",
    ),
    "cache": Knob(
        "--kafkalab-cache",
        "KAFKALAB_CACHE",
        "",
        "folder in which Kafka is prepared, once per user (default: the user's cache folder)",
    ),
    "curriculum": Knob(
        "--kafkalab-curriculum",
        "KAFKALAB_CURRICULUM",
        "",
        "a curriculum manifest (TOML) in place of kafkalab's own; for authors",
    ),
}


def doc(name: str, in_clone: str) -> str:
    """The path of a page of the docs that a message names: in the package, or in a clone.

    The path is absolute, as a command may be called in any folder.

    Args:
        name: the name of the page in the package.
        in_clone: its path from a clone's root.
    """
    shipped = PACKAGE / "docs" / name
    return str(shipped if shipped.exists() else PACKAGE.parent / in_clone)


@dataclass(frozen=True)
class Settings:
    """The settings of a run. Paths are absolute."""

    backend: str
    image: str
    """empty if the user named none"""
    kafka_version: str
    """as the user gave it, in full or in part, such as 4.1; empty if the user gave none"""
    bootstrap: str
    client_config: Path | None
    solutions: Path | None
    reports: Path
    concept_summary: Path | None
    cache: Path
    curriculum: Path | None

    @classmethod
    def from_pytest(cls, config: pytest.Config) -> Settings:
        """Read the settings of a pytest run.

        Paths from the command line and the environment are relative to the folder
        in which pytest was called, as a shell user expects. Paths from the ini file
        and the default paths are relative to the root folder.
        """
        options = {
            name: config.getoption(knob.ini, default=None) or "" for name, knob in KNOBS.items()
        }
        inis = {name: str(config.getini(knob.ini) or "") for name, knob in KNOBS.items()}
        return cls._build(options, inis, config.invocation_params.dir, config.rootpath)

    @classmethod
    def from_environment(cls, **options: str | None) -> Settings:
        """Read the settings of a command: its options, then the environment, then defaults."""
        given = {name: value or "" for name, value in options.items()}
        return cls._build(given, {}, Path.cwd(), Path.cwd())

    def as_arguments(self) -> list[str]:
        """The same settings as command-line options of pytest."""
        values = {knob.flag: str(getattr(self, name) or "") for name, knob in KNOBS.items()}
        return [f"{flag}={value}" for flag, value in values.items() if value]

    @classmethod
    def _build(
        cls, options: Mapping[str, str], inis: Mapping[str, str], called_in: Path, root: Path
    ) -> Settings:
        def value(name: str) -> str:
            knob = KNOBS[name]
            return (
                options.get(name) or os.environ.get(knob.variable) or inis.get(name) or knob.default
            )

        def path(name: str) -> Path | None:
            base = called_in if options.get(name) or os.environ.get(KNOBS[name].variable) else root
            return (base / Path(value(name)).expanduser()).absolute() if value(name) else None

        return cls(
            backend=value("backend"),
            image=value("image"),
            kafka_version=value("kafka_version"),
            bootstrap=value("bootstrap"),
            client_config=path("client_config"),
            solutions=path("solutions"),
            reports=path("reports") or root / "reports",
            concept_summary=path("concept_summary"),
            cache=path("cache") or Path(platformdirs.user_cache_dir("kafkalab")),
            curriculum=path("curriculum"),
        )
