"""Commands that pages and terminal propose; they work in the folder where pytest was called."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from kafkalab.brokers.distribution import pinned_versions
from kafkalab.collection import INSTALLED
from kafkalab.config import KAFKA_VERSION
from kafkalab.curriculum import Curriculum, Statement

if TYPE_CHECKING:
    from kafkalab.learning_log.record import FactRecord, RunRecord


def pytest_on(curriculum: Curriculum) -> str:
    """The command that runs the facts with pytest; it names the package if they are installed."""
    is_installed = INSTALLED & set(curriculum.folder.parts)
    return f"pytest --pyargs {curriculum.folder.name}" if is_installed else "pytest"


def task_command(task_id: str, curriculum: Curriculum) -> str:
    """The command that runs all facts of a task."""
    return f"{pytest_on(curriculum)} -k task_{task_id.replace('.', '_')}"


def fact_command(
    stated: Statement, curriculum: Curriculum, kafka_version: str = KAFKA_VERSION
) -> str:
    """The command that runs a fact again, with its controls.

    Args:
        stated: the fact.
        curriculum: the fact's curriculum.
        kafka_version: on which Kafka; if the fact is not stated for it, the command names
            the newest version for which it is.
    """
    fitting = [each for each in pinned_versions() if stated.is_stated_for(each)]
    version = kafka_version if kafka_version in fitting else (fitting or [KAFKA_VERSION])[-1]
    slow = "-m slow " if stated.is_slow else ""
    other = f" --kafkalab-version={version}" if version != KAFKA_VERSION else ""
    return f"{pytest_on(curriculum)} {slow}-k {stated.slug.replace('-', '_')}{other}"


def run_again(fact: FactRecord, curriculum: Curriculum, record: RunRecord) -> str:
    """The command that runs a fact again, on the same Kafka and with the same components."""
    version = str(record.broker.get("version") or KAFKA_VERSION)
    command = fact_command(curriculum.stated_facts[fact.slug], curriculum, version)
    return with_solutions(command, record.solutions)


def with_solutions(command: str, folder: str) -> str:
    """The command with the option that judges the components in a folder; as it is if empty."""
    return (
        f"{command} --kafkalab-solutions={shlex.quote(shown_folder(folder))}" if folder else command
    )


def shown_folder(folder: str) -> str:
    """The folder's path; relative if it is below the current folder, where commands are called."""
    path, here = Path(folder), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
