"""What librdkafka takes, and does when nobody tells it otherwise, asked of the library itself."""

from __future__ import annotations

import ctypes
import re
import tempfile
from functools import cache
from pathlib import Path

# Name, for which clients, range; the rest of the row may have more bars. Callbacks and the like
# are no texts.
DOCUMENTED_ROW = re.compile(
    r"(?P<name>[a-z][a-z0-9._]*) +\|[ CP*]+\| (?P<range>.*?) *\|(?!.*see dedicated API)"
)


def librdkafka_defaults() -> dict[str, str]:
    """Every property of librdkafka with its default, global and topic-level ones.

    Asked of the very library that confluent-kafka brought, by `rd_kafka_conf_dump`:
    the Python client has no call for it. Properties without a default are left out.
    """
    library = _library()
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


@cache
def librdkafka_ranges() -> dict[str, str]:
    """Every property of librdkafka that a text can set, with what it takes.

    Asked of the very library that confluent-kafka brought, which prints its own
    documentation. As there: `10 .. 300000`, `none, https`, or "" for any text.
    """
    library = _library()
    c = ctypes.CDLL(None)
    c.fopen.restype = ctypes.c_void_p
    c.fclose.argtypes = library.rd_kafka_conf_properties_show.argtypes = [ctypes.c_void_p]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "CONFIGURATION.md"
        file = c.fopen(str(page).encode(), b"w")
        library.rd_kafka_conf_properties_show(file)
        c.fclose(file)
        rows = page.read_text("utf-8").splitlines()
    return {row["name"]: row["range"].strip() for row in map(DOCUMENTED_ROW.match, rows) if row}


def _library() -> ctypes.CDLL:
    """librdkafka, wherever it lies: confluent-kafka's own module leads to it."""
    from confluent_kafka import cimpl

    return ctypes.CDLL(cimpl.__file__)
