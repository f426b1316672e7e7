"""Writes the pins of a Kafka version: `python tools/pin_kafka.py 4.3.1`.

For maintainers, once for each version. It resolves a broker's dependencies as Maven does, fetches
them from Maven Central, and writes them with sha256 and size to
`kafkalab/brokers/jars/<version>.txt`. The further jars of Kafka's own tools go to
`kafkalab/brokers/tool_jars/<version>.txt`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext

BROKERS = Path(__file__).parents[1] / "kafkalab" / "brokers"

# The other dependencies of kafka-tools are among the broker's, or only for Connect and Streams,
# which kafkalab does not have.
OF_TOOLS = ("kafka-tools", "jackson-dataformat-csv")


def broker_dependencies(maven: MavenContext, version: str) -> list[Dependency]:
    """The broker, its dependencies, and a logger, in class path order."""
    broker = maven.create_dependency(f"org.apache.kafka:kafka_2.13:{version}")
    _, needed = maven.resolver.resolve([broker])
    # Kafka logs to slf4j, which prints nothing without a binding of exactly the same version.
    (slf4j,) = (each.version for each in needed if each.artifactId == "slf4j-api")
    binding = maven.create_dependency(f"org.slf4j:slf4j-simple:{slf4j}")
    return sorted([broker, binding, *needed], key=lambda each: (each.groupId, each.artifactId))


def tool_dependencies(
    maven: MavenContext, version: str, broker: list[Dependency]
) -> list[Dependency]:
    """The jars of Kafka's own tools that the broker does not have, in class path order."""
    tools = maven.create_dependency(f"org.apache.kafka:kafka-tools:{version}")
    _, needed = maven.resolver.resolve([tools])
    there = {each.artifactId for each in broker}
    beside = {each.artifactId: each for each in [*needed, tools]}
    return [beside[name] for name in OF_TOOLS if name in beside and name not in there]


def coordinate(dependency: Dependency) -> str:
    """The dependency as `group:artifact:version`."""
    return f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"


def pin(dependency: Dependency) -> str:
    """One line of a pin file: sha256, size in bytes, coordinate."""
    content = dependency.artifact.resolve().read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return f"{digest}  {len(content):8d} {coordinate(dependency)}\n"


def main(version: str) -> None:
    """Write the version's pin files."""
    with tempfile.TemporaryDirectory() as folder:
        # After 30 s without a byte the network counts as down.
        maven = MavenContext(repo_cache=Path(folder), timeout=30)
        broker = broker_dependencies(maven, version)
        for folder, jars in (
            ("jars", broker),
            ("tool_jars", tool_dependencies(maven, version, broker)),
        ):
            lines = [pin(each) for each in jars]
            (BROKERS / folder / f"{version}.txt").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
