"""What lies in a cache or reports folder beside kafkalab's own files stays as it is.

Everything of others is planted first and compared afterwards, byte for byte.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from held_runs import HELD_LIMIT, HeldRun
from typer.testing import CliRunner

from kafkalab.brokers.cache import require_safe
from kafkalab.brokers.distribution import Distribution, find_java, pinned_jars
from kafkalab.brokers.embedded import EmbeddedBackend
from kafkalab.brokers.errors import CacheNotSafe, JarMismatch, PreparationFailed
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.owner import Machine, Owner
from kafkalab.brokers.processes import kill
from kafkalab.brokers.runs import KEPT_LOGS, MARK, Run, clear_dead_runs, run_at, workshop
from kafkalab.cli import command_line
from kafkalab.config import Settings
from kafkalab.learning_log import experiment, guides, page, run_report
from kafkalab.learning_log.evidence import Evidence
from kafkalab.learning_log.pictures import Pictures
from kafkalab.learning_log.written import write_whole

# Read before any test runs: pytester gives tests a home of their own, and so another cache.
CACHE = Settings.from_environment().cache

NOBODY = 65534

# Ids as runs have them.
THEIRS, OURS = "ab12cd34ef56", "0123456789ab"


@pytest.fixture
def dead() -> Owner:
    """An owner that has ended, on this machine."""
    with subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", "input()"], stdin=subprocess.PIPE
    ) as process:
        owner = Owner.of(process.pid)
        kill([psutil.Process(process.pid)])
    return owner


def opened(folder: Path, owner: Owner, name: str | None = None) -> Run:
    """A run's folder as `Run.open` leaves it, with a file in it, but without a watchdog."""
    run = Run(folder, owner, "embedded", began=time.time() - 7200)
    folder.mkdir(parents=True)
    replace(run.mark, name=name or folder.name).write(folder / MARK)
    (folder / "data").write_text("a run's", "utf-8")
    return run


def snapshot(folder: Path) -> dict[str, object]:
    """All that lies in a folder: bytes of files, targets of links."""
    return {
        str(path.relative_to(folder)): str(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else "a folder"
        for path in sorted(folder.rglob("*"))
    }


def make_old(folder: Path) -> None:
    """Have all in a folder look as if nobody had touched it for a year."""
    then = time.time() - 365 * 24 * 3600
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then), follow_symlinks=False)


MARKS_OF_OTHERS: Mapping[str, str | None] = {
    "nothing": None,
    "empty": "",
    "half": "{",
    "a list": "[]",
    "text": '"made_by"',
    "null": "null",
    "an experiment": '{"learning_rate": 0.1, "owner": "ann", "name": "THEIRS"}',
    "an older kafkalab's": json.dumps(
        {
            "folder": "/nowhere",
            "owner": {"pid": 999_999_999, "start": 1.0},
            "backend": "embedded",
            "began": 1.0,
        }
    ),
    "no machine": json.dumps(
        {
            "made_by": "kafkalab",
            "name": "THEIRS",
            "owner": {"pid": 999_999_999, "start": 1.0, "user": "ann"},
            "backend": "embedded",
            "began": 1.0,
        }
    ),
    "too long": " " * 100_000,
    "deep": "[" * 50_000,
}
"""what a file `run.json` of somebody else may hold"""


def plant(cache: Path, outside: Path, dead: Owner) -> None:
    """Fill a cache folder with files of somebody, under names that kafkalab uses too."""
    for name, text in MARKS_OF_OTHERS.items():
        for folder in (cache / "runs" / name, cache / "runs" / f"{abs(hash(name)):012x}"[:12]):
            (folder / "shared" / "node-1").mkdir(parents=True)
            (folder / "shared" / "node-1" / "broker.log").write_text("theirs", "utf-8")
            if text is not None:
                (folder / MARK).write_text(text.replace("THEIRS", folder.name), "utf-8")
    (cache / "runs" / "a-file.lock").write_text("theirs", "utf-8")
    (cache / "runs" / f"{THEIRS}.lock").write_text("theirs", "utf-8")
    # Copies of a run of ours, and links to one: its folder is where it was made.
    opened(cache / "runs" / f"{OURS}-copy", dead, name=OURS)
    opened(cache / "runs" / f"{OURS}.bak", dead, name=OURS)
    opened(outside / THEIRS, dead)
    (cache / "runs" / THEIRS).symlink_to(outside / THEIRS)
    (cache / "runs" / "dangling").symlink_to(outside / "nothing")
    for number in range(KEPT_LOGS + 5):
        (cache / "logs" / f"{number:012x}").mkdir(parents=True)
        (cache / "logs" / f"{number:012x}" / "node-1.log").write_text("theirs", "utf-8")
    (cache / "logs" / THEIRS).symlink_to(outside / THEIRS)
    (cache / "jars").mkdir()
    (cache / "jars" / "verified.json").write_text("{", "utf-8")
    (cache / "jars" / "theirs.jar").write_bytes(b"theirs")
    for name in ("theirs", f"4.4.0-{THEIRS}"):
        (cache / "prepared" / name / "single").mkdir(parents=True)
        (cache / "prepared" / name / "prepared.json").write_text("{}", "utf-8")
    (cache / "fetching-data").mkdir()
    (cache / "fetching-data" / "set.csv").write_text("theirs", "utf-8")
    (cache / "clusters").mkdir()
    (cache / "clusters" / "prod.json").write_text("{}", "utf-8")
    for name in ("prepare.lock", "run.json", "journal.toml"):
        (cache / name).write_text("theirs", "utf-8")
    make_old(cache)


def without_ours(seen: dict[str, object], before: dict[str, object]) -> dict[str, object]:
    """Of a snapshot only what was there before."""
    return {name: content for name, content in seen.items() if name in before}


class Silent:
    """Takes the word of preparation, and keeps it."""

    def step(self, text: str) -> None: ...
    def total(self, size: int) -> None: ...
    def advance(self, size: int) -> None: ...


# The cache folder


def test_what_others_have_in_the_cache_folder_stays(tmp_path: Path, dead: Owner) -> None:
    """Runs come and go, dead ones are cleared and logs are kept: nothing else changes."""
    cache, outside = tmp_path / "cache", tmp_path / "outside"
    plant(cache, outside, dead)
    before = snapshot(tmp_path)
    for number in range(KEPT_LOGS + 2):
        gone = opened(cache / "runs" / f"{OURS[:10]}{number:02d}", dead)
        (gone.folder / "shared" / "node-1").mkdir(parents=True)
        (gone.folder / "shared" / "node-1" / "broker.log").write_text("ours", "utf-8")

    with workshop(cache) as folder:
        (folder / "draft").touch()
    clear_dead_runs(cache)

    after = snapshot(tmp_path)
    assert without_ours(after, before) == before
    ours = {name for name in after if name not in before}
    assert not [name for name in ours if name.startswith("cache/runs")], "dead runs are gone"
    kept = {name.split("/")[2] for name in ours if name.startswith("cache/logs")}
    assert len(kept) == KEPT_LOGS, "of our logs the newest"


def test_a_folder_of_jars_of_others_stays(tmp_path: Path, dead: Owner) -> None:
    """Ours lie beside theirs; a file of theirs that has one's name is not written over."""
    cache = tmp_path / "cache"
    plant(cache, tmp_path / "outside", dead)
    jars = pinned_jars()
    for jar in jars[1:]:
        (cache / "jars" / jar.file_name).symlink_to(CACHE / "jars" / jar.file_name)
    # As good as missing, and somebody's.
    (cache / "jars" / jars[0].file_name).symlink_to(tmp_path / "nothing")
    before = snapshot(tmp_path)

    with pytest.raises(JarMismatch, match=rf"{jars[0].file_name} cannot be read .*, or name a"):
        Distribution(cache, find_java()).fetch(Silent())

    assert snapshot(tmp_path) == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_works_beside_files_of_others(tmp_path: Path, dead: Owner) -> None:
    """A whole run of pytest, which prepares Kafka first, in a folder full of others' files."""
    cache = tmp_path / "cache"
    plant(cache, tmp_path / "outside", dead)
    for jar in pinned_jars():
        (cache / "jars" / jar.file_name).symlink_to(CACHE / "jars" / jar.file_name)
    before = snapshot(tmp_path)

    run = HeldRun(tmp_path / "run", environment={"KAFKALAB_CACHE": str(cache)})

    assert run.wait() == pytest.ExitCode.OK, run.printed
    assert without_ours(snapshot(tmp_path), before) == before


def test_a_folder_that_is_where_kafka_is_prepared_stays(tmp_path: Path) -> None:
    """What kafkalab did not make it neither fills nor removes: a line says so."""
    prepared = EmbeddedBackend(tmp_path).prepared
    prepared.folder.mkdir(parents=True)
    (prepared.folder / "thesis.txt").write_text("theirs", "utf-8")
    (prepared.folder / "prepared.json").write_text('{"start_seconds": 1.0}', "utf-8")
    before = snapshot(tmp_path)

    for attempt in (lambda: prepared.make(Silent()), prepared.remove):
        with pytest.raises(PreparationFailed, match="is there, and kafkalab did not make it"):
            attempt()

    assert not prepared.is_there
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("where", ["runs", f"runs/{THEIRS}", "logs", "clusters", "jars"])
def test_a_file_where_a_folder_should_be_stays(tmp_path: Path, dead: Owner, where: str) -> None:
    """A file of that name is no reason for a traceback, nor to be removed."""
    (tmp_path / where).parent.mkdir(exist_ok=True)
    (tmp_path / where).write_text("theirs", "utf-8")
    opened(tmp_path / "elsewhere" / OURS, dead)

    clear_dead_runs(tmp_path)

    assert (tmp_path / where).read_text("utf-8") == "theirs"
    assert list(Ledger(tmp_path)) == []


def test_an_entry_of_others_among_ours_stays(tmp_path: Path) -> None:
    """Only an entry of ours can be struck out of the ledger."""
    prefix = "kafkalab-20261125T024713-ab12cd-"
    file = tmp_path / "clusters" / f"{prefix[:-1]}.json"
    file.parent.mkdir()
    file.write_text("{}", "utf-8")
    ledger = Ledger(tmp_path)

    ledger.strike_out(prefix)

    assert ledger.entry(prefix) is None
    assert file.read_text("utf-8") == "{}"


def test_what_others_could_have_written_down_says_nothing(tmp_path: Path, dead: Owner) -> None:
    """Who forges an entry could have a topic of somebody deleted."""
    prefix, ledger = "kafkalab-20261125T024713-ab12cd-", Ledger(tmp_path)
    ledger.enter(prefix, dead, "a cluster")
    (file,) = (tmp_path / "clusters").iterdir()
    assert ledger.entry(prefix) is not None
    for path in (file, file.parent):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IWOTH)

        assert ledger.entry(prefix) is None

        path.chmod(mode)
    assert ledger.entry(prefix) is not None


# Whose a run is


@pytest.mark.parametrize("there", ["another folder", "no folder"])
def test_a_runs_folder_is_where_it_lies(tmp_path: Path, dead: Owner, there: str) -> None:
    """No file says which folder is removed: a mark that names another is a mark of nothing."""
    other = tmp_path / "thesis"
    if there == "another folder":
        other.mkdir()
        (other / "thesis.txt").write_text("theirs", "utf-8")
    run = opened(tmp_path / "cache" / "runs" / OURS, dead)
    data = json.loads((run.folder / MARK).read_bytes())
    (run.folder / MARK).write_text(json.dumps({**data, "folder": str(other)}), "utf-8")

    clear_dead_runs(tmp_path / "cache")

    assert not run.folder.exists(), "its own folder goes"
    assert other.exists() == (there == "another folder")
    assert there == "no folder" or (other / "thesis.txt").read_text("utf-8") == "theirs"


HERE = Machine.here()


@pytest.mark.parametrize(
    "machine",
    [
        replace(HERE, host="another"),
        replace(HERE, boot="00000000-0000-0000-0000-000000000000"),
        replace(HERE, namespace="pid:[1]"),
        Machine("", "", ""),
        Machine(HERE.host, "", ""),
    ],
    ids=["another host", "another boot", "another namespace", "unknown", "only its host known"],
)
@pytest.mark.skipif(not psutil.LINUX, reason="only Linux tells boots and namespaces")
def test_who_cannot_tell_leaves_a_run_alone(tmp_path: Path, dead: Owner, machine: Machine) -> None:
    """A process id means nothing on another host, after another boot or in another container."""
    run = opened(tmp_path / "runs" / OURS, replace(dead, machine=machine))

    clear_dead_runs(tmp_path)

    assert run_at(run.folder) == run


def test_where_a_machine_cannot_be_told_nothing_is_cleared(
    tmp_path: Path, dead: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A /proc that hides the boot or the namespace leaves all runs alone, and ours work."""
    monkeypatch.setattr("kafkalab.brokers.owner._namespace", lambda: "")
    run = opened(tmp_path / "runs" / OURS, replace(dead, machine=Machine.here()))

    with workshop(tmp_path) as folder:
        assert Owner.me().is_alive()

    assert run_at(run.folder) == (run if psutil.LINUX else None)
    assert not folder.exists()


def test_the_doctor_names_runs_that_only_others_can_judge(tmp_path: Path, dead: Owner) -> None:
    """Their size, whose they are, and what to do; none is removed."""
    elsewhere = replace(dead, user="ann", machine=replace(HERE, host="web\x1b[31m1"))
    run = opened(tmp_path / "runs" / OURS, elsewhere)
    opened(tmp_path / "runs" / THEIRS, dead)
    (run.folder / "data").write_bytes(bytes(3_000_000))

    told = (
        CliRunner()
        .invoke(command_line(), ["doctor", f"--cache={tmp_path}"], env={"COLUMNS": "400"})
        .output
    )

    (line,) = (line for line in told.splitlines() if "run elsewhere" in line)
    assert r"of ann@web\x1b[31m1, began 0.1 days ago, 3 MB" in line
    assert f"if it has ended there: rm -r {run.folder}" in line
    assert run.folder.exists()


@pytest.fixture
def in_a_namespace() -> tuple[str, ...]:
    """A command that gives what it starts process ids of its own, as a container does.

    Skips the test where that is not possible: without root, or in a container.
    """
    command = ("unshare", "--pid", "--fork", "--mount-proc")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"needs a PID namespace of its own: {tried.stderr.strip()}")
    return command


@pytest.mark.parametrize("inside", ["the first", "the second", "both"])
def test_two_namespaces_on_one_cache_leave_each_other_alone(
    tmp_path: Path, in_a_namespace: tuple[str, ...], inside: str
) -> None:
    """While a run holds its broker another one starts, and clears what is dead: not the first."""
    under = {
        name: in_a_namespace for name in ("the first", "the second") if inside in (name, "both")
    }
    first = HeldRun(tmp_path / "1", phase="running", under=under.get("the first", ()))
    held = first.wait_until_held()

    second = HeldRun(tmp_path / "2", under=under.get("the second", ()))

    assert second.wait() == pytest.ExitCode.OK, second.printed
    assert held.run.exists(), "the first one's folder is there"
    first.go_on()
    assert first.wait() == pytest.ExitCode.OK, first.printed
    assert not held.run.exists(), "and goes with its own run"


# Programs


@pytest.fixture
def cache_with_jars(tmp_path: Path) -> Path:
    """A cache folder with jars of its own, and nothing else."""
    shutil.copytree(CACHE / "jars", tmp_path / "cache" / "jars")
    (tmp_path / "cache").chmod(0o755)
    return tmp_path / "cache"


def changed_in_secret(path: Path) -> None:
    """Change a byte of a file, and neither its size nor its time."""
    found = path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize("by", ["writing", "replacing", "linking"])
def test_a_jar_that_is_changed_in_secret_is_not_started(
    cache_with_jars: Path, tmp_path: Path, by: str
) -> None:
    """A jar of the same size and time is not the one that was checked."""
    distribution = Distribution(cache_with_jars, find_java())
    path = distribution.jar_files[0]
    distribution.verify()

    if by == "writing":
        changed_in_secret(path)
    else:
        other = Path(shutil.copy2(path, tmp_path / "other.jar"))
        changed_in_secret(other)
        if by == "replacing":
            other.replace(path)
        else:
            path.unlink()
            path.symlink_to(other)

    with pytest.raises(JarMismatch, match=path.name):
        distribution.verify()
    with pytest.raises(JarMismatch, match=path.name):
        Distribution(cache_with_jars, find_java()).verify()


def test_nothing_that_lies_beside_the_jars_is_believed(cache_with_jars: Path) -> None:
    """Who can change a jar can write a file that says it is right."""
    distribution = Distribution(cache_with_jars, find_java())
    changed, jar = distribution.jar_files[0], pinned_jars()[0]
    changed_in_secret(changed)
    found = changed.stat()
    # As kafkalab once kept it.
    stamps = {
        each.file_name: [each.sha256, path.stat().st_size, path.stat().st_mtime_ns]
        for each, path in zip(pinned_jars(), distribution.jar_files, strict=True)
    }
    assert stamps[jar.file_name] == [jar.sha256, found.st_size, found.st_mtime_ns]
    (cache_with_jars / "jars" / "verified.json").write_text(json.dumps(stamps), "utf-8")

    with pytest.raises(JarMismatch, match=changed.name):
        distribution.verify()


def test_an_aot_cache_that_is_changed_in_secret_is_looked_through(
    tmp_path: Path, backend: EmbeddedBackend
) -> None:
    """Of the same size and time, but not as it was left: the JVM is told to check it."""
    prepared = EmbeddedBackend(tmp_path).prepared
    shutil.copytree(backend.prepared.folder, prepared.folder)
    mark = json.loads(prepared.mark_file.read_bytes())
    prepared.mark_file.write_text(json.dumps({**mark, "name": prepared.folder.name}), "utf-8")
    log = tmp_path / "log"
    assert "-XX:+VerifySharedSpaces" not in prepared.aot_flags(log), "a copy is as good"

    changed_in_secret(prepared.aot_cache)

    assert "-XX:+VerifySharedSpaces" in prepared.aot_flags(log)


@pytest.fixture(scope="session")
def backend() -> EmbeddedBackend:
    """The backend on the cache folder that `make test` prepared."""
    backend = EmbeddedBackend(CACHE)
    backend.prepare(Silent())
    return backend


def made(path: Path) -> Path:
    """A path where there is a folder now, if nothing was."""
    if not path.exists():
        path.mkdir()
    return path


UNSAFE = ["", "jars", "prepared", "runs", f"jars/{pinned_jars()[0].file_name}"]


@pytest.mark.parametrize("where", UNSAFE, ids=lambda where: where or "the cache")
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_what_everybody_may_write_to_is_refused(
    cache_with_jars: Path, where: str, mode: int
) -> None:
    """Who can change what runs can do all that the user can; a sticky bit does not help."""
    path = made(cache_with_jars / where)
    path.chmod(mode)

    with pytest.raises(CacheNotSafe) as refused:
        EmbeddedBackend(cache_with_jars).prepare(Silent())

    assert "\n" not in str(refused.value)
    assert f"Everybody on this machine may write to {path}," in str(refused.value)
    assert f"chmod -R o-w {path}" in str(refused.value)
    assert not (cache_with_jars / "prepared" / "single").exists()


def test_a_folder_above_that_everybody_may_rename_in_is_refused(cache_with_jars: Path) -> None:
    """Who can put another folder in the cache's place can change what runs; not where only
    owners rename, as in /tmp.
    """
    shared = cache_with_jars.parent
    shared.chmod(0o1777)
    EmbeddedBackend(cache_with_jars).require_safe()
    shared.chmod(0o777)

    with pytest.raises(CacheNotSafe, match=f"Everybody on this machine may write to {shared}, and"):
        EmbeddedBackend(cache_with_jars).prepare(Silent())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
@pytest.mark.parametrize("where", UNSAFE, ids=lambda where: where or "the cache")
def test_what_belongs_to_somebody_else_is_refused(cache_with_jars: Path, where: str) -> None:
    """With sudo, or in a container that has a home folder in it, nothing of it is run as root."""
    path = made(cache_with_jars / where)
    os.chown(path, NOBODY, NOBODY)

    with pytest.raises(CacheNotSafe, match=rf"{path} belongs to \S+, and programs in it would"):
        EmbeddedBackend(cache_with_jars).launch(topology=None, home=path)  # type: ignore[arg-type]


def test_what_a_group_may_write_to_is_taken(tmp_path: Path) -> None:
    """A umask of 002 gives each user a group of its own."""
    tmp_path.chmod(0o775)

    require_safe([tmp_path, tmp_path / "missing"])


def test_an_unsafe_cache_is_one_line(pytester: pytest.Pytester, cache_with_jars: Path) -> None:
    """pytest says so before it starts anything; the doctor says so, too."""
    cache_with_jars.chmod(0o777)
    pytester.makeconftest("")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nkafkalab_curriculum = 'module.toml'")
    (pytester.path / "module.toml").write_text(MANIFEST, "utf-8")
    pytester.makepyfile(test_task_9_1_things=FACT)
    options = [f"--kafkalab-cache={cache_with_jars}", "--kafkalab-backend=embedded"]

    result = pytester.runpytest_subprocess(*options, timeout=60)
    doctor = CliRunner().invoke(
        command_line(), ["doctor", f"--cache={cache_with_jars}"], env={"COLUMNS": "400"}
    )

    (line,) = (line for line in result.stderr.lines if line.strip())
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert line.startswith(f"ERROR: Everybody on this machine may write to {cache_with_jars},")
    assert doctor.exit_code == 1
    assert f"chmod -R o-w {cache_with_jars}" in doctor.output


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

FACT = """
import pytest

@pytest.mark.fact("thing", scope="any")
def test_a_thing_is(broker):
    '''A thing is a thing.'''
"""


@pytest.fixture
def umask_000() -> Iterator[None]:
    """Every file and folder that is made can be written by all, as in some containers."""
    before = os.umask(0)
    yield
    os.umask(before)


class PlayedMaven:
    """Fetches a jar from the cache folder that these tests run with."""

    def __init__(self, repo_cache: Path, timeout: float) -> None:
        del timeout
        self._folder = repo_cache

    def create_dependency(self, coordinate: str) -> PlayedMaven:
        (jar,) = (each for each in pinned_jars() if each.coordinate == coordinate)
        self._fetched = self._folder / jar.file_name
        self._fetched.write_bytes((CACHE / "jars" / jar.file_name).read_bytes())
        return self

    @property
    def artifact(self) -> PlayedMaven:
        return self

    def resolve(self) -> Path:
        return self._fetched


@pytest.mark.usefixtures("umask_000")
def test_what_is_fetched_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the umask is: nobody else can change the jars, nor look into the folder."""
    monkeypatch.setattr("jgo.maven.MavenContext", PlayedMaven)
    cache = tmp_path / "cache"
    distribution = Distribution(cache, find_java())

    distribution.fetch(Silent())

    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    require_safe([cache, cache / "runs", cache / "jars", *distribution.jar_files])
    assert list((cache / "runs").iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("umask_000")
def test_what_is_prepared_is_safe(tmp_path: Path) -> None:
    """The next run takes what the first has prepared with a umask of 000."""
    cache = tmp_path / "cache"
    shutil.copytree(CACHE / "jars", cache / "jars")
    cache.chmod(0o755)
    for name in ("first", "next"):
        run = HeldRun(tmp_path / name, environment={"KAFKALAB_CACHE": str(cache)})

        assert run.wait() == pytest.ExitCode.OK, run.printed


# The reports folder


def picture_of(count: int) -> dict[str, Any]:
    evidence = Evidence()
    evidence.shares("Shares", {0: count})
    return evidence.items[0]


def test_pictures_of_others_stay(tmp_path: Path) -> None:
    """Whatever its name: one of ours says so in its first line, and with its own name."""
    pictures = tmp_path / "pictures"
    Pictures(pictures).of(picture_of(1))
    (ours,) = pictures.iterdir()
    shutil.copy(ours, pictures / "a copy.html")
    shutil.copy(ours, pictures / f"{'0' * 32}.html")
    (pictures / "theirs.html").write_text("theirs", "utf-8")
    (pictures / f"{'1' * 32}.html").write_bytes(b"\xff")
    (pictures / f"{'2' * 32}.html").symlink_to(tmp_path / "elsewhere.html")
    (pictures / "a folder.html").mkdir()
    (tmp_path / "elsewhere.html").write_bytes(
        ours.read_bytes().replace(ours.stem.encode(), b"2" * 32)
    )
    before = snapshot(tmp_path)
    drawing = Pictures(pictures)
    drawing.of(picture_of(2))

    drawing.forget_the_rest()

    after = snapshot(tmp_path)
    assert before.keys() - after.keys() == {f"pictures/{ours.name}"}
    assert without_ours(after, before) == {
        name: content for name, content in before.items() if name in after
    }


def test_a_file_of_others_in_a_pictures_place_stays(tmp_path: Path) -> None:
    """The picture is drawn all the same, each time."""
    Pictures(tmp_path).of(picture_of(1))
    (path,) = tmp_path.iterdir()
    path.write_text("theirs", "utf-8")

    again = Pictures(tmp_path).of(picture_of(1))

    assert "<svg" in again
    assert path.read_text("utf-8") == "theirs"


def test_a_draft_is_nobodys_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written in one step leaves what lies beside it alone, and no draft behind."""
    for name in ("page.tmp", f"page.{os.getpid()}.tmp", "page.html.tmp"):
        (tmp_path / name).write_text("theirs", "utf-8")
    before = snapshot(tmp_path)

    write_whole(tmp_path / "page.html", b"ours")
    monkeypatch.setattr(Path, "replace", _refuse)
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "page.html", b"never")

    assert snapshot(tmp_path) == {**before, "page.html": b"ours"}


def _refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_clean_leaves_what_cannot_be_made_again(tmp_path: Path, repository: Path) -> None:
    """Journal, records and files of the user's own stay; pages and pictures of ours go."""
    shutil.copy(repository / "Makefile", tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(repository / "tools" / "tidy.py", tmp_path / "tools")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / ".installed").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    python.chmod(0o755)
    reports = tmp_path / "reports"
    Pictures(reports / "pictures").of(picture_of(1))
    kept = ["journal.toml", "runs/1.json", "pictures/theirs.html", "notes.html"]
    kept += ["experiments/theirs.html", "guides/theirs.html"]
    for folder in ("runs", "experiments", "guides"):
        (reports / folder).mkdir()
    for name in kept:
        (reports / name).write_text(name, "utf-8")
    (reports / "run.html").write_text(f"<html>{run_report.MARK}", "utf-8")
    (reports / "learning_log.html").write_text(f"<html>{page.MARK}", "utf-8")
    (reports / "experiments" / "ours.html").write_text(f"<html>{experiment.MARK}", "utf-8")
    (reports / "guides" / "ours.html").write_text(f"<html>{guides.MARK}", "utf-8")

    done = subprocess.run(
        ["make", "clean"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=HELD_LIMIT,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert {path for path, what in snapshot(reports).items() if what != "a folder"} == set(kept)
    assert not (tmp_path / ".venv").exists()
