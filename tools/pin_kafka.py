"""Writes the pins of a Kafka version: `python tools/pin_kafka.py 4.3.1`.

For maintainers, once per version. What a broker needs is resolved as Maven does it, fetched
from Maven Central, and written with sha256 and size to `kafkalab/brokers/jars/<version>.txt`;
what Kafka's own tools need beside it to `kafkalab/brokers/tool_jars/<version>.txt`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

from jgo.maven import Dependency, MavenContext

BROKERS = Path(__file__).parents[1] / "kafkalab" / "brokers"

# All else that kafka-tools names is the broker's, or is for Connect and Streams, which stay out.
OF_TOOLS = ("kafka-tools", "jackson-dataformat-csv")


def broker_dependencies(maven: MavenContext, version: str) -> list[Dependency]:
    """The broker, all that it needs, and a place for its log to go, in class path order."""
    broker = maven.create_dependency(f"org.apache.kafka:kafka_2.13:{version}")
    _, needed = maven.resolver.resolve([broker])
    # Kafka logs to slf4j, which is silent without a binding of the very same version.
    (slf4j,) = (each.version for each in needed if each.artifactId == "slf4j-api")
    binding = maven.create_dependency(f"org.slf4j:slf4j-simple:{slf4j}")
    return sorted([broker, binding, *needed], key=lambda each: (each.groupId, each.artifactId))


def tool_dependencies(
    maven: MavenContext, version: str, broker: list[Dependency]
) -> list[Dependency]:
    """What Kafka's own tools need beside the broker's jars, in class path order."""
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
        # 30 s without a byte: the network is down.
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
