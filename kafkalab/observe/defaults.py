"""The defaults of Java's clients, read from the clients themselves."""

from __future__ import annotations

import html
import re
import subprocess

from kafkalab.brokers.distribution import Distribution

# Seconds. A Java process takes half a second to print the page; several on a loaded machine.
JAVA_LIMIT = 60

DOCUMENTED = re.compile(
    r'<h4><a id="(?P<name>[^"]+)"></a>.*?<th>Default:</th><td>(?P<default>.*?)</td>', re.DOTALL
)


def java_defaults(distribution: Distribution, config_class: str) -> dict[str, str]:
    """Every property of one of Java's config classes with its documented default.

    The class prints its own documentation, which is what Kafka's website shows.

    Args:
        distribution: the Kafka whose jars and Java are used.
        config_class: as in `org.apache.kafka.clients.producer.ProducerConfig`.
    """
    printed = subprocess.run(
        distribution.command(config_class, flags=["-XX:TieredStopAtLevel=1"]),
        capture_output=True,
        text=True,
        timeout=JAVA_LIMIT,
        check=True,
    ).stdout
    return {each["name"]: html.unescape(each["default"]) for each in DOCUMENTED.finditer(printed)}
