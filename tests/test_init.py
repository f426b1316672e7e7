"""`kafkalab init`: what it makes, what it leaves alone, and that pytest, git and CI can use it."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import kafkalab.tasks
from kafkalab import __version__
from kafkalab.cli import project as project_command
from kafkalab.curriculum import load
from kafkalab.judging import component_facts
from kafkalab.learning_log import acts

COMMANDS = Path(sys.executable).parent

FILES = [
    ".github/workflows/concept-check.yml",
    ".gitignore",
    "README.md",
    "my_lab/README.md",
    "pytest.ini",
    "reports/.gitattributes",
    "reports/.gitignore",
    "requirements.txt",
    "tests/README.md",
]

WORKFLOW = Path(".github/workflows/concept-check.yml")

OWN_TESTS = {
    "tests/conftest.py": """
import pytest

@pytest.fixture
def topic():
    return "their own topic"

def pytest_report_header():
    return "their own conftest"
""",
    "tests/test_theirs.py": """
def test_theirs(topic):
    assert topic == "their own topic"
""",
}


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as it was installed, by a user of whom nothing else is known."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("KAFKALAB_")}
    cache = {key: os.environ[key] for key in ("KAFKALAB_CACHE",) if key in os.environ}
    return subprocess.run(
        [str(COMMANDS / command[0]), *command[1:]],
        cwd=folder,
        env={**own, **cache, "COLUMNS": "200", "KAFKALAB_BACKEND": "embedded", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A project; it was made."""
    ended = run(folder, "kafkalab", "init", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder, with what is in them."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as `kafkalab init` makes it."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    init(folder)
    return folder


# What is made


def test_it_says_what_it_made_and_how_to_begin(tmp_path: Path) -> None:
    """Each file is named, and the next commands are."""
    said = init(tmp_path)

    assert sorted(files(tmp_path)) == FILES
    lines = said.stdout.splitlines()
    assert lines[0] == f"Made in {tmp_path}:"
    assert sorted(lines[1 : 1 + len(FILES)]) == [f"  {name}" for name in FILES]
    assert lines[1 + len(FILES) :] == ["Begin:", "  kafkalab learn 1.1", "  kafkalab start 1.2"]


def test_it_is_made_in_the_folder_named(tmp_path: Path) -> None:
    """A folder that is not there yet is made, and the way there is told."""
    said = init(tmp_path, "deep/my kafka")

    assert sorted(files(tmp_path / "deep" / "my kafka")) == FILES
    assert "  cd 'deep/my kafka'" in said.stdout.splitlines()


def test_nothing_is_written_twice(project: Path) -> None:
    """A second time each file is there already, and stays, edited or not."""
    (project / "README.md").write_text("mine", "utf-8")
    before = files(project)

    said = init(project)

    assert files(project) == before
    assert "Made" not in said.stdout
    lines = said.stdout.splitlines()
    assert lines[0] == "There already, and left as they are:"
    assert sorted(lines[1 : 1 + len(FILES)]) == [f"  {name}" for name in FILES]


def test_what_is_missing_is_made_beside_what_is_there(tmp_path: Path) -> None:
    """A folder may have files; those of the project's names are left alone, links too."""
    write(tmp_path, {"README.md": "mine", "my_lab/routing.py": "x = 1\n", "notes.txt": "mine"})
    (tmp_path / "requirements.txt").symlink_to("nowhere.txt")

    said = init(tmp_path)

    assert (tmp_path / "README.md").read_text("utf-8") == "mine"
    assert (tmp_path / "my_lab" / "routing.py").read_text("utf-8") == "x = 1\n"
    assert not (tmp_path / "nowhere.txt").exists()
    kept = said.stdout.partition("There already")[2]
    assert re.findall(r"^  (\S+)$", kept, re.MULTILINE) == ["README.md", "requirements.txt"]
    assert "`pytest` alone runs your tests in tests/" in said.stdout


def test_it_names_the_distribution(project: Path) -> None:
    """What pip installs is this project, as it is installed here, and not its namesake."""
    lines = (project / "requirements.txt").read_text("utf-8").splitlines()
    (line,) = (line for line in lines if not line.startswith("#"))
    required = Requirement(line)

    assert required.name == "pytest-kafkalab"
    assert required.url or str(required.specifier) == f"=={__version__}"


def test_what_came_from_a_repository_is_required_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No index need have it."""
    origin = '{"url": "https://example.com/lab.git", "vcs_info": {"vcs": "git", "commit_id": "c0"}}'
    monkeypatch.setattr(
        project_command.importlib.metadata,
        "distribution",
        lambda _: SimpleNamespace(read_text=lambda _: origin),
    )

    assert project_command._requirement() == "pytest-kafkalab @ git+https://example.com/lab.git@c0"


def test_its_texts_name_every_task(project: Path) -> None:
    """Each task's file stands in the page of my_lab/, and each command in README is one."""
    page = (project / "my_lab" / "README.md").read_text("utf-8")
    for task in load().tasks:
        assert re.search(rf"^\| {task.id}\b.* \| `{task.component}.py` \|$", page, re.MULTILINE)
    named = set(re.findall(r"kafkalab (\w+)", (project / "README.md").read_text("utf-8")))
    known = run(project, "kafkalab", "--help").stdout
    commands = named & set(re.findall(r"^\W*([a-z]+)  ", known, re.MULTILINE))
    assert commands >= {"learn", "start", "check", "hint", "solution", "status", "try", "prepare"}


def test_git_keeps_what_was_done_and_no_page(project: Path) -> None:
    """Acts and journal are kept, of two branches the lines of both; what a run makes is not."""
    if shutil.which("git") is None:
        pytest.skip("there is no git")
    write(
        project,
        {
            "reports/acts.jsonl": "{}\n",
            "reports/journal.toml": "",
            "reports/learning_log.html": "",
            "reports/runs/1.json": "",
            "my_lab/topics.py": "",
        },
    )

    def git(*arguments: str) -> list[str]:
        call = ["git", "-C", str(project), *arguments]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout.splitlines()

    git("init", "--quiet")
    git("add", "--all")

    theirs = ["my_lab/topics.py", "reports/acts.jsonl", "reports/journal.toml"]
    assert sorted(git("ls-files")) == sorted([*FILES, *theirs])
    assert git("check-attr", "merge", "reports/acts.jsonl") == ["reports/acts.jsonl: merge: union"]


# Where it is refused


def refused(folder: Path, *arguments: str) -> str:
    """What is said where nothing is made: one line."""
    before = files(folder)
    ended = run(folder, "kafkalab", "init", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert files(folder) == before
    (line,) = ended.stderr.splitlines()
    return line


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """It is told in one line, and stays."""
    (tmp_path / "kafka").write_text("mine", "utf-8")

    assert refused(tmp_path, "kafka").endswith("kafka is no folder: name another")
    assert "cannot be made: Not a directory" in refused(tmp_path, "kafka/deeper")


@pytest.mark.parametrize("name", ["x" * 300, "~nobody_of_that_name/kafka"])
def test_a_name_that_cannot_be(tmp_path: Path, name: str) -> None:
    """It is told in one line, without a traceback."""
    assert "cannot be made: " in refused(tmp_path, name)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder's place is taken by a file: what cannot be made is named."""
    (tmp_path / "my_lab").write_text("mine", "utf-8")

    ended = run(tmp_path, "kafkalab", "init")

    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert f"{tmp_path}/my_lab cannot be made: File exists: check" in line
    assert (tmp_path / "my_lab").read_text("utf-8") == "mine"


def test_a_folder_without_rights(tmp_path: Path) -> None:
    """Neither read nor written: one line."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "shut").mkdir(mode=0o000)
    try:
        assert (
            "cannot be made: Permission denied" in run(tmp_path, "kafkalab", "init", "shut").stderr
        )
        assert (
            "cannot be made: Permission denied"
            in run(tmp_path, "kafkalab", "init", "shut/kafka").stderr
        )
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_clone_has_all_of_it(tmp_path: Path) -> None:
    """In a clone of kafkalab, and in any folder of it, nothing is made."""
    write(tmp_path, {"pyproject.toml": '[project]\nname = "pytest-kafkalab"\n', "a/b.txt": ""})

    for arguments in ([], ["a"], ["a/new"]):
        line = refused(tmp_path, *arguments)
        assert "is in a clone of kafkalab, which has all of this: begin there with" in line


# pytest's settings


@pytest.mark.parametrize(
    ("name", "text", "to_add"),
    [
        ("pytest.ini", "", ["testpaths = tests", "kafkalab_facts = true"]),
        ("pytest.ini", "[pytest]\ntestpaths = t\n", ["kafkalab_facts = true"]),
        ("pytest.ini", "[pytest]\ntestpaths = t\nkafkalab_facts = true\n", []),
        (
            "pyproject.toml",
            "[tool.pytest.ini_options]\nxfail_strict = true\n",
            ['testpaths = ["tests"]', "kafkalab_facts = true"],
        ),
        ("tox.ini", "[pytest]\n", ["testpaths = tests", "kafkalab_facts = true"]),
        ("setup.cfg", "[tool:pytest]\n", ["testpaths = tests", "kafkalab_facts = true"]),
    ],
)
def test_settings_that_are_there_stay(
    tmp_path: Path, name: str, text: str, to_add: list[str]
) -> None:
    """What to add to them is printed, as that file has it."""
    write(tmp_path, {name: text})

    said = init(tmp_path)

    assert (tmp_path / name).read_text("utf-8") == text
    assert name == "pytest.ini" or not (tmp_path / "pytest.ini").exists()
    told = said.stdout.partition("stay yours")[2].partition("Begin:")[0].splitlines()
    assert [line.strip() for line in told if line.startswith("  ")] == to_add
    if to_add:
        assert f"in {name}" in said.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[project]\nname = 'mine'\nversion = '1'\n"),
        ("tox.ini", "[tox]\n"),
        ("setup.cfg", "[metadata]\nname = mine\n"),
    ],
)
def test_files_without_settings_of_pytest_do_not_matter(
    tmp_path: Path, name: str, text: str
) -> None:
    """pytest's settings are made beside them."""
    write(tmp_path, {name: text})

    said = init(tmp_path)

    assert (tmp_path / name).read_text("utf-8") == text
    assert "stay yours" not in said.stdout
    collected = run(tmp_path, "pytest", "--collect-only", "-q", "-k", "task_1_3")
    assert collected.returncode == 0, collected.stdout + collected.stderr


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("pyproject.toml", "[tool.pytest.ini_options]"),
        ("pytest.ini", "[pytest]"),
        ("setup.cfg", "[tool:pytest]"),
    ],
)
def test_what_is_to_be_added_works(tmp_path: Path, name: str, head: str) -> None:
    """Pasted below the table's head, it has pytest find the facts beside the project's tests."""
    write(tmp_path, {name: f"{head}\n", **OWN_TESTS})
    said = init(tmp_path)
    told = said.stdout.partition("stay yours")[2].partition("Begin:")[0].splitlines()
    lines = [line.strip() for line in told if line.startswith("  ")]
    write(tmp_path, {name: "\n".join([head, *lines, ""])})
    if name.endswith(".toml"):
        tomllib.loads((tmp_path / name).read_text("utf-8"))
    else:
        configparser.ConfigParser().read_string((tmp_path / name).read_text("utf-8"))

    assert modules(run(tmp_path, "pytest", "--collect-only", "-q")) == {*MODULES, THEIRS}
    assert modules(run(tmp_path, "pytest", "--collect-only", "-q", "tests")) == {THEIRS}


THEIRS = "tests/test_theirs.py"
MODULES = {f"tests_module_a/{module}.py" for module in load().modules}
OF_1_3 = {name for name in MODULES if "task_1_3" in name}


def modules(ended: subprocess.CompletedProcess[str]) -> set[str]:
    """The modules of what `--collect-only -q` lists."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return {line.partition("::")[0] for line in ended.stdout.splitlines() if "::" in line}


def test_pytest_finds_the_facts_beside_their_tests(project: Path) -> None:
    """Without a path both are run; with one, what is there."""
    write(project, {**OWN_TESTS, "my_lab/experiments/test_mine.py": "def test_mine(): assert 0"})
    collect = ["pytest", "--collect-only", "-q"]

    assert modules(run(project, *collect)) == {*MODULES, THEIRS}
    assert modules(run(project, *collect, "-k", "task_1_3")) == OF_1_3
    assert modules(run(project, *collect, "tests")) == {THEIRS}
    assert modules(run(project / "tests", *collect)) == {THEIRS}
    experiment = "my_lab/experiments/test_mine.py"
    assert modules(run(project, *collect, experiment)) == {experiment}


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "-n2"])
def test_their_tests_stay_theirs(project: Path, workers: Sequence[str]) -> None:
    """Their conftest and fixtures are alive, and no Kafka, report or line of ours is there."""
    write(project, OWN_TESTS)
    before = files(project)

    ended = run(project, "pytest", "tests", "-p", "no:cacheprovider", *workers)

    assert "1 passed" in ended.stdout, ended.stdout
    assert "their own conftest" in ended.stdout
    assert "kafka:" not in ended.stdout
    after = {name for name in files(project) if "__pycache__" not in name}
    assert after == set(before)


@pytest.mark.parametrize("workers", [(), ("-n4",)], ids=["alone", "-n4"])
def test_facts_and_their_tests_in_one_run(project: Path, workers: Sequence[str]) -> None:
    """On a real Kafka: a fact takes kafkalab's `topic`, and their test theirs."""
    write(project, OWN_TESTS)

    ended = run(project, "pytest", "-k", "reading_removes_nothing or theirs", *workers)

    assert ended.returncode == 0, ended.stdout
    assert re.search(r"\b[3-9] passed", ended.stdout), "a fact, its control, and their test"
    assert (project / "reports" / "learning_log.html").is_file()


def test_pytest_judges_a_component(project: Path) -> None:
    """`-k task_1_3 -m component --kafkalab-solutions=my_lab` judges theirs, and notes it."""
    reference = Path(kafkalab.tasks.__file__).with_name("partition_log.py")
    shutil.copy(reference, project / "my_lab")

    ended = run(
        *(project, "pytest", "-n2", "-k", "task_1_3", "-m", "component"),
        "--kafkalab-solutions=my_lab",
    )

    assert ended.returncode == 0, ended.stdout
    done, _ = acts.read(project / "reports" / acts.FILE)
    assert [(act.kind, act.about) for act in done] == [(acts.JUDGED, "1.3")]


def needs_testpaths(project: Path, settings: str) -> None:
    """With these settings pytest runs nothing, and says what they lack, in one line."""
    write(project, {"pytest.ini": f"[pytest]\nkafkalab_facts = true\n{settings}"})

    ended = run(project, "pytest", "-k", "task_1_3")

    assert ended.returncode == 4, ended.stdout
    told = "ERROR: kafkalab_facts runs the facts beside your own tests: name the folder of yours in"
    assert told in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_which_tests_are_theirs_must_be_said(project: Path) -> None:
    """Without testpaths, pytest would go through all of the project."""
    needs_testpaths(project, "")


def test_their_tests_are_not_all_that_is_installed(project: Path) -> None:
    """In a virtual environment of the project, pytest would run the tests of all packages there."""
    installed = Path(kafkalab.__file__).parents[1]
    if installed.name != "site-packages":
        pytest.skip("kafkalab is a clone here")
    needs_testpaths(project, f"testpaths = {os.path.relpath(installed, project.resolve())}\n")


def test_without_a_folder_of_theirs_the_facts_are_run(project: Path) -> None:
    """Who deletes tests/ has the facts all the same."""
    shutil.rmtree(project / "tests")

    assert modules(run(project, "pytest", "--collect-only", "-q", "-k", "task_1_3")) == OF_1_3


# The workflow


def steps(project: Path) -> list[dict[str, Any]]:
    """The steps of the workflow's only job."""
    workflow = yaml.safe_load((project / WORKFLOW).read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    found: list[dict[str, Any]] = job["steps"]
    return found


def concept_check(project: Path) -> tuple[dict[str, int], Path]:
    """Run the workflow's steps as a forge does; exit codes by name, and the page of the job."""
    page = project.parent / "page.md"
    codes: dict[str, int] = {}
    for step in steps(project):
        if "run" not in step:
            continue
        if any(codes.values()) and step.get("if") != "always()":
            continue
        ended = run(
            *(project, "/bin/bash", "-e", "-o", "pipefail", "-c", step["run"]),
            PATH=f"{COMMANDS}{os.pathsep}{os.environ['PATH']}",
            GITHUB_STEP_SUMMARY=str(page),
            CI="true",
        )
        codes[step["name"]] = ended.returncode
    return codes, page


def test_the_workflow_is_one(project: Path) -> None:
    """It runs when a component changes, on the Kafka that needs nothing, and keeps the reports."""
    workflow = yaml.safe_load((project / WORKFLOW).read_text("utf-8"))
    (job,) = workflow["jobs"].values()

    # YAML takes `on` for a truth.
    assert workflow[True]["push"]["paths"] == ["my_lab/**.py", "!my_lab/experiments/**"]
    assert job["env"]["KAFKALAB_BACKEND"] == "embedded"
    kept = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert [step["with"]["path"] for step in kept] == ["reports/"]


def test_the_workflow_judges_the_components_that_are_there(project: Path) -> None:
    """The reference of one task passes; the others, which are not begun, are passed over."""
    reference = Path(kafkalab.tasks.__file__).with_name("routing.py")
    shutil.copy(reference, project / "my_lab")

    codes, page = concept_check(project)

    assert set(codes.values()) == {0}, codes
    assert (project / "reports" / "junit.xml").stat().st_size
    judging = len(component_facts(load(), load().task("1.2")))
    assert f"{judging} of {judging}" in page.read_text("utf-8")


def test_the_workflow_fails_with_a_component(project: Path) -> None:
    """A stub is refuted, and the page of the job says why."""
    shutil.copy(Path(kafkalab.tasks.__file__).with_name("topics.py"), project / "my_lab")
    assert run(project, "kafkalab", "start", "1.2").returncode == 0

    codes, page = concept_check(project)

    assert [name for name, code in codes.items() if code] == ["The facts about your components"]
    assert "is not written yet" in page.read_text("utf-8")


def test_the_workflow_judges_nothing_where_nothing_is(project: Path) -> None:
    """No component at all is no success."""
    codes, _ = concept_check(project)

    assert codes["The facts about your components"] == 1
