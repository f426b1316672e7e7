"""Kafka's error codes by number, with the names that librdkafka and Java give them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from kafkalab.librdkafka import librdkafka_errors

# A name of an error code as librdkafka and Java write it: UNKNOWN_MEMBER_ID, or _SSL.
NAME = re.compile(r"(?<!\w)_?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*(?!\w)")


@dataclass(frozen=True)
class ErrorCode:
    """One error code: the broker's, or one of librdkafka's own, which are less than -1."""

    number: int
    name: str
    """as `confluent_kafka.KafkaError` has it; Java's name if librdkafka does not know the code"""
    text: str
    """librdkafka's text; empty if it does not know the code"""
    java: str
    """the name in Kafka's own list; empty for a code of librdkafka's own"""
    exception: str
    """the class that Java's client raises; empty for 0 and for a code of librdkafka's own"""

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which it is found, each once."""
        found = (self.name, self.java, self.exception, self.text)
        return tuple(dict.fromkeys(filter(None, found)))


@cache
def error_codes() -> tuple[ErrorCode, ...]:
    """Every error code of librdkafka and of Kafka, from the lowest number on; 0 is no error."""
    ours = {each.number: each for each in librdkafka_errors()}
    javas = _java_errors()
    found = []
    for number in sorted(ours.keys() | javas.keys()):
        java, exception = javas.get(number, ("", ""))
        name, text = (ours[number].name, ours[number].text) if number in ours else (java, "")
        found.append(ErrorCode(number, name, text, java, exception))
    return tuple(found)


def code_in(text: str) -> ErrorCode | None:
    """The first error code that a text names exactly so; None if it names none."""
    by_name = {
        name: code for code in error_codes() if code.number for name in (code.java, code.name)
    }
    return next((by_name[name] for name in NAME.findall(text) if name in by_name), None)


def _java_errors() -> dict[int, tuple[str, str]]:
    text = resources.files(__package__).joinpath("java_errors.toml").read_text("utf-8")
    return {int(number): (name, cls) for number, (name, cls) in tomllib.loads(text).items()}
