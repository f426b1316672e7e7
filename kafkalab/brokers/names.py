"""The names of topics, groups and transactional ids of a run: they contain its id and its start.

`kafkalab-20261125T024713-ab12cd-...` is a topic, group or transactional id of
the run ab12cd, which began at that time (UTC). A run makes and deletes only things with
names like this. But the name alone does not prove that a run made it: see `ledger`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

EVERY_RUN = "kafkalab-"
"""the prefix for which an administrator grants rights, by a prefixed ACL (KIP-290)"""

_TIME = "%Y%m%dT%H%M%S"
_OF_A_RUN = re.compile(r"(?P<prefix>kafkalab-(?P<time>\d{8}T\d{6})-[0-9a-f]{6}-).*", re.DOTALL)


def run_prefix(started: float, run: str) -> str:
    """The prefix of all names of a run.

    Args:
        started: seconds since the epoch.
        run: the run's id, six or more hexadecimal digits.
    """
    time = datetime.fromtimestamp(started, UTC).strftime(_TIME)
    return f"{EVERY_RUN}{time}-{run[:6]}-"


def prefix_of(name: str) -> str | None:
    """The prefix of the run to which a name belongs; None if it belongs to none."""
    found = _OF_A_RUN.fullmatch(name)
    return found["prefix"] if found and _time_of(found) is not None else None


def age_of(name: str, now: float) -> float | None:
    """How many seconds ago the run of a name began; None if the name belongs to no run.

    Args:
        name: the name of a topic or group, or a run's prefix.
        now: seconds since the epoch.
    """
    found = _OF_A_RUN.fullmatch(name)
    started = _time_of(found) if found else None
    return None if started is None else now - started


def _time_of(found: re.Match[str]) -> float | None:
    try:
        return datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
