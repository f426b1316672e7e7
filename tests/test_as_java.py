"""Java itself is asked: what it makes of sasl.jaas.config and of properties files is what we make.

The reader is Kafka's own, from the jars of the embedded broker; compiling the few lines around it
needs a JDK.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import javaproperties
import pytest

from kafkalab.brokers.client_properties import translate
from kafkalab.brokers.distribution import Distribution, find_java
from kafkalab.brokers.errors import BadClientProperties, NoBootstrap
from kafkalab.brokers.jaas import BadJaas, parse
from kafkalab.config import Settings
from kafkalab.curriculum.error_codes import error_codes

CACHE = Settings.from_environment().cache
SAMPLES = Path(__file__).parent / "properties"

# A Java process that reads thousands of small files takes a second or two.
LIMIT = 120
TEXTS = 3000

pytestmark = pytest.mark.skipif(shutil.which("javac") is None, reason="needs a JDK, for its javac")

Ask = Callable[[str, Sequence[bytes]], list[dict[str, str] | None]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask Java what it makes of texts; None where it takes one not."""
    folder = tmp_path_factory.mktemp("java")
    distribution = Distribution(CACHE, find_java())
    command = distribution.command("JavaAnswers", flags=["-XX:TieredStopAtLevel=1"])
    at = command.index("-cp") + 1
    source = Path(__file__).parent / "JavaAnswers.java"
    compiler = ["javac", "--release", "17", "-cp", command[at], "-d", str(folder), str(source)]
    subprocess.run(compiler, check=True, timeout=LIMIT)
    command[at] = f"{folder}:{command[at]}"

    def asked(kind: str, texts: Sequence[bytes]) -> list[dict[str, str] | None]:
        paths = [folder / f"{kind}{number}" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text)
        lines = "".join(f"{path}\n" for path in paths)
        answers = subprocess.run(
            [*command, kind], input=lines, capture_output=True, text=True, check=True, timeout=LIMIT
        ).stdout.splitlines()
        return [json.loads(answer) for answer in answers if answer[:1] in "{n"]

    return asked


def joined(pieces: Sequence[Any], most: int, random_: random.Random) -> Any:
    return pieces[0][:0].join(random_.choices(pieces, k=random_.randint(0, most)))


JAAS_PIECES = (
    *(
        "M ",
        "org.x.PlainLoginModule ",
        "required",
        " required ",
        "Optional ",
        "username=",
        "a.b-c=",
    ),
    *(' password="s3cret"', " tokenauth='true'", '"', "'", "=", ";", " ;", " ", "\n", "\r", "\t"),
    *("\\", "\\n", "\\t", "\\101", "\\8", "\\400", "\\7", '\\"', "\\'", "//", "/*", "*/", "/", "#"),
    *("-", "-5", "3.5", ".", "1a", "a1", "_x", "$y", "ü", "\u0142", "\u0085", "\u00a0", "@", "+"),
)


# Around a value, or around most of it.
QUOTES = ('"{}"', "'{}'", "{}", '"{}')


def test_jaas_is_read_as_java_reads_it(ask: Ask) -> None:
    """Whatever stands there: the same module and options, or refused here as there."""
    random_ = random.Random(14)
    texts = []
    for number in range(TEXTS):
        rest = joined(JAAS_PIECES, 6, random_)
        options = f"a={random_.choice(QUOTES).format(rest)} b.c='d'"
        texts.append(f"M required {options};" if number % 2 else f"M required {rest};")

    answers = ask("jaas", [text.encode() for text in texts])

    differences = []
    for text, theirs in zip(texts, answers, strict=True):
        try:
            module = parse(text)
        except BadJaas:
            ours = None
        else:
            ours = {f"option {name}": value for name, value in module.options.items()}
            ours["module"] = module.class_name
        if theirs and "option null" in theirs:
            # It takes a sign in place of a name, which nobody can mean.
            theirs = None
        if ours != theirs:
            differences.append((text, ours, theirs))
    assert sum(answer is not None for answer in answers) > TEXTS // 10, "Java takes many of them"
    assert differences == []


PROPERTIES_PIECES = (
    *(b"security.protocol", b"a.b", b"=", b":", b" ", b"\t", b"\f", b"\n", b"\r\n", b"\r", b"x"),
    *(b"\\", b"\\n", b"\\u0041", b"\\u12", b"\\ ", b"\\=", b"\\\\", b"#", b"!", b'"', b"v\\\n  w"),
    *("ü".encode(), "é".encode("latin-1"), b"\\ud83d\\ude00", b"\x0b", b"  v", b"\\\r\n y"),
)


def test_properties_are_read_as_java_reads_them(ask: Ask) -> None:
    """The same names and values, or a broken escape here as there.

    But for a backslash alone in a line: what follows it is a comment only in Java.
    """
    random_ = random.Random(14)
    texts = [b"k" + joined(PROPERTIES_PIECES, 12, random_) for _ in range(TEXTS)]
    texts = [
        text
        for text in texts
        if not any(line.strip(b" \t\f\n\r") == b"\\" for line in text.splitlines())
    ]

    differences = []
    for text, theirs in zip(texts, ask("properties", texts), strict=True):
        try:
            ours = javaproperties.loads(text)
        except javaproperties.InvalidUEscapeError:
            ours = None
        if theirs is not None:
            del theirs["admin"]
        if ours != theirs:
            differences.append((text, ours, theirs))
    assert differences == []


def test_what_java_takes_of_the_samples_is_taken(ask: Ask) -> None:
    """A sample of which Java makes a client is taken, or it has what librdkafka cannot do.

    The others: what Java reads otherwise than anybody can mean, and says nothing.
    """
    paths = sorted(path for path in SAMPLES.iterdir() if path.name != "expected.toml")
    answers = ask("properties", [path.read_bytes() for path in paths])
    refused = set()
    for path, theirs in zip(paths, answers, strict=True):
        try:
            translate(path.read_bytes(), "", path.name)
        except (BadClientProperties, NoBootstrap):
            if theirs and theirs["admin"] == "created":
                refused.add(path.name.partition(".")[0])

    assert refused == {"delegation_token", "byte_order_mark", "utf_16", "bootstrap_server"}


def test_error_codes_are_those_of_java(ask: Ask) -> None:
    """The table has each code of the newest Kafka, with its name and its exception."""
    (javas,) = ask("errors", [b""])

    assert javas is not None
    ours = {
        str(each.number): f"{each.java} {each.exception}" for each in error_codes() if each.java
    }
    assert ours == javas
