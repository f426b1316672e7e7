"""One class for each way in which getting or keeping a broker can fail.

The first line of each error is what a user sees: what happened, what is
suspected, what to do; the end of a broker's log may follow. None of them is a
verdict on Kafka or on a learner: a fact that meets one is invalid, not refuted.
"""

from __future__ import annotations

from typing import Self

from kafkalab.readable import LINES, readable


class BrokerError(Exception):
    """The broker or the environment failed; the message names suspect and remedy."""

    def __init__(self, happened: str, *, suspect: str, remedy: str, log: str = "") -> None:
        # Names of others, such as a group's, may be in it: they must not look like lines of ours.
        line = readable(f"{happened} Suspected: {suspect} To do: {remedy}")
        super().__init__(f"{line}\n{readable(log, keep=LINES)}" if log else line)

    @classmethod
    def told_again(cls, text: str) -> Self:
        """The same error in another process, from its text."""
        error = cls.__new__(cls)
        Exception.__init__(error, text)
        return error


class UnknownBackend(BrokerError):
    """`--kafkalab-backend` names a backend that does not exist."""


class UnknownVersion(BrokerError):
    """`--kafkalab-version` names a Kafka that is not pinned here."""


class NoTool(BrokerError):
    """The version of Kafka has no such tool of its own."""


class OtherVersion(BrokerError):
    """`--kafkalab-image` names another Kafka than `--kafkalab-version`."""


class NoLab(BrokerError):
    """`--kafkalab-backend=lab` was asked for, and no lab that fits is up."""


class NoEngine(BrokerError):
    """The container backend was asked for and no Docker engine answers."""


class OpenToOthers(BrokerError):
    """A broker that lets in whoever comes can be reached from other machines."""


class NoImage(BrokerError):
    """The container image is not on this machine and could not be pulled."""


class NoJava(BrokerError):
    """No Java runtime that can run a Kafka broker was found."""


class CacheNotWritable(BrokerError):
    """The cache folder, where Kafka is prepared, cannot be written."""


class CacheNotSafe(BrokerError):
    """Others could change what lies in the cache folder, and is run from there."""


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
    """A process that was killed does not go."""


class RunIsOver(BrokerError):
    """A broker was asked for after its run had ended."""


class NoBootstrap(BrokerError):
    """The external backend was asked for, and nobody said where the cluster is."""


class BadClientProperties(BrokerError):
    """The client properties file cannot be read, translated or used."""


class Unreachable(BrokerError):
    """Nothing that could be Kafka answers at the bootstrap servers."""


class AccessRefused(BrokerError):
    """A cluster is there, but lets nobody in with these properties."""


class MissingRight(BrokerError):
    """The cluster's ACLs do not let this user do what lessons do."""


class ClusterRefuses(BrokerError):
    """The cluster does not do for anybody what lessons need."""


class TooOld(BrokerError):
    """The cluster runs a Kafka that lessons were not written for."""


class NotOurs(BrokerError):
    """Something was asked of an external cluster that only its owner may do."""


class LeftBehind(BrokerError):
    """Topics or groups of a run could not be deleted from an external cluster."""
