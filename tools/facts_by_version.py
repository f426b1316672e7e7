"""Writes docs/versions.md: which fact holds on which Kafka.

    python tools/facts_by_version.py               # runs Module A on every pinned version
    python tools/facts_by_version.py RECORD.json ...   # reads records of such runs

A run takes one to two minutes. A record may be from any run of pytest (`reports/runs/`); its
version is that of the broker in that run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.version import Version

from kafkalab.brokers.distribution import Distribution, find_java, pinned_versions
from kafkalab.config import Settings
from kafkalab.observe.defaults import java_defaults

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "versions.md"
BROKER_SETTINGS = "kafka.server.KafkaConfig"

HEAD = """\
# Which fact holds on which Kafka

Written by `tools/facts_by_version.py` from the records of one run on each version, with
confluent-kafka {client}. `--kafkalab-version` chooses one.

**yes**: demonstrated, the fact held and its controls made it false. **not stated**: the fact
names versions, and this is none of them, so it was not run. Anything else is the run's verdict.

Beside the facts: Kafka 4.0 refuses a broker that comes back until its old session is over, even
after a graceful stop (9 s by default). The lab shortens the session there, and so starts in 3 s
more than with later versions.
"""

Record = Mapping[str, Any]


def run_on(version: str, reports: Path) -> Record:
    """Run Module A on a version, with the slow facts, and return the record."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests_module_a",
        "-n",
        "2",
        "-m",
        "slow or not slow",
    ]
    options = [
        "--kafkalab-backend=embedded",
        f"--kafkalab-version={version}",
        f"--kafkalab-reports={reports}",
    ]
    # Without check: a refuted fact fails the run, and the page has to show it.
    subprocess.run([*command, *options], cwd=ROOT, check=False)
    (path,) = (reports / "runs").glob("*.json")
    return read(path)


def read(path: Path) -> Record:
    """A run's record.

    Raises:
        ValueError: the run was not completed, or started no broker.
    """
    record: Record = json.loads(path.read_text("utf-8"))
    if not record["completed"] or not record["broker"]["version"]:
        raise ValueError(f"{path}: not the record of a completed run with a broker")
    return record


def page(records: Sequence[Record], settings: Mapping[str, Mapping[str, str]]) -> str:
    """The page as Markdown.

    Args:
        records: one for each version, oldest version first.
        settings: each version's broker settings with their defaults.
    """
    versions = [record["broker"]["version"] for record in records]
    facts = {fact["slug"]: fact for record in records for fact in record["facts"]}
    said = {slug: [verdict(record, slug) for record in records] for slug in facts}
    differ = [slug for slug in facts if set(said[slug]) != {"yes"}]
    tasks = sorted({fact["task"] for fact in facts.values()})
    parts = [HEAD.format(client=records[-1]["environment"]["confluent-kafka"])]
    parts += ["## Differences\n", table(versions, differ, facts, said), *reasons(records, differ)]
    parts += ["\n## Broker settings\n", *changes(settings)]
    for task in tasks:
        same = [slug for slug in facts if facts[slug]["task"] == task and slug not in differ]
        parts += [f"\n## The same on all: task {task}\n", table(versions, same, facts, said)]
    return "\n".join(parts) + "\n"


def verdict(record: Record, slug: str) -> str:
    """A run's verdict on a fact, in the words of the page."""
    fact = next((fact for fact in record["facts"] if fact["slug"] == slug), None)
    if fact is None:
        return "not run"
    if fact["reason"].startswith("stated for Kafka"):
        return "not stated"
    return "yes" if fact["verdict"] == "demonstrated" else str(fact["verdict"])


def table(
    versions: Sequence[str],
    slugs: Iterable[str],
    facts: Mapping[str, Any],
    said: Mapping[str, Sequence[str]],
) -> str:
    """A Markdown table with a row for each fact and a column for each version."""
    rows = [
        f"| {facts[slug]['sentence'].replace('|', '&#124;')} `{slug}` | {' | '.join(said[slug])} |"
        for slug in slugs
    ]
    head = [f"| fact | {' | '.join(versions)} |", f"| --- |{' --- |' * len(versions)}"]
    return "\n".join([*head, *rows])


def reasons(records: Sequence[Record], slugs: Sequence[str]) -> Iterator[str]:
    """Why a fact was not demonstrated on a version that it is stated for."""
    for record in records:
        for fact in record["facts"]:
            if fact["slug"] in slugs and verdict(record, fact["slug"]) not in ("yes", "not stated"):
                reason = (fact["reason"].splitlines() or [""])[0]
                version = record["broker"]["version"]
                yield f"\n- `{fact['slug']}` on {version}: {fact['verdict']}: {reason}"


def changes(settings: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """How the documented broker settings changed from each version to the next."""
    yield "Read from each version's own documentation of its broker settings.\n"
    for (_, before), (version, after) in zip(
        list(settings.items())[:-1], list(settings.items())[1:], strict=True
    ):
        yield f"- {version}:"
        yield f"  - new: {listed(after.keys() - before.keys())}"
        yield f"  - gone: {listed(before.keys() - after.keys())}"
        for name in sorted(after.keys() & before.keys()):
            if before[name] != after[name]:
                yield f"  - default of `{name}`: `{before[name]}`, now `{after[name]}`"


def listed(names: Iterable[str]) -> str:
    """Names of settings, in order."""
    return ", ".join(f"`{name}`" for name in sorted(names)) or "none"


def main(paths: Sequence[str]) -> None:
    """Read the records, or make them, and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        records = [read(Path(path)) for path in paths] or [
            run_on(version, Path(folder) / version) for version in pinned_versions()
        ]
    records.sort(key=lambda record: Version(record["broker"]["version"]))
    cache, java = Settings.from_environment().cache, find_java()
    versions = [record["broker"]["version"] for record in records]
    settings = {
        version: java_defaults(Distribution(cache, java, version), BROKER_SETTINGS)
        for version in versions
    }
    PAGE.write_text(page(records, settings), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
