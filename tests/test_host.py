"""Facts and a project's own tests in one run: neither changes the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kafkalab.brokers.owner import Owner
from kafkalab.brokers.runs import Run
from kafkalab.config import KNOBS
from kafkalab.waiting import wait_until

FACT = """
    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is(evidence):
        '''A thing is a thing.'''
        {body}
"""
LESSON = "lessons/test_task_9_1_things.py"
OWN = "def test_own(): pass\n"


def fact(body: str = "pass", arguments: str = "evidence") -> str:
    return FACT.format(body=body).replace("(evidence)", f"({arguments})")


@pytest.fixture(autouse=True)
def no_control_needed(host: Any) -> None:
    """A fact that holds; a test may teach another."""
    teach(host, fact())


def teach(host: Any, tests: str) -> None:
    host.teach(tests, {"thing": "nothing is opposite to a thing"})


# What the host has stays the host's


OLD_OPTIONS = ("--kafka-version", "--kafka-bootstrap", "--kafka-config", "--reports", "--solutions")


def test_a_host_may_have_any_option_that_does_not_begin_with_our_name(host: Any) -> None:
    """Options, and the names by which pytest keeps them, are the host's."""
    rows = [f"    parser.addoption('{flag}', default='mine')" for flag in OLD_OPTIONS]
    rows += [f"    parser.addoption('--host-{n}', dest='{n}', default='mine')" for n in KNOBS]
    rows += [f"    parser.addini('{name}', 'of the host', default='mine')" for name in KNOBS]
    host.write("conftest.py", "def pytest_addoption(parser):\n" + "\n".join(rows))
    names = [*KNOBS, *(flag.strip("-").replace("-", "_") for flag in OLD_OPTIONS)]
    host.write(
        "test_own.py",
        f"""
        def test_own(pytestconfig):
            assert [pytestconfig.getoption(name) for name in {names}] == ["mine"] * {len(names)}
            assert [pytestconfig.getini(name) for name in {[*KNOBS]}] == ["mine"] * {len(KNOBS)}
        """,
    )

    result = host.run("test_own.py", "lessons")

    result.assert_outcomes(passed=2)


def test_every_option_has_our_name_before_it() -> None:
    """Flags, ini keys and environment variables: nobody else's begin so."""
    for knob in KNOBS.values():
        assert knob.flag.startswith("--kafkalab-")
        assert knob.ini.startswith("kafkalab_")
        assert knob.variable.startswith("KAFKALAB_")


def test_tests_of_the_host_that_are_slow_run(host: Any) -> None:
    """Only facts that take a minute are left out; a marker of the host means what it says there."""
    host.configure('markers = ["slow: ours", "needs: ours", "cluster: ours", "control: ours"]')
    teach(host, fact().replace("@pytest.mark", "@pytest.mark.slow\n    @pytest.mark", 1))
    host.write(
        "test_own.py",
        """
        import pytest

        @pytest.mark.slow
        @pytest.mark.needs("patience")
        @pytest.mark.cluster("eu-west")
        @pytest.mark.control("of quality", changes="nothing")
        def test_own(): pass
        """,
    )

    host.run("test_own.py", "lessons").assert_outcomes(passed=1, deselected=1)
    host.run("test_own.py", "lessons", "-m", "not other").assert_outcomes(passed=1, deselected=1)
    host.run("test_own.py", "lessons", "-m", "slow").assert_outcomes(passed=2)


def test_where_no_fact_is_asked_for_our_markers_are_not_known(host: Any) -> None:
    """A host with strict markers is told of one that it did not register, as if we were not there.

    `cluster` is the exception: it belongs to a fixture that its tests may use.
    """
    host.write("test_own.py", "import pytest\n\n@pytest.mark.slow\ndef test_own(): pass\n")

    result = host.run("test_own.py", "--strict-markers")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*'slow' not found in `markers` configuration option*"])


def test_fixtures_of_the_same_name_go_to_those_who_wrote_them(host: Any) -> None:
    """The host's tests get the host's `topic` and `evidence`, facts get ours."""
    host.write(
        "conftest.py",
        """
        import pytest

        @pytest.fixture
        def evidence(): return "the host's"

        @pytest.fixture
        def topic(): return "orders"

        @pytest.fixture
        def _lab(): return "a laboratory"
        """,
    )
    host.write(
        "test_own.py",
        """
        def test_own(topic, evidence, _lab):
            assert [topic, evidence, _lab] == ["orders", "the host's", "a laboratory"]
        """,
    )
    teach(host, fact("assert 'orders' not in topic.name(), 'It is our topic.'", "evidence, topic"))
    host.write("played_admin.py", "import kafkalab.fixtures\nkafkalab.fixtures.new_admin = print\n")

    result = host.run("-p", "played_admin", "test_own.py", "lessons")

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("settings", "conftest"),
    [
        ("", "@pytest.fixture(autouse=True)\ndef never(): raise OSError('not in a fact')"),
        ("usefixtures = ['never']", "@pytest.fixture\ndef never(): raise OSError('not in a fact')"),
        ("", "@pytest.fixture(autouse=True)\ndef evidence(): raise OSError('not in a fact')"),
    ],
    ids=["autouse", "usefixtures", "autouse of our name"],
)
def test_what_the_host_does_around_each_of_its_tests_is_not_done_around_facts(
    host: Any, settings: str, conftest: str
) -> None:
    """Fixtures for all tests are for all tests of the host."""
    host.configure(settings)
    host.write("conftest.py", f"import pytest\n\n{conftest}\n")
    host.write("test_own.py", OWN)

    host.run("lessons", "test_own.py").assert_outcomes(passed=1, errors=1)


def test_fixtures_that_a_fact_needs_by_parameters_stay(host: Any) -> None:
    """Parametrised facts, with values and through fixtures, run with each of them."""
    teach(
        host,
        """
        @pytest.fixture
        def doubled(request):
            return request.param * 2

        @pytest.mark.fact("thing", scope="any")
        @pytest.mark.parametrize("plain", [1, 2])
        @pytest.mark.parametrize("doubled", [3], indirect=True)
        def test_a_thing_is(tmp_path, plain, doubled, evidence):
            '''A thing is a thing.'''
            assert plain in (1, 2) and doubled == 6 and tmp_path.exists()
        """,
    )

    host.run("lessons").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "settings",
    [
        "python_files = ['*_check.py']",
        "python_functions = ['check_*']",
        "python_classes = ['*']",
        "filterwarnings = ['error']",
        "xfail_strict = true\nlog_cli = true\nlog_cli_level = 'INFO'",
        "addopts = ['--import-mode=importlib', '--strict-markers', '--strict-config']",
        "addopts = ['--doctest-modules', '-p', 'no:cacheprovider']",
        "timeout = 0.01",
        "strict = true",
    ],
)
def test_the_hosts_settings_change_nothing_in_facts(host: Any, settings: str) -> None:
    """Whatever its ini file says, the fact is found once, and holds; its assertions are told."""
    host.configure(settings)
    body = "import warnings; warnings.warn('old'); [][:].sort(); list(range(9**5)).sort(reverse=1)"
    teach(host, fact(body))

    host.run("lessons").assert_outcomes(passed=1, warnings=None)
    assert host.verdicts() == {"thing": "demonstrated"}

    teach(host, fact("seen = 3; assert seen == 4, 'There are four.'"))
    host.run("lessons").assert_outcomes(failed=1, warnings=None)
    assert host.record()["facts"][0]["reason"].splitlines() == [
        "There are four.",
        "assert seen == expected",
        "  seen:     3",
        "  expected: 4",
    ]


@pytest.mark.parametrize(
    "absent",
    ["timeout", "html", "metadata", "hypothesispytest", "warnings", "junitxml", "logging", "xdist"],
)
def test_each_neighbour_plugin_may_be_absent(host: Any, absent: str) -> None:
    """Without it what it does is missing, and no more."""
    limited = fact().replace("@pytest", "@pytest.mark.timeout(9)\n    @pytest", 1)
    teach(host, limited.replace("@pytest", "@pytest.mark.filterwarnings('ignore')\n    @pytest", 1))

    result = host.run("lessons", "--strict-markers", "-p", f"no:{absent}")

    result.assert_outcomes(passed=1, warnings=None)
    assert host.verdicts() == {"thing": "demonstrated"}


def test_no_other_plugin_is_needed(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where plugins are named one by one, ours is enough for facts."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    result = host._pytester.runpytest_subprocess(
        *("-p", "kafkalab.plugin", "-p", "played", "lessons", "--strict-markers"), timeout=60
    )

    result.assert_outcomes(passed=1)
    assert host.verdicts() == {"thing": "demonstrated"}


def test_a_page_that_the_host_asked_for_stays_as_it_is(host: Any) -> None:
    """With its own tests on it, its page has pytest-html's columns, title and files."""
    host.write("test_own.py", OWN)

    host.run("test_own.py", "lessons", "--html=own.html")

    page = (host.folder / "own.html").read_text("utf-8")
    assert "Fact or control" not in page
    assert "kafkalab" not in page.partition("<body>")[0]
    assert (host.folder / "assets" / "style.css").exists(), "it was not asked to be self-contained"


def test_junit_tells_the_package_and_not_where_it_is_installed(host: Any) -> None:
    """A fact of an installed package has a class name that is the same on every machine."""
    installed = host.folder / "site-packages" / "lessons"
    installed.parent.mkdir()
    host.lessons.rename(installed)
    host.configure()
    toml = host.folder / "pyproject.toml"
    toml.write_text(toml.read_text().replace("'lessons/", "'site-packages/lessons/"), "utf-8")

    host.run("site-packages/lessons", "--junitxml=junit.xml", "-n2")

    case = next(ET.parse(host.folder / "junit.xml").iter("testcase"))  # noqa: S314 - ours
    assert case.get("classname") == "lessons.test_task_9_1_things"


# What a run says


def test_what_is_there_and_left_out_is_not_said_to_be_missing(host: Any) -> None:
    """A fact that `-m` leaves out is not proposed as what was perhaps meant."""
    result = host.run("lessons", "-k", "thing", "-m", "nothing")

    result.stdout.fnmatch_lines(
        ["kafkalab: there are facts for -k thing, but another option, such as -m, leaves them out"]
    )


def test_ctrl_c_while_workers_start_says_nothing_of_facts(host: Any) -> None:
    """Nothing was collected yet, so nothing is known of what matches."""
    # 60 s, here and below: a worker takes a second to get there.
    goes_on = "pathlib.Path('over').exists, limit=60, what='the end'"
    teach(host, f"    pathlib.Path('collecting').touch()\n    wait_until({goes_on})\n{fact()}")
    command = [sys.executable, "-m", "pytest", "-p", "played", "-n2", "lessons", "-k", "thing"]
    run = subprocess.Popen(
        command,
        cwd=host.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that runs the tests in the background has SIGINT ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_until((host.folder / "collecting").exists, limit=60, what="a worker to collect")
    os.kill(run.pid, signal.SIGINT)
    (host.folder / "over").touch()
    told = run.communicate(timeout=60)[0]

    assert run.returncode == pytest.ExitCode.INTERRUPTED, told
    assert "no fact matches" not in told


def test_a_retry_that_passes_does_not_hide_a_refutation(host: Any) -> None:
    """Whoever tries again until it passes: the fact is refuted, and the exit code says so."""
    teach(host, fact("assert os.path.exists('again'), 'It is there at once.'"))
    # What plugins for flaky tests do.
    host.write(
        "again.py",
        """
        import pathlib
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    if report.failed:
                        report.outcome = "rerun"
                    item.ihook.pytest_runtest_logreport(report=report)
                pathlib.Path("again").touch()
                item._initrequest()
            return True
        """,
    )

    result = host.run("-p", "again", "lessons")

    assert host.verdicts() == {"thing": "refuted"}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


# What the host must not lose


THEIRS = "<html><title>theirs</title>"


@pytest.mark.parametrize("name", ["run.html", "learning_log.html"])
@pytest.mark.parametrize("how", ["a file", "a link", "a hard link"])
def test_a_page_of_somebody_elses_stays(host: Any, name: str, how: str) -> None:
    """It has no mark of ours: it is told in a line, and the facts are judged all the same."""
    reports, theirs = host.folder / "reports", host.folder / "theirs.html"
    reports.mkdir()
    theirs.write_text(THEIRS, "utf-8")
    if how == "a link":
        (reports / name).symlink_to(theirs)
    elif how == "a hard link":
        (reports / name).hardlink_to(theirs)
    else:
        theirs.rename(reports / name)

    result = host.run("lessons")

    assert (reports / name).read_text("utf-8") == THEIRS
    assert host.verdicts() == {"thing": "demonstrated"}
    result.stdout.fnmatch_lines([f"*not written: *{name}: kafkalab did not write what is there*"])


def test_another_name_of_our_page_keeps_what_it_had(host: Any) -> None:
    """pytest-html writes into the file; a hard link to it is somebody's copy."""
    host.run("lessons")
    page = host.folder / "reports" / "run.html"
    (host.folder / "kept.html").hardlink_to(page)
    kept = page.read_bytes()

    host.run("lessons", "-k", "thing")

    assert (host.folder / "kept.html").read_bytes() == kept
    assert page.read_bytes() != kept


@pytest.mark.parametrize("how", ["a file", "a link"])
def test_a_summary_takes_the_place_of_a_summary_only(host: Any, how: str) -> None:
    """A file that was named by a slip of the finger stays."""
    source = host.folder / "source.py"
    source.write_text("answer = 42\n", "utf-8")
    if how == "a link":
        (host.folder / "summary.md").symlink_to(source)
    name = "summary.md" if how == "a link" else "source.py"

    result = host.run("lessons", f"--kafkalab-concept-summary={name}")

    assert source.read_text("utf-8") == "answer = 42\n"
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --kafkalab-concept-summary: *kafkalab did not write *"])


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_the_hosts_tests_run_where_facts_cannot(host: Any, workers: str) -> None:
    """Each fact tells why; where nothing but facts was asked for, nothing runs."""
    host.write("reports", "a file in the place of the folder")
    host.write("test_own.py", OWN)

    both = host.run(workers, "test_own.py", "lessons")
    alone = host.run(workers, "lessons")

    both.assert_outcomes(passed=1, errors=1)
    both.stdout.fnmatch_lines(["kafkalab: no fact can run: the folder for reports, *"])
    assert alone.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("place", ["", "course/lessons/"])
def test_a_copy_of_a_module_states_nothing(host: Any, place: str) -> None:
    """The host's test of the same name is the host's, in JUnit too."""
    copy = f"{place}{LESSON.rpartition('/')[2]}"
    host.write("course/pytest.ini", "")
    (host.folder / place).mkdir(parents=True, exist_ok=True)
    host.write(copy, "def test_a_thing_is(): assert 0\n")

    host.run(copy, "lessons", "--import-mode=importlib", "--junitxml=junit.xml", "--rootdir=.")

    assert host.verdicts() == {"thing": "demonstrated"}
    cases = {
        case.get("classname"): case.findall("properties")
        for case in ET.parse(host.folder / "junit.xml").iter("testcase")  # noqa: S314 - ours
    }
    assert cases[copy.removesuffix(".py").replace("/", ".")] == []


@pytest.mark.parametrize("name", ["token.py", "psutil.py", "kafkalab.py"])
def test_no_module_of_the_hosts_folder_is_run_by_the_watchdog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever it is called: the watchdog does its work, and the file is not run."""
    (tmp_path / name).write_text("open('ran', 'w').close()", "utf-8")
    monkeypatch.chdir(tmp_path)
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = replace(Run.new(tmp_path / "cache"), owner=Owner.of(owner.pid))

    run.open()
    owner.kill()
    owner.wait()

    # 60 s: it looks twice a second.
    wait_until(lambda: not run.folder.exists(), limit=60, what="the watchdog to clear up")
    assert not (tmp_path / "ran").exists()
