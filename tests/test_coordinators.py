"""Coordinators: a process that asks for groups outlives a broker that goes and comes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from group_site import site

from kafkalab.brokers import Termination

# Seconds. A broker that comes back waits 9 s until its old session is over.
LIMIT = 90.0

# It asks once with the broker up, once while it is gone, and then until it is back.
ASKER = """
import sys
from kafkalab.observe.coordinators import Coordinators
from kafkalab.waiting import wait_until

coordinators = Coordinators({"bootstrap.servers": sys.argv[1], "log_level": 0})

def is_silent():
    try:
        coordinators.describe(["g"], 1)
    except TimeoutError:
        return True
    return False

wait_until(lambda: not is_silent(), limit=60, what="the coordinator")
print("asked", flush=True)
sys.stdin.readline()
wait_until(is_silent, limit=60, what="its silence")
print("silent", flush=True)
wait_until(lambda: not is_silent(), limit=60, what="the coordinator again")
"""


def test_a_process_that_asks_for_groups_outlives_a_broker_that_goes_and_comes(
    tmp_path: Path,
) -> None:
    """librdkafka would end the process: see LONGEST_REQUEST."""
    with site(tmp_path) as own:
        (node,) = own.broker.node_ids
        bootstrap = own.broker.client_properties()["bootstrap.servers"]
        with subprocess.Popen(
            [sys.executable, "-c", ASKER, bootstrap],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as asker:
            assert asker.stdin is not None
            assert asker.stdout is not None
            # Its own limits end it sooner, unless it hangs in the client.
            last = threading.Timer(3 * LIMIT, asker.kill)
            last.start()
            try:
                assert asker.stdout.readline() == "asked\n"
                own.broker.kill(node, Termination.ABRUPT)
                asker.stdin.write("\n")
                asker.stdin.flush()
                assert asker.stdout.readline() == "silent\n"
                own.broker.start(node)
                _, errors = asker.communicate(timeout=LIMIT)
            finally:
                last.cancel()
                asker.kill()

    assert errors == ""
    assert asker.returncode == 0
