"""Report a run's progress to the command that started this pytest, and wait for its start signal.

A pytest that is started in advance has imported and collected everything before the learner
saves a file. It sends a line of JSON for each test that begins or ends, and for each fact when
all of its tests are over.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict

import pytest

from kafkalab import facts
from kafkalab.lab import Lab
from kafkalab.learning_log.record import FactsSoFar, TestRecord

# The report sections with a test's own output; "output" is that of a test that was killed.
OUTPUT = re.compile(r"Captured (stdout|stderr|output)")

# librdkafka's own log lines on stderr: `%3|1790000000.123|FAIL|rdkafka#producer-1| ...`.
OF_THE_CLIENT = re.compile(r"^%[0-7]\|[0-9.]+\|[A-Z_0-9]+\|.*\n?", re.MULTILINE)


class Teller:
    """Hooks of the process that the command has started; xdist workers do not have them."""

    def __init__(
        self, lab: Lab, tests: Mapping[str, TestRecord], begin: Callable[[], None]
    ) -> None:
        """Take over the socket to the command.

        Args:
            lab: the lab of the run.
            tests: the records of the tests, up to date when a report comes.
            begin: called when the run begins.
        """
        # The command ends this run with SIGINT; a shell's background jobs inherit it as ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Programs that a fact starts must not inherit the socket.
        os.set_inheritable(lab.voice, False)
        self._voice = socket.socket(fileno=lab.voice)
        self._lab = lab
        self._tests = tests
        self._begin = begin
        self._limit = facts.time_limit(lab)
        self._so_far = FactsSoFar(lab.curriculum, tests, lab.edited)
        self._printed: dict[str, dict[str, None]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        if not self._voice.recv(16):
            # The command is gone before the run has begun, so there is nothing to clean up.
            os._exit(0)
        threading.Thread(target=self._end_with_the_command, daemon=True).start()
        self._begin()

    def _end_with_the_command(self) -> None:
        """If the command was killed, end this run and its workers as Ctrl-C would."""
        with contextlib.suppress(OSError):
            if not self._voice.recv(1):
                os.killpg(os.getpgrp(), signal.SIGINT)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if (statement := self._lab.statement_of(nodeid)) is not None:
            self._say(begins=nodeid, slug=statement.slug, limit=self._limit)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if (test := self._tests.get(report.nodeid)) is None:
            return
        # A later report of a test repeats the sections of the earlier ones.
        printed = self._printed.setdefault(test.slug, {})
        for name, text in report.sections:
            if OUTPUT.match(name) and (own := OF_THE_CLIENT.sub("", text)).strip():
                printed[own] = None
        if report.when in ("setup", "call"):
            return
        self._say(ends=report.nodeid)
        if (fact := self._so_far.completed_by(report)) is not None:
            tests = [asdict(each) for each in self._so_far.tests_of(test.slug)]
            self._say(fact=asdict(fact), tests=tests, printed="".join(printed))

    def _say(self, **data: object) -> None:
        # json.dumps escapes a lone surrogate, as in a file name that cannot be decoded.
        line = json.dumps(data).encode() + b"\n"
        # If the command is gone, the thread that watches the socket ends this run.
        with contextlib.suppress(ConnectionError):
            self._voice.sendall(line)
