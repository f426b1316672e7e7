"""The properties of librdkafka and its error codes, read from the library itself."""

from __future__ import annotations

import ctypes
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

# A row has a name, the clients, the range, and more columns, which may contain bars. Callbacks
# cannot be set as text, so their rows do not match.
DOCUMENTED_ROW = re.compile(
    r"(?P<name>[a-z][a-z0-9._]*) +\|[ CP*]+\| (?P<range>.*?) *\|(?!.*see dedicated API)"
)


class LibrdkafkaError(NamedTuple):
    """An error code of librdkafka: its own, which is less than 0, or the broker's."""

    number: int
    name: str
    """as an attribute of `confluent_kafka.KafkaError`, such as `_MAX_POLL_EXCEEDED`"""
    text: str
    """what librdkafka says, such as `Broker: Unknown member`"""


@cache
def librdkafka_errors() -> tuple[LibrdkafkaError, ...]:
    """Every error code of librdkafka, from the lowest number on.

    It calls `rd_kafka_get_err_descs` of the library inside the confluent-kafka package.
    """

    class Row(ctypes.Structure):
        _fields_ = (
            ("number", ctypes.c_int),
            ("name", ctypes.c_char_p),
            ("text", ctypes.c_char_p),
        )

    rows, count = ctypes.POINTER(Row)(), ctypes.c_size_t()
    _library().rd_kafka_get_err_descs(ctypes.byref(rows), ctypes.byref(count))
    # Numbers that mean nothing have no text: those without an error, and the ends of a range.
    return tuple(
        LibrdkafkaError(row.number, row.name.decode(), row.text.decode())
        for row in rows[: count.value]
        if row.text
    )


def librdkafka_defaults() -> dict[str, str]:
    """Every property of librdkafka with its default, global and topic-level ones.

    It calls `rd_kafka_conf_dump` of the library inside the confluent-kafka package, as the
    Python client has no call for it. Properties without a default are left out. If both levels
    have one, the global counts: the topic's is of the legacy consumer, or inherits.
    """
    library = _library()
    found: dict[str, str] = {}
    for level in ("rd_kafka_topic_conf", "rd_kafka_conf"):
        new, dump = library[f"{level}_new"], library[f"{level}_dump"]
        new.restype = ctypes.c_void_p
        dump.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
        dump.restype = ctypes.POINTER(ctypes.c_char_p)
        count = ctypes.c_size_t()
        # Names and values in turn. The array is never freed: it has a few hundred bytes.
        pairs = dump(new(), ctypes.byref(count))
        texts = [(pairs[at] or b"").decode() for at in range(count.value)]
        found |= dict(zip(texts[::2], texts[1::2], strict=True))
    return found


@cache
def librdkafka_ranges() -> dict[str, str]:
    """Every property of librdkafka that a text can set, with its range.

    The library inside the confluent-kafka package prints its own documentation. The ranges
    are as written there: `10 .. 300000`, `none, https`, or "" for any text.
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
    """librdkafka, found by the extension module of confluent-kafka that links to it."""
    from confluent_kafka import cimpl

    return ctypes.CDLL(cimpl.__file__)
