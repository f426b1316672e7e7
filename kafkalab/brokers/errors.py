"""The errors of starting, reaching and using a broker: one class for each kind.

The user sees the first line of an error: what happened, what is suspected, what
to do; the end of a broker's log may follow. None of them is a verdict on Kafka or
on a learner's code: a fact that meets one is invalid, not refuted.
"""

from __future__ import annotations

from typing import Self

from kafkalab.readable import LINES, readable


class BrokerError(Exception):
    """The broker or the environment failed; the message names suspect and remedy."""

    def __init__(self, happened: str, *, suspect: str, remedy: str, log: str = "") -> None:
        # The text may contain foreign names, such as a group's. A line end or an escape sequence
        # in them must not look like kafkalab's own output.
        line = readable(f"{happened} Suspected: {suspect} To do: {remedy}")
        super().__init__(f"{line}\n{readable(log, keep=LINES)}" if log else line)

    @classmethod
    def told_again(cls, text: str) -> Self:
        """Make the same error again in another process, from its text."""
        error = cls.__new__(cls)
        Exception.__init__(error, text)
        return error


class UnknownBackend(BrokerError):
    """`--kafkalab-backend` names a backend that does not exist."""


class UnknownVersion(BrokerError):
    """`--kafkalab-version` names a version of Kafka of which kafkalab has no pinned jars."""


class NoTool(BrokerError):
    """The named version of Kafka does not have the tool."""


class OtherVersion(BrokerError):
    """`--kafkalab-image` names another Kafka than `--kafkalab-version`."""


class NoLab(BrokerError):
    """`--kafkalab-backend=lab` was asked for, and no lab that fits is up."""


class NoEngine(BrokerError):
    """The container backend was asked for and no Docker engine answers."""


class OpenToOthers(BrokerError):
    """Other machines can reach a broker that asks for no password."""


class NoImage(BrokerError):
    """The container image is not on this machine and could not be pulled."""


class NoJava(BrokerError):
    """No Java runtime that can run a Kafka broker was found."""


class CacheNotWritable(BrokerError):
    """The cache folder, where Kafka is prepared, cannot be written."""


class CacheNotSafe(BrokerError):
    """Other users could change programs in the cache folder, which run as this user."""


class FetchFailed(BrokerError):
    """A jar could not be fetched."""


class JarMismatch(BrokerError):
    """A jar's sha256 is not the one pinned in this repository; it is never started."""


class PreparationFailed(BrokerError):
    """Kafka's own tools failed while the data folder or the AOT cache was made."""


class PortTaken(BrokerError):
    """The broker could not bind its port."""


class StartFailed(BrokerError):
    """The broker ended, or did not answer, before it was ready."""


class BrokerDied(BrokerError):
    """A broker that had been ready ended, or stopped answering, during the run."""


class EndFailed(BrokerError):
    """A process that was killed does not end."""


class RunIsOver(BrokerError):
    """A broker was asked for after its run had ended."""


class NoBootstrap(BrokerError):
    """The external backend was asked for, and no option or file names the cluster's servers."""


class BadClientProperties(BrokerError):
    """The client properties file cannot be read, translated or used."""


class Unreachable(BrokerError):
    """Nothing that could be Kafka answers at the bootstrap servers."""


class AccessRefused(BrokerError):
    """A cluster answers, but refuses the login with these properties."""


class MissingRight(BrokerError):
    """The cluster's ACLs do not let this user do what lessons do."""


class ClusterRefuses(BrokerError):
    """The cluster refuses something that lessons need, and not because of a missing right."""


class TooOld(BrokerError):
    """The cluster runs a version of Kafka that is too old for the lessons."""


class NotOurs(BrokerError):
    """A test asked for something that only the owner of the cluster may do."""


class LeftBehind(BrokerError):
    """Topics or groups of a run could not be deleted from a cluster."""
