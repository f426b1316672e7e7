"""The plugin in whole runs of pytest, with a broker that is only played."""

from __future__ import annotations

import re
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kafkalab.brokers.runs import clear_dead_runs
from kafkalab.curriculum import load
from kafkalab.learning_log.standing import standing_of

Lines = Callable[[pytest.RunResult], str]

ONE_THING = """
    @pytest.mark.fact("thing", scope="any")
    def test_a_thing_is(evidence):
        '''A thing is a thing.'''
        evidence.table("Seen", [{"what": b"thing", "size": 1}])
        assert 1 == 1

    @pytest.mark.control("thing", changes="it is not a thing")
    def test_no_thing_is_not():
        '''What is no thing is not.'''
        assert 0 == 0
"""

OTHER_THING = ONE_THING.replace('"thing"', '"other"').replace("_thing", "_other")

WORKERS = pytest.mark.parametrize("workers", ["-n0", "-n2"], ids=["one process", "two workers"])


@WORKERS
def test_facts_read_as_sentences_with_verdict_and_controls(project: Any, workers: str) -> None:
    """With -v the terminal shows each fact's sentence under its task, its controls beneath."""
    project.teach(ONE_THING)

    result = project.run(workers, "-v")

    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "kafka: a played broker",
            "*= Module T: A module for tests =*",
            "9.1 Things: What is a thing?",
            "  demonstrated * s A thing is a thing.",
            "    control * s What is no thing is not.",
            "  1 of 1 facts demonstrated",
            "*page*run.html",
            "*record*.json",
        ]
    )


@WORKERS
def test_facts_need_no_terminal(project: Any, workers: str) -> None:
    """With `-p no:terminal` the record is written all the same."""
    project.teach(ONE_THING)

    assert project.run(workers, "-p", "no:terminal").ret == 0
    assert project.verdicts() == {"thing": "demonstrated"}


VERDICTS = {
    "demonstrated": "assert 1 == 1",
    "refuted": "assert 1 == 2, 'one is not two'",
    "refuted by a wait": "wait_until(lambda: 0, limit=0, what='a one')",
    "invalid": "raise OSError('the disk is full')",
    "not run": "pytest.skip('not here')",
}


@WORKERS
@pytest.mark.parametrize("body", VERDICTS.values(), ids=VERDICTS)
def test_what_happened_becomes_the_verdict(
    project: Any, request: pytest.FixtureRequest, workers: str, body: str
) -> None:
    """What happened to a fact becomes its verdict, in one process and in workers."""
    project.teach(ONE_THING.replace("assert 1 == 1", body))

    project.run(workers)

    expected = next(name for name, each in VERDICTS.items() if each == body)
    assert project.verdicts() == {"thing": expected.removesuffix(" by a wait")}
    assert project.record()["tests"][0]["evidence"][0]["rows"] == [["thing", 1]]
    assert request.node is not None


@WORKERS
@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("assert 0 == 1", "unsupported"),
        ("pytest.skip('not here')", "unsupported"),
        ("raise OSError('the disk is full')", "invalid"),
    ],
    ids=["control refuted", "control skipped", "control invalid"],
)
def test_a_fact_needs_its_control(project: Any, workers: str, body: str, verdict: str) -> None:
    """A fact that passed is not demonstrated when its control did not support it."""
    project.teach(ONE_THING.replace("assert 0 == 0", body))

    project.run(workers)

    assert project.verdicts() == {"thing": verdict}


def test_a_control_left_out_leaves_the_fact_unsupported(project: Any) -> None:
    """A run of the fact alone says 'unsupported', and why."""
    project.teach(ONE_THING)

    project.run("test_task_9_1_things.py::test_a_thing_is")

    (fact,) = project.record()["facts"]
    assert (fact["verdict"], fact["reason"]) == ("unsupported", "control not run")


def test_a_crashed_worker_interrupts_its_fact_only(project: Any) -> None:
    """The fact whose worker died is interrupted; the others have their verdicts."""
    more = ONE_THING.replace('"thing"', '"other"').replace("_thing", "_other")
    project.teach(
        ONE_THING.replace("assert 1 == 1", "os._exit(1)") + more, {"thing": "", "other": ""}
    )

    result = project.run("-n2")

    assert result.ret != 0
    assert project.verdicts() == {"thing": "interrupted", "other": "demonstrated"}


@WORKERS
@pytest.mark.parametrize("word", ["two-words", "two_words"], ids=["hyphened", "underscores"])
def test_a_slug_selects_a_fact_with_its_controls(project: Any, workers: str, word: str) -> None:
    """`-k` with a slug selects the fact and its controls, and nothing else."""
    more = ONE_THING.replace('"thing"', '"two-words"').replace("_thing", "_other")
    project.teach(ONE_THING + more, {"thing": "", "two-words": ""})

    result = project.run(workers, "-k", word)

    result.assert_outcomes(passed=2)
    assert project.verdicts() == {"two-words": "demonstrated"}


def junit_properties(project: Any) -> dict[str, dict[str, str]]:
    """The properties of each test case in junit.xml, by its name."""
    cases = ET.parse(project.folder / "junit.xml").iter("testcase")  # noqa: S314 - ours
    return {
        case.attrib["name"]: {
            each.attrib["name"]: each.attrib["value"] for each in case.iter("property")
        }
        for case in cases
    }


@WORKERS
@pytest.mark.parametrize("body", ["assert 1 == 1", "assert 1 == 2", "pytest.skip('not here')"])
def test_junit_xml_tells_slug_role_and_sentence(project: Any, workers: str, body: str) -> None:
    """Each case says what it states, whatever came of it; evidence stays out."""
    project.teach(ONE_THING.replace("assert 1 == 1", body))

    project.run(workers, "--junitxml=junit.xml")

    assert junit_properties(project) == {
        "test_a_thing_is": {"slug": "thing", "role": "fact", "sentence": "A thing is a thing."},
        "test_no_thing_is_not": {
            "slug": "thing",
            "role": "control",
            "sentence": "What is no thing is not.",
        },
    }


@WORKERS
def test_hostile_content_is_shown_as_text(project: Any, workers: str) -> None:
    """Evidence, sentences and ids with markup in them reach the page as text."""
    project.teach(
        """
        @pytest.mark.fact("thing", scope="any <b>client</b>")
        @pytest.mark.parametrize("given", ["<script>alert(1)</script>"])
        def test_hostile(evidence, given):
            '''A <script>alert(2)</script> is text, and `poll()` is code.'''
            evidence.table("<script>alert(3)</script>", [{"<i>": "<script>alert(4)</script>"}])
            evidence.note("nul \\0, \\x1b[31mred\\x1b[0m, \\u202e, \\U0001f600")
        """,
        {"thing": "a <script>alert(5)</script> of a reason"},
    )

    result = project.run(workers)

    assert result.ret == 0
    page = (project.folder / "reports" / "run.html").read_text("utf-8")
    assert not any(f"<script>alert({number})" in page for number in range(1, 6))
    assert "alert(4)" in page
    assert "<code>poll()</code>" in page, "in the summary"
    assert "&lt;code&gt;poll()&lt;/code&gt;" in page, "and in the row, which is data to the page"


def test_the_page_goes_where_the_user_wants_it(project: Any) -> None:
    """With `--html` of one's own the page is written there, and only there."""
    project.teach(ONE_THING)

    result = project.run("--html=elsewhere/mine.html", "--self-contained-html")

    assert result.ret == 0
    assert (project.folder / "elsewhere" / "mine.html").exists()
    assert not (project.folder / "reports" / "run.html").exists()


def test_a_crashed_worker_leaves_its_case_without_properties(project: Any) -> None:
    """pytest closes the case without a last report; it is there, as an error."""
    project.teach(
        ONE_THING.replace("assert 1 == 1", "os._exit(1)") + OTHER_THING, {"thing": "", "other": ""}
    )

    project.run("-n2", "--junitxml=junit.xml")

    properties = junit_properties(project)
    assert properties["test_a_thing_is"] == {}
    assert properties["test_a_other_is"]["slug"] == "other"


@WORKERS
def test_evidence_of_failures_and_of_late_fixtures_is_kept(project: Any, workers: str) -> None:
    """What is observed before a test fails, and while its fixtures end, is in the record."""
    project.teach(
        """
        @pytest.fixture
        def late(evidence):
            evidence.note("before")
            yield
            evidence.note("after")

        @pytest.mark.fact("thing", scope="any")
        def test_a_thing_is(late, evidence):
            '''A thing is a thing.'''
            evidence.note("meanwhile")
            assert 1 == 2
        """,
        {"thing": "there is none"},
    )

    project.run(workers)

    (test,) = project.record()["tests"]
    assert test["outcome"] == "refuted"
    assert [item["text"] for item in test["evidence"]] == ["before", "meanwhile", "after"]


def test_evidence_shows_names_of_the_run_shortly(project: Any) -> None:
    """The run's and the test's own part of a name bury what a reader looks for."""
    project.teach(
        """
        @pytest.mark.fact("thing", scope="any")
        @pytest.mark.parametrize("protocol", ["KIP-848"])
        def test_a_thing_is(evidence, group, protocol):
            '''A thing is a thing.'''
            evidence.note(f"{group} reads {group.removesuffix('0')}12-0, {group}-other does not")
            assert 1 == 1
        """,
        {"thing": "there is none"},
    )

    project.run("-n0")

    (item,) = project.record()["tests"][0]["evidence"]
    assert item["text"] == "group reads topic-12-0, group-other does not"


# All runs together, and the summary for CI


@WORKERS
def test_a_run_of_some_facts_renews_those(project: Any, workers: str) -> None:
    """The run tells its own facts, and where all runs together stand."""
    project.teach(ONE_THING + OTHER_THING, {"thing": "", "other": ""})
    project.run(workers)

    result = project.run(workers, "-k", "other")

    assert project.verdicts() == {"other": "demonstrated"}
    result.stdout.fnmatch_lines(
        [
            "9.1 Things: 1 of 1 facts demonstrated",
            "  proved   2 of 2 facts of Module T, on this machine",
            "  next     Module T is done. Go on.",
        ]
    )


def test_two_runs_at_once_lose_nothing(project: Any) -> None:
    """Whichever ends last, what the other proved counts."""
    project.teach(ONE_THING + OTHER_THING, {"thing": "", "other": ""})

    with ThreadPoolExecutor(2) as threads:
        ended = list(threads.map(lambda word: project.run("-k", word), ["thing", "other"]))

    assert [result.ret for result in ended] == [0, 0]
    standing = standing_of(load(project.folder / "module.toml"), project.folder / "reports")
    assert (standing.runs, standing.proved.done, standing.set_aside) == (2, 2, ())


@WORKERS
def test_a_summary_in_markdown(project: Any, workers: str) -> None:
    """What failed is unfolded, with its reason; what is demonstrated is folded."""
    project.teach(
        ONE_THING.replace("assert 1 == 1", "assert 1 == 2, 'one is <b>two</b>'") + OTHER_THING,
        {"thing": "", "other": ""},
    )

    result = project.run(workers, "--kafkalab-concept-summary=out/summary.md")

    assert result.ret == 1
    text = (project.folder / "out" / "summary.md").read_text("utf-8")
    assert re.sub(r"in \d+ s", "in 0 s", text) == SUMMARY


SUMMARY = r"""# Module T: A module for tests

**1 of 2 facts demonstrated, 1 refuted** in 0 s.

## 9.1 Things

What is a thing? 1 of 2 facts demonstrated, 1 refuted.

- **refuted** A thing is a thing. *any*
  - expected: one is \<b\>two\</b\>
  - seen: 1
  - expected: 2
  - `pytest -k thing`
  - control: What is no thing is not.

<details><summary>1 demonstrated</summary>

- **demonstrated** A thing is a thing. *any*
  - control: What is no thing is not.

</details>
"""


def test_code_in_a_sentence_is_code_in_the_summary(project: Any) -> None:
    """What stands between backticks; all else that means something to Markdown does not."""
    sentence = "A `thing` is *a* `<b>`."
    project.teach(ONE_THING.replace("A thing is a thing.", sentence, 1))

    project.run("--kafkalab-concept-summary=summary.md")

    text = (project.folder / "summary.md").read_text("utf-8")
    assert r"A `thing` is \*a\* `<b>`." in text


def test_modules_of_a_task_run_as_they_are_read(project: Any) -> None:
    """And not by their names: the component comes last."""
    project.teach(ONE_THING)
    manifest = project.folder / "module.toml"
    module = 'module = "test_task_9_1_things"'
    siblings = f'{module}\nsiblings = ["test_task_9_1_component"]'
    text = manifest.read_text("utf-8").replace(module, siblings)
    manifest.write_text(
        f"{text}\n[task.facts.built]\nhint = 'Look.'\nno_control = 'none'\n", "utf-8"
    )
    (project.folder / "test_task_9_1_component.py").write_text(
        "import pytest\n\n\n@pytest.mark.fact('built', scope='the component topics')\n"
        'def test_built():\n    """It is built."""\n',
        "utf-8",
    )

    result = project.run("-k", "task_9_1", "-v")

    ran = [line.split("::")[1].split()[0] for line in result.outlines if "::" in line]
    assert ran.index("test_built") == len(ran) - 1, result.outlines


def test_a_slow_fact_is_found_by_the_marker_that_it_needs(project: Any) -> None:
    """Whoever asks for it by name learns why it was left out."""
    slow = ONE_THING.replace("@pytest.mark", "@pytest.mark.slow\n    @pytest.mark")
    project.teach(slow)

    result = project.run("-k", "thing")

    said = "kafkalab: no fact matches -k thing that takes less than a minute: "
    result.stdout.fnmatch_lines([f"{said}pytest -m slow -k thing"])


LOST = '''
    @pytest.mark.fact("thing", scope="any client")
    def test_thing():
        """A thing is a thing."""
        raise SystemError("returned a result with an exception set") from KeyboardInterrupt()

    @pytest.mark.control("thing", changes="nothing")
    def test_other():
        """Another thing is not."""
'''


@WORKERS
def test_ctrl_c_in_a_call_of_the_client_ends_the_run(project: Any, workers: str) -> None:
    """confluent-kafka's extension makes a SystemError of it, which says nothing of Kafka."""
    project.teach(LOST)

    result = project.run(workers)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [fact["verdict"] for fact in project.record()["facts"]] == ["interrupted"]


def test_facts_found_before_an_interrupt_were_not_asked_for(project: Any) -> None:
    """Ctrl-C while pytest still collects: nothing was chosen, so nothing is said of it."""
    project.teach(ONE_THING)
    (project.folder / "test_z_interrupts.py").write_text("raise KeyboardInterrupt", "utf-8")

    result = project.run("-k", "other")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert project.record()["facts"] == []


@WORKERS
def test_an_interrupted_run_has_its_summary(project: Any, workers: str) -> None:
    """Ctrl-C ends the run, not what it has to say."""
    body = "os.kill(int(os.environ['RUN']), 2); wait_until(lambda: 0, limit=30, what='the end')"
    project.teach(ONE_THING.replace("assert 1 == 1", body))
    conftest = project.folder / "conftest.py"
    # A shell that runs the tests in the background has SIGINT ignored, and hands that on.
    head = (
        "import os, signal\nos.environ.setdefault('RUN', str(os.getpid()))\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    )
    conftest.write_text(head + conftest.read_text("utf-8"), "utf-8")

    result = project.run(workers, "--kafkalab-concept-summary=summary.md")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = (project.folder / "summary.md").read_text("utf-8")
    assert "**The run was interrupted: 0 of 1 facts demonstrated, 1 " in text


def test_a_run_that_ends_at_once_has_a_summary_that_says_so(project: Any) -> None:
    """No summary of an earlier run is left to be taken for this one's."""
    project.teach(ONE_THING)
    project.run("--kafkalab-concept-summary=summary.md")
    project.teach(ONE_THING.replace("assert 1 == 1", "os._exit(0)"))

    project.run("--kafkalab-concept-summary=summary.md")

    text = (project.folder / "summary.md").read_text("utf-8")
    assert "**The run was not completed.**" in text
    clear_dead_runs(project.folder / "cache")


@pytest.mark.parametrize("place", ["file/summary.md", "folder"])
def test_a_summary_that_cannot_be_written_is_told_at_once(project: Any, place: str) -> None:
    """One line, before anything runs."""
    project.teach(ONE_THING)
    (project.folder / "file").write_text("", "utf-8")
    (project.folder / "folder").mkdir()

    result = project.run(f"--kafkalab-concept-summary={place}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: --kafkalab-concept-summary: *{place} cannot be written to: *"]
    )


# The broker


@WORKERS
def test_one_broker_serves_the_whole_run(project: Any, workers: str) -> None:
    """However many workers ask, the broker is started once."""
    project.teach(
        """
        @pytest.mark.fact("thing", scope="any")
        @pytest.mark.parametrize("number", range(8))
        def test_a_thing_is(broker, number):
            '''A thing is a thing.'''
        """,
        {"thing": "there is none"},
    )

    result = project.run(workers)

    result.assert_outcomes(passed=8)
    assert project.launches == 1
    assert project.record()["broker"]["start_seconds"] == 0.25
    result.stdout.fnmatch_lines(["  note *a note"])


def test_no_broker_is_started_when_nothing_needs_one(project: Any) -> None:
    """Facts without a broker start none, and leave no run folder."""
    project.teach(ONE_THING)

    project.run()

    assert project.launches == 0
    (pages,) = (project.folder / "cache").iterdir()
    assert pages.name == "pages", "what all reports share is there, and nothing of a broker"
    for folder in (pages, pages.parent):
        assert folder.stat().st_mode & 0o077 == 0, "nobody else may write what is read again"


@WORKERS
def test_a_broker_that_does_not_start_ends_the_run(
    project: Any, workers: str, lines: Lines
) -> None:
    """One clear line, no verdict on Kafka, an exit code, and no second try."""
    project.teach(USES_THE_BROKER, {"thing": "there is none"})
    (project.folder / "fails").touch()

    result = project.run(workers)

    assert result.ret != 0
    assert "It did not start. Suspected: the play. To do: run again." in lines(result)
    assert project.verdicts() == {"thing": "invalid"}


@WORKERS
def test_a_broker_that_dies_ends_the_run(project: Any, workers: str, lines: Lines) -> None:
    """Its facts become invalid with the tail of its log, and the run ends."""
    body = "(pathlib.Path(__file__).parent / 'dead').touch()\n            assert 1 == 2"
    project.teach(USES_THE_BROKER.replace("pass", body), {"thing": "none"})

    result = project.run(workers)

    assert result.ret != 0
    assert "the run ends: The broker died: node 1 is gone." in lines(result)
    (fact,) = project.record()["facts"]
    assert fact["verdict"] == "invalid"
    assert "the last words of the log" in fact["reason"]


def test_a_wait_ends_early_when_the_broker_dies(project: Any) -> None:
    """A test that waits for Kafka does not wait for a broker that is gone."""
    body = (
        "(pathlib.Path(__file__).parent / 'dead').touch()\n"
        "            wait_until(lambda: 0, limit=50, what='nothing')"
    )
    project.teach(USES_THE_BROKER.replace("pass", body), {"thing": "none"})

    result = project.run()

    assert result.duration < 30
    assert project.verdicts() == {"thing": "invalid"}


def test_a_need_that_the_backend_lacks_is_a_skip(project: Any) -> None:
    """An unmet need skips the fact, with reason and remedy."""
    marked = USES_THE_BROKER.replace("def test", "@pytest.mark.needs('log_dirs')\n    def test")
    project.teach(marked, {"thing": "there is none"})

    project.run()

    (fact,) = project.record()["facts"]
    assert fact["verdict"] == "not run"
    assert fact["reason"].startswith("needs log_dirs, which the played backend does not have: use")


USES_THE_BROKER = """
    @pytest.mark.fact("thing", scope="any")
    @pytest.mark.parametrize("number", range(8))
    def test_a_thing_is(broker, number):
            '''A thing is a thing.'''
            pass
"""


# What is wrong is said in one line


@WORKERS
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--kafkalab-solutions=nowhere"],
            "ERROR: --kafkalab-solutions: there is no folder *nowhere: check the path, or *",
        ),
        (
            ["--kafkalab-curriculum=nowhere.toml"],
            "ERROR: kafkalab's curriculum: *nowhere.toml: No such file*",
        ),
    ],
    ids=["no solutions", "no curriculum"],
)
def test_a_wrong_option_is_one_line(
    project: Any, workers: str, arguments: list[str], said: str
) -> None:
    """A wrong option is one line on stderr and exit code 4, before any worker starts."""
    project.teach(ONE_THING)

    result = project.run(workers, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])
    assert "Traceback" not in result.stderr.str()


@WORKERS
def test_a_curriculum_with_a_gap_is_refused(project: Any, workers: str) -> None:
    """The curriculum is checked whatever is selected: each gap is a line."""
    project.teach(ONE_THING, {"thing": "", "forgotten": ""})

    result = project.run(workers, "-k", "nothing")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *forgotten: no test states it"])


def test_a_module_with_a_syntax_error_is_refused(project: Any) -> None:
    """A test module that Python cannot read is named with its line."""
    project.teach("def broken(:\n    pass")

    result = project.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *test_task_9_1_things.py:*: invalid syntax"])


def test_python_without_assertions_is_refused(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under `python -O` nothing would be checked, so nothing is run."""
    project.teach(ONE_THING)
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")

    result = project.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: python -O drops assertions*: run without -O"])


# Elsewhere


def test_another_project_does_not_notice_the_plugin(pytester: pytest.Pytester) -> None:
    """In a project without facts: no header, no report, no client imported."""
    pytester.makepyfile(
        """
        import sys

        def test_something_else():
            assert not {"confluent_kafka", "jgo", "docker"} & set(sys.modules)
        """
    )

    result = pytester.runpytest_subprocess(timeout=60)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("kafka:*")
    assert not (pytester.path / "reports").exists()


def test_a_killed_run_leaves_a_record_that_says_so(project: Any) -> None:
    """The record is there from the start of the run, and says that it was not completed."""
    project.teach(ONE_THING.replace("assert 1 == 1", "os._exit(0)"))

    result = project.run()

    assert result.ret == 0, "the exit code of a process that ended itself says nothing"
    assert project.record()["completed"] is False
    assert project.verdicts() == {"thing": "not run"}
    clear_dead_runs(project.folder / "cache")


def test_a_refuted_fact_tells_what_was_expected_and_seen(project: Any) -> None:
    """A refuted fact tells its expectation, what was not so, and how to run it again."""
    project.teach(
        """
        @pytest.mark.fact("thing", scope="any")
        def test_a_thing_is():
            '''A thing is a thing.'''
            assert 1 + 1 == 3, "one and one are three"
        """,
        {"thing": "there is none"},
    )

    result = project.run()

    result.stdout.fnmatch_lines(
        ["*expected: one and one are three", "*seen:     2", "*expected: 3", "*pytest -k thing"]
    )


@pytest.mark.parametrize(
    "assertion",
    ["assert number < 10", "assert len(calls) != 5", "assert number < 10 and len(calls) != 5"],
    ids=["one failure", "only at the fifth call", "both"],
)
def test_hypothesis_own_words_reach_nobody(project: Any, assertion: str) -> None:
    """Neither in the terminal, nor on the page or in JUnit's file: what failed is told alone."""
    project.teach(
        f"""
        from hypothesis import given
        from hypothesis import strategies as st

        calls = []

        @pytest.mark.fact("thing", scope="any")
        @given(number=st.integers())
        def test_a_thing_is(number):
            '''A thing is a thing.'''
            calls.append(number)
            {assertion}, "It is small."
        """,
        {"thing": "there is none"},
    )

    result = project.run("--junitxml=reports/junit.xml", "-p", "no:cacheprovider")

    told = result.stdout.str() + "".join(
        (project.folder / "reports" / name).read_text("utf-8") for name in ("run.html", "junit.xml")
    )
    result.stdout.fnmatch_lines(["*refuted *", "*It is small.*"])
    words = r"falsif\w+|flaky|unreliable|explanation:|healthcheck|reproduce this|hypothesis\.errors"
    assert re.findall(words, told, re.IGNORECASE) == []


def test_a_long_comparison_tells_what_differs(project: Any) -> None:
    """Where pytest shortens both sides, the items that differ follow; and how to run it again."""
    project.teach(
        """
        @pytest.mark.fact("thing", scope="the component things")
        def test_a_thing_is():
            '''A thing is a thing.'''
            seen = {"before the commit": ["2"], "after the commit": ["2"], "never": []}
            assert seen == {**seen, "after the commit": []}, "none is missing"
        """,
        {"thing": "its control is a wrong component"},
    )
    (project.folder / "my lab").mkdir()

    result = project.run("--kafkalab-solutions=my lab")

    result.stdout.fnmatch_lines(
        [
            "*expected: none is missing",
            "*differs:  at 'after the commit': seen *",
            "  * pytest -k thing --kafkalab-solutions='my lab'",
        ]
    )


@pytest.mark.parametrize(
    ("keyword", "said"),
    [
        ("thingg", "no fact matches -k thingg; did you mean thing?"),
        ("taks_9_1", "no fact matches -k taks_9_1; did you mean task_9_1?"),
        ("zebra", "no fact matches -k zebra"),
    ],
)
def test_a_mistyped_keyword_is_answered(project: Any, keyword: str, said: str) -> None:
    """When no fact is selected the run says so, names what is near, and keeps the last page."""
    project.teach(ONE_THING)
    project.run()
    page = project.folder / "reports" / "run.html"
    before = page.read_text("utf-8")

    result = project.run("-k", keyword)

    result.stdout.fnmatch_lines([f"kafkalab: {said}"])
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert page.read_text("utf-8") == before


@WORKERS
def test_a_folder_for_reports_that_cannot_be(project: Any, workers: str) -> None:
    """Where no report can be written the run says so in one line, before anything runs."""
    project.teach(ONE_THING)
    in_the_way = project.folder / "file"
    in_the_way.write_text("", "utf-8")

    result = project.run("--kafkalab-reports", str(in_the_way), workers)

    result.stderr.fnmatch_lines(["ERROR: the folder for reports, *file, cannot be written to: *"])
    result.stderr.no_fnmatch_line("*Traceback*")
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@WORKERS
def test_a_look_at_what_there_is_leaves_no_record(project: Any, workers: str) -> None:
    """`--collect-only` runs nothing, so it writes no record of a run."""
    project.teach(ONE_THING)

    result = project.run("--collect-only", workers)

    assert result.ret == pytest.ExitCode.OK
    assert not list(project.folder.glob("reports/runs/*"))


def test_a_folder_that_pytest_takes_for_the_project(
    project: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`--kafkalab-solutions FOLDER`, with a blank and a folder elsewhere, is refused.

    pytest would take that folder for the project.
    """
    project.teach(ONE_THING)
    mine = tmp_path_factory.mktemp("mine")

    apart, joined = (
        project.run("--kafkalab-solutions", str(mine)),
        project.run(f"--kafkalab-solutions={mine}"),
    )

    apart.stderr.fnmatch_lines(
        [f"ERROR: --kafkalab-solutions {mine}: * write --kafkalab-solutions={mine}"]
    )
    assert apart.ret == pytest.ExitCode.USAGE_ERROR
    assert joined.ret == pytest.ExitCode.TESTS_FAILED, "it ran, and judged nothing"


@WORKERS
def test_a_tasks_name_leaves_other_modules_alone(project: Any, workers: str) -> None:
    """`-k task_9_2` does not even import the module of task 9.1; any other word does."""
    project.teach("raise OSError('imported')" + textwrap.dedent(ONE_THING))

    named, other = project.run(workers, "-k", "task_9_2"), project.run(workers, "-k", "thin")

    named.stdout.no_fnmatch_line("*imported*")
    other.stdout.fnmatch_lines(["*OSError: imported*"])


def test_a_reason_is_the_same_with_colours_and_without(project: Any, lines: Lines) -> None:
    """No colour of a terminal gets into the record, nor into the pages made of it."""
    differ = "assert ['x' * 300, 1, {'a': 2}] == ['y' * 300, 1, {'a': 3}], 'They are the same.'"
    project.teach(ONE_THING.replace("assert 1 == 1", differ))

    project.run("--color=no")
    plain = project.record()["facts"][0]["reason"]
    coloured = project.run("--color=yes")

    assert "\x1b[" in lines(coloured), "the terminal has colours"
    assert project.record()["facts"][0]["reason"] == plain
    assert "\\u001b" not in (project.folder / "reports" / "learning_log.html").read_text("utf-8")


def test_what_a_reason_brings_along_moves_no_cursor(project: Any, lines: Lines) -> None:
    """A name with escapes and line ends, as a cluster may tell one, is shown as what it is."""
    name = r"'a\x1b[2Kgroup\r\n  demonstrated  0.00 s Nothing is so.\x9b1A'"
    project.teach(ONE_THING.replace("assert 1 == 1", f"raise OSError({name})"))

    told = lines(project.run("--color=no", "--tb=no", "-q", "-rN"))

    assert not {"\x1b", "\x9b"} & set(told)
    assert [line for line in told.splitlines() if line.startswith("  demonstrated")] == []
    assert "\x1b" not in project.record()["facts"][0]["reason"]


def test_an_error_before_the_run_moves_no_cursor(project: Any, lines: Lines) -> None:
    """What is wrong with an option is told with its value, in one line."""
    project.teach(ONE_THING)

    told = lines(project.run("--kafkalab-solutions=no\x1b[2Kwhere\nERROR: all is well"))

    assert "\x1b" not in told
    assert "ERROR: all is well" not in told.splitlines()
