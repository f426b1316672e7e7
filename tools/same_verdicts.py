"""Judges each task's stub and its reference again and again: the verdicts must be the same.

`python tools/same_verdicts.py --runs 10`; with `--runs 1` it shows that a stub fails every fact
with one line, "not written yet", with its place and at once, and that the reference passes. It uses
the `kafkalab` that is installed beside the Python that runs it, and a real Kafka.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from kafkalab.curriculum import Task, load
from kafkalab.judging import component_facts
from kafkalab.learning_log import acts
from kafkalab.learning_log.stored import read_run
from kafkalab.solutions import REFERENCE
from kafkalab.unwritten import NOT_YET

KAFKALAB = str(Path(sys.executable).with_name("kafkalab"))

# Seconds for one check, enough for a machine under load.
LIMIT = 600
# Seconds for one fact about a stub: half of a fact's limit. Whoever waited for what is not there
# would take all of it.
AT_ONCE = 30.0


def main() -> int:
    """Judge each task, and print its verdicts; the exit code is 1 if a verdict differed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    taught = load()
    is_well = True
    for task in taught.tasks:
        count = len(component_facts(taught, task))
        for what, verdict in (("stub", "refuted"), ("reference", "demonstrated")):
            seen = Counter(_judged(task, what) for _ in range(runs))
            expected = json.dumps({verdict: count})
            is_well &= seen == {expected: runs}
            told = "; ".join(f"{number} times {said}" for said, number in seen.most_common())
            print(f"{task.id} {what}: {told}", flush=True)
    return 0 if is_well else 1


def _judged(task: Task, what: str) -> str:
    """The result of one `kafkalab check`: how many facts have which verdict."""
    with tempfile.TemporaryDirectory() as folder:
        mine, reports = Path(folder, "my_lab", f"{task.component}.py"), Path(folder, "reports")
        if what == "stub":
            subprocess.run(
                [KAFKALAB, "start", task.id], cwd=folder, check=True, stdout=subprocess.DEVNULL
            )
        else:
            mine.parent.mkdir()
            shutil.copy(REFERENCE / f"{task.component}.py", mine)
        command = [KAFKALAB, "check", task.id, "--all", "--reports", str(reports)]
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        done, _ = acts.read(reports / acts.FILE)
        judged = [act.said["facts"] for act in done if act.kind == acts.JUDGED]
        verdicts = Counter(str(each) for facts in judged for each in dict(facts).values())
        wanted = 1 if what == "stub" else 0
        if ended.returncode != wanted:
            return f"exit code {ended.returncode}: {ended.stdout[-500:]}{ended.stderr}"
        records = [read_run(path) for path in (reports / "runs").glob("*.json")]
        facts = [fact for record in records for fact in record.facts]
        told = re.compile(rf"{task.component}\.py:\d+: \w+\(\) is {NOT_YET}")
        if what == "stub" and (
            "Traceback" in ended.stdout + ended.stderr
            or not all(told.fullmatch(fact.reason) for fact in facts)
            or max(fact.seconds for fact in facts) > AT_ONCE
        ):
            seen = [(fact.slug, fact.reason, fact.seconds) for fact in facts]
            return f"a fact does not fail with one line, {NOT_YET}, at once: {seen}"
        return json.dumps(verdicts)


if __name__ == "__main__":
    sys.exit(main())
