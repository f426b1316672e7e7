"""Commands that pages and terminal propose: to be pasted where pytest was called."""

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
    """How pytest is called on the facts: those of an installed package are named."""
    is_installed = INSTALLED & set(curriculum.folder.parts)
    return f"pytest --pyargs {curriculum.folder.name}" if is_installed else "pytest"


def task_command(task_id: str, curriculum: Curriculum) -> str:
    """What runs all of a task."""
    return f"{pytest_on(curriculum)} -k task_{task_id.replace('.', '_')}"


def fact_command(
    stated: Statement, curriculum: Curriculum, kafka_version: str = KAFKA_VERSION
) -> str:
    """What runs a fact again, with its controls.

    Args:
        stated: the fact.
        curriculum: whose fact it is.
        kafka_version: on which Kafka; another that can be fetched where the fact
            is not stated for this one.
    """
    fitting = [each for each in pinned_versions() if stated.is_stated_for(each)]
    version = kafka_version if kafka_version in fitting else (fitting or [KAFKA_VERSION])[-1]
    slow = "-m slow " if stated.is_slow else ""
    other = f" --kafkalab-version={version}" if version != KAFKA_VERSION else ""
    return f"{pytest_on(curriculum)} {slow}-k {stated.slug.replace('-', '_')}{other}"


def run_again(fact: FactRecord, curriculum: Curriculum, record: RunRecord) -> str:
    """What runs a fact of a run again, on that run's Kafka and with its components."""
    version = str(record.broker.get("version") or KAFKA_VERSION)
    command = fact_command(curriculum.stated_facts[fact.slug], curriculum, version)
    return with_solutions(command, record.solutions)


def with_solutions(command: str, folder: str) -> str:
    """The command, judging the components in a folder; as it is for the reference."""
    return (
        f"{command} --kafkalab-solutions={shlex.quote(shown_folder(folder))}" if folder else command
    )


def shown_folder(folder: str) -> str:
    """A folder below the current one, where commands are called, named from there."""
    path, here = Path(folder), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
