"""Whatever learner code does to its process, it gets a verdict, and nobody else is harmed.

Each runs pytest as a learner does, with `--kafkalab-solutions`, on a real broker: a fact that
judges the component, and behind it a fact about Kafka, in the same process of pytest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from kafkalab.brokers.processes import is_running
from kafkalab.curriculum import load
from kafkalab.isolation import MOST_SHOWN, shown
from kafkalab.learning_log.verdicts import TOO_LATE
from kafkalab.waiting import wait_until

REPOSITORY = Path(__file__).parents[1]
WICKED = REPOSITORY / "tests" / "wicked"

CURRICULUM = load()

# Whose control, which is not run, is the next in the file: it holds, and is not supported.
AFTERWARDS = "topic-has-its-partitions"

# Seconds. The limit of a fact is 16 here, with 2 to tidy up (see short_limit), a broker is there
# after two, and the rest is for a loaded machine.
RUN_LIMIT = 120
# What a run leaves is gone by its end; a watchdog looks twice a second.
GONE_LIMIT = 10.0

LATE = rf"{TOO_LATE}it was ended after 1[68] s$"
IN_TIME = rf"{TOO_LATE}Timeout \(>16\.0s\)"
ENDED_BEFORE = "at_most_once is killed before processing, with record 2 in hand: it ended before"
BY_EXIT = r"your {} ended the process that it runs in, with exit status {}: let it return"
UNDONE = "There is one result for each definition, in their order.\n"
"""of components that create nothing, besides what else they do"""

IN_TOPICS = "provision-creates-what-is-missing"
OF_ROUTING = ("keys-are-encoded-one-way", "distribution-adds-up", "publish-reports-each-record")
IN_PARTITION_LOG = "reader-reads-all-to-the-end"
IN_A_LISTENER, OF_THE_LAG = "listener-logs-each-change", "lag-is-what-is-left"
IN_A_CHILD = "at-most-once-never-repeats"

CASES = {
    "hangs_in_the_client": (IN_TOPICS, rf"topics\.py:20: {LATE}"),
    "holds_the_interpreter": (IN_TOPICS, rf"topics\.py:19: {LATE}"),
    "loops_for_ever": (IN_TOPICS, rf"topics\.py:2[01]: {LATE}"),
    "stops_itself": (IN_TOPICS, rf"topics\.py:20: {LATE}"),
    "lag_without_a_limit": (OF_THE_LAG, rf"rebalance\.py:22: {LATE}"),
    "hangs_in_a_members_thread": (IN_A_LISTENER, rf"rebalance\.py:17: {IN_TIME}"),
    "hangs_in_a_child": (IN_A_CHILD, rf"delivery\.py:\d+: {TOO_LATE}"),
    "exits_at_once": (IN_TOPICS, rf"topics\.py:19: {BY_EXIT.format('topics.py', 0)}"),
    "exits_politely": (IN_TOPICS, r"topics\.py:19: SystemExit: 0"),
    "exits_pytest": (IN_TOPICS, r"topics\.py:20: Exit: enough"),
    "skips_its_own_test": (IN_TOPICS, r"topics\.py:20: it skips its own test: not today"),
    "exits_in_a_members_thread": (IN_A_LISTENER, r"rebalance\.py:17: SystemExit: 0"),
    "exits_in_a_child": (
        IN_A_CHILD,
        rf"delivery\.py:15: {BY_EXIT.format('delivery.py', 0)}",
    ),
    "leaves_a_child_by_sys_exit": (IN_A_CHILD, r"delivery\.py:15: SystemExit: 0"),
    "crashes": (
        IN_TOPICS,
        r"topics\.py:19: your topics.py ended the process that it runs in, by SIGSEGV",
    ),
    "raises_its_own_base_exception": (IN_TOPICS, r"topics\.py:18: Wicked: catch me"),
    "raises_keyboard_interrupt": (IN_TOPICS, r"topics\.py:18: KeyboardInterrupt: "),
    "prints_megabytes": (IN_TOPICS, r"topics\.py:20: ValueError: after all that"),
    "prints_for_ever": (IN_TOPICS, r"topics\.py:19: it printed more than 100 MB"),
    "patches_the_world": (IN_TOPICS, UNDONE),
    "closes_all_files": (IN_TOPICS, rf"{BY_EXIT.format('topics.py', 1)}"),
    "deletes_what_it_reads": (IN_PARTITION_LOG, r"partition_log\.py:23: ReadFailed: "),
    "deletes_every_topic": (IN_TOPICS, UNDONE),
    "leaves_a_daemon": (IN_TOPICS, UNDONE),
    "leaves_a_command": (IN_TOPICS, UNDONE),
    "leaks_clients_and_threads": (IN_TOPICS, UNDONE),
    "forks_in_a_child": (IN_A_CHILD, ENDED_BEFORE),
}
"""for each component that is refuted, the fact that meets it, and how the reason begins"""


@dataclass(frozen=True)
class Ended:
    """A run that has ended."""

    exit_code: int
    facts: dict[str, dict[str, Any]]
    """of its record, by slug"""
    output: str


class Runs:
    """Runs pytest on components; what such a run starts has a mark of its own."""

    def __init__(self, folder: Path) -> None:
        self._mark = folder.as_posix()
        self.reports = folder / "reports"
        # Not below pytest's folder: a socket lies there, and its path must be short.
        self.temporary = Path(tempfile.mkdtemp())

    def start(
        self, name: str, *slugs: str, arguments: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            *map(node_id_of, slugs),
            "-p",
            "tests.short_limit",
        ]
        command += ["-p", "no:randomly", "--kafkalab-backend=embedded", *arguments]
        command += [f"--kafkalab-solutions={WICKED / name}", f"--kafkalab-reports={self.reports}"]
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "WICKED_RUN": self._mark, "TMPDIR": str(self.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A shell that runs the tests in the background has SIGINT ignored, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, name: str, *slugs: str, arguments: Sequence[str] = ()) -> Ended:
        process = self.start(name, *slugs, arguments=arguments)
        output, _ = process.communicate(timeout=RUN_LIMIT)
        return Ended(process.returncode, self.facts(), output.decode())

    def facts(self) -> dict[str, dict[str, Any]]:
        (path,) = (self.reports / "runs").glob("*.json")
        record = json.loads(path.read_text("utf-8"))
        assert record["completed"]
        return {fact["slug"]: fact for fact in record["facts"]}

    def processes(self, parent: int = 0) -> list[psutil.Process]:
        """All that run with the mark: of the run, or started by one that is.

        Args:
            parent: the id of the process that has to be their parent; 0: any.
        """
        found = []
        for process in psutil.process_iter():
            try:
                is_of_run = process.environ().get("WICKED_RUN") == self._mark
                if is_of_run and is_running(process) and parent in (0, process.ppid()):
                    found.append(process)
            except psutil.Error:
                # It has ended meanwhile, or is another user's.
                continue
        return found

    def left_in_temporary(self) -> list[str]:
        """What is left of temporary files; the folder that pytest keeps on purpose apart."""
        return [each.name for each in self.temporary.iterdir() if "pytest" not in each.name]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """Runs of pytest, of which nothing is left at the end."""
    made = Runs(tmp_path)
    yield made
    try:
        wait_until(
            made.processes,
            lambda found: not found,
            limit=GONE_LIMIT,
            what="all processes of the run to be gone",
        )
    finally:
        for process in made.processes():
            process.kill()
    left = made.left_in_temporary()
    shutil.rmtree(made.temporary)
    assert left == []


def node_id_of(slug: str) -> str:
    """The node id of a fact's test."""
    (found,) = [each for each in CURRICULUM.statements if (each.slug, each.role) == (slug, "fact")]
    return f"{CURRICULUM.folder / found.module}.py::{found.function}"


def test_each_wicked_component_is_tried() -> None:
    """What lies in the folder is judged here."""
    folders = {each.name for each in WICKED.iterdir() if each.is_dir()}

    at_import = {each for each in folders if each.endswith("_at_import")}
    assert folders == {*CASES, "forks"} | at_import


@pytest.mark.parametrize(("name", "met"), CASES.items(), ids=CASES)
def test_it_is_refuted_and_harms_nobody(name: str, met: tuple[str, str], runs: Runs) -> None:
    """It is refuted, the reason says where or what, and the next fact holds on the same broker."""
    slug, reason = met

    ended = runs.run(name, slug, AFTERWARDS)

    fact, after = ended.facts[slug], ended.facts[AFTERWARDS]
    assert fact["verdict"] == "refuted", fact
    assert re.match(reason, fact["reason"]), fact["reason"]
    assert "\x1b" not in fact["reason"]
    assert (after["verdict"], after["reason"]) == ("unsupported", "control not run")
    assert ended.exit_code == pytest.ExitCode.TESTS_FAILED
    assert len(ended.output) < 10 * MOST_SHOWN


@pytest.mark.parametrize("name", ["exits_at_once", "lag_without_a_limit", "leaves_a_daemon"])
def test_it_is_refuted_in_a_worker_too(name: str, runs: Runs) -> None:
    """With -n it is the same: no worker crashes, and none is replaced."""
    slug, reason = CASES[name]

    ended = runs.run(name, slug, AFTERWARDS, arguments=["-n", "2"])

    assert ended.facts[slug]["verdict"] == "refuted"
    assert re.match(reason, ended.facts[slug]["reason"]), ended.facts[slug]["reason"]
    assert ended.facts[AFTERWARDS]["verdict"] == "unsupported"
    assert "replacing crashed worker" not in ended.output


def test_what_it_did_to_other_facts_is_told_as_its_doing(runs: Runs) -> None:
    """Beside what the fact saw, its reason tells that its topic was deleted."""
    ended = runs.run("deletes_every_topic", "provision-leaves-others-alone")

    (fact,) = ended.facts.values()
    assert fact["verdict"] == "refuted"
    *_, last = fact["reason"].splitlines()
    assert last == "meanwhile: topic-1 was deleted, which none of your components may do"
    assert "meanwhile: topic-1 was deleted" in " ".join(ended.output.split())


def test_who_deletes_every_topic_refutes_no_fact_about_kafka(runs: Runs) -> None:
    """Facts about Kafka, in a worker beside it, are judged on a broker that it is not given."""
    others = (AFTERWARDS, "offsets-count-from-zero-per-partition", "order-only-within-a-partition")

    ended = runs.run("deletes_every_topic", IN_TOPICS, *others, arguments=["-n", "2"])

    assert ended.facts[IN_TOPICS]["verdict"] == "refuted"
    verdicts = {slug: ended.facts[slug]["verdict"] for slug in others}
    assert set(verdicts.values()) <= {"unsupported", "demonstrated"}, verdicts


@pytest.mark.parametrize(
    ("name", "workers", "reason"),
    [
        ("hangs_at_import", 0, rf"routing\.py:11: {LATE}"),
        ("hangs_in_the_client_at_import", 2, rf"routing\.py:14: {LATE}"),
        ("fails_slowly_at_import", 2, r"routing\.py:13: RuntimeError: after 3 s$"),
        ("interrupts_at_import", 0, r"routing\.py:10: KeyboardInterrupt: no message$"),
        ("exits_at_import", 2, rf"routing\.py:10: {BY_EXIT.format('routing.py', 0)}"),
        ("skips_at_import", 0, r"routing\.py:12: it skips its own test: not today$"),
    ],
)
def test_an_import_that_fails_is_tried_once(
    name: str, workers: int, reason: str, runs: Runs, tmp_path: Path
) -> None:
    """A component is loaded once, however many facts and workers; each fact tells the reason."""
    ended = runs.run(name, *OF_ROUTING, arguments=["-n", str(workers)])

    for slug in OF_ROUTING:
        fact = ended.facts[slug]
        assert (fact["verdict"], fact["edited"]) == ("refuted", False)
        assert re.match(reason, fact["reason"]), fact["reason"]
    assert (tmp_path / "imports").read_text("utf-8") == "routing\n"
    assert ended.exit_code == pytest.ExitCode.TESTS_FAILED


def test_who_forks_is_heard_once(runs: Runs) -> None:
    """Code that goes on twice gives one verdict, and its second process is gone with the first."""
    ended = runs.run("forks", IN_TOPICS, AFTERWARDS)

    assert ended.facts[IN_TOPICS]["verdict"] == "demonstrated"
    assert ended.facts[AFTERWARDS]["verdict"] == "unsupported"
    assert "2 passed" in ended.output


def test_ctrl_c_is_the_users(runs: Runs) -> None:
    """Ctrl-C while a component hangs ends the run at once, with its record."""
    process = runs.start("hangs_in_the_client", IN_TOPICS, AFTERWARDS)
    wait_until(
        lambda: runs.processes(process.pid),
        # The broker, its watchdog, and the process of the fact.
        lambda found: len(found) == 3,
        limit=RUN_LIMIT,
        what="the fact to run",
    )

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=RUN_LIMIT)

    facts = runs.facts()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output.decode()
    assert facts[IN_TOPICS]["verdict"] == "interrupted", "its limit was not waited for"
    assert facts[AFTERWARDS]["verdict"] == "not run"


def test_nothing_is_left_of_a_killed_run(runs: Runs) -> None:
    """When pytest itself is killed the process of a fact that hangs ends with it."""
    process = runs.start("loops_for_ever", IN_TOPICS)
    wait_until(
        lambda: runs.processes(process.pid),
        lambda found: len(found) == 3,
        limit=RUN_LIMIT,
        what="the fact to run",
    )

    process.kill()
    process.communicate(timeout=RUN_LIMIT)

    wait_until(
        runs.processes, lambda found: not found, limit=GONE_LIMIT, what="the processes to be gone"
    )
    for folder in runs.temporary.glob("kafkalab-*"):
        folder.rmdir()


WHOLE_SEQUENCE = re.compile(r"\x1b\[\d+m|\x1b\]0;[a-z ]+\x07|\x1b\(B")


@pytest.mark.parametrize("start", ["\x1b[31m", "\x1b]0;a title\x07", "\x1b(B"])
def test_what_it_printed_is_shown_without_its_middle(start: str) -> None:
    """Long output keeps both ends; no escape sequence is cut in half, or colours what follows."""
    reset = "\x1b[0m"
    for shift in range(len(start) + 1):
        text = "x" * shift + f"{start}word{reset}" * 10_000

        kept = shown(text)

        assert len(kept) < MOST_SHOWN + 200
        head, _, tail = kept.partition("\n[... ")
        assert head.endswith(reset)
        assert "\x1b" not in WHOLE_SEQUENCE.sub("", kept), "only whole sequences"
        after = rf"[\d,]+ characters are left out here \.\.\.\]\n({WHOLE_SEQUENCE.pattern}|word)"
        assert re.match(after, tail)
    assert shown("short") == "short"


@pytest.mark.parametrize("sequence", ["\x1b[31m", "\x1b]0;a title\x07", "\x1b(B"])
def test_the_only_escape_sequence_is_not_cut_in_half(sequence: str) -> None:
    """Wherever the middle begins or ends in it."""
    for at in (MOST_SHOWN // 2, 3 * MOST_SHOWN - MOST_SHOWN // 2):
        for shift in range(len(sequence) + 1):
            before = "x" * (at - shift)
            text = before + sequence + "x" * (3 * MOST_SHOWN - len(before) - len(sequence))

            left = WHOLE_SEQUENCE.sub("", shown(text)).replace("\n", "")

            assert re.fullmatch(r"x+\[\.\.\. [\d,]+ characters are left out here \.\.\.\]x+", left)
