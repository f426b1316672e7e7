"""What clients do when nobody tells them otherwise, read from the clients themselves."""

from __future__ import annotations

import ctypes
import html
import re
import subprocess
from pathlib import Path

from kafkalab.brokers.distribution import Distribution

# A Java process that prints a page takes half a second, several on a loaded machine.
JAVA_LIMIT = 60

DOCUMENTED = re.compile(
    r'<h4><a id="(?P<name>[^"]+)"></a>.*?<th>Default:</th><td>(?P<default>.*?)</td>', re.DOTALL
)


def librdkafka_defaults() -> dict[str, str]:
    """Every property of librdkafka with its default, global and topic-level ones.

    Asked of the very library that confluent-kafka brought, by `rd_kafka_conf_dump`:
    the Python client has no call for it. Properties without a default are left out.

    Raises:
        OSError: the library does not lie where confluent-kafka's wheels put it.
    """
    library = ctypes.CDLL(str(_library()))
    found: dict[str, str] = {}
    for level in ("rd_kafka_conf", "rd_kafka_topic_conf"):
        new, dump = library[f"{level}_new"], library[f"{level}_dump"]
        new.restype = ctypes.c_void_p
        dump.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
        dump.restype = ctypes.POINTER(ctypes.c_char_p)
        count = ctypes.c_size_t()
        # Names and values in turn; a few hundred bytes that live as long as the process.
        pairs = dump(new(), ctypes.byref(count))
        texts = [(pairs[at] or b"").decode() for at in range(count.value)]
        found |= dict(zip(texts[::2], texts[1::2], strict=True))
    return found


def _library() -> Path:
    import confluent_kafka

    package = Path(confluent_kafka.__file__).parent
    # Linux wheels keep it beside the package, those for macOS inside.
    folders = (package.with_name("confluent_kafka.libs"), package / ".dylibs")
    libraries = [path for folder in folders for path in folder.glob("librdkafka*")]
    if not libraries:
        raise OSError(f"no librdkafka in {' or '.join(map(str, folders))}")
    return libraries[0]


def java_defaults(distribution: Distribution, config_class: str) -> dict[str, str]:
    """Every property of one of Java's config classes with its documented default.

    The class prints its own documentation, which is what Kafka's website shows.

    Args:
        distribution: whose jars, and whose Java.
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
