"""`kafkalab clean`: shows, and then deletes, what interrupted runs left in the user's cluster."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from kafkalab.brokers.cleaning import RunInCluster, runs_in_cluster
from kafkalab.brokers.external import ExternalBackend
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.leftovers import Leftovers, delete_leftovers
from kafkalab.brokers.names import age_of, prefix_of
from kafkalab.cli import output
from kafkalab.cli.options import BootstrapOption, CacheOption, ConfigOption, WrongValue
from kafkalab.config import Settings


def clean(
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="Only names with this prefix, as in kafkalab-20261125T024713-ab12cd-, even if "
            "another machine made them. May be given more than once.",
        ),
    ] = None,
    older_than: Annotated[
        float, typer.Option(help="Leave alone runs that began fewer hours ago.")
    ] = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
    cache: CacheOption = None,
) -> None:
    """Delete topics and groups that interrupted runs left in your cluster.

    It deletes only what ended runs made that used your cache folder; to delete what
    other runs made, name them with --run. A run that is still alive is left alone.
    Transactional ids cannot be deleted; the cluster forgets them by itself.
    """
    named = {_prefix(each) for each in run or ()}
    if not (older_than >= 0 and math.isfinite(older_than)):
        raise WrongValue(f"--older-than is {older_than:g}: name hours, from 0 on")
    settings = Settings.from_environment(bootstrap=bootstrap, client_config=config, cache=cache)
    backend = ExternalBackend(settings.bootstrap, settings.client_config, settings.kafka_version)
    client, ledger, now = backend.broker.client_properties(), Ledger(settings.cache), time.time()

    def is_asked_for(prefix: str) -> bool:
        return prefix in named if named else (age_of(prefix, now) or 0) >= older_than * 3600

    found = runs_in_cluster(client, ledger, is_asked_for, named, output.whole)
    if not found:
        asked = ", ".join(sorted(named)) or f"runs that began more than {older_than:g} h ago"
        younger = "" if named or not older_than else "; --older-than=0 looks for younger ones, too"
        output.whole(f"Nothing was found of {asked}{younger}.")
        return
    _show_spared([each for each in found if each.spared], now)
    doomed = [each for each in found if not each.spared]
    if not doomed:
        output.whole("There is nothing to delete.")
        return
    _show(doomed, now)
    if not yes:
        typer.confirm("Delete them?", abort=True)
        # A run may have become active again while the question waited for an answer.
        found = runs_in_cluster(client, ledger, is_asked_for, named, output.whole)
        shown = {each.prefix for each in doomed}
        _show_spared([each for each in found if each.spared and each.prefix in shown], now)
        doomed = [each for each in found if not each.spared and each.prefix in shown]
    left = Leftovers(
        tuple(name for each in doomed for name in each.left.topics),
        tuple(name for each in doomed for name in each.left.groups),
    )
    delete_leftovers(client, left, output.whole)
    for each in doomed:
        ledger.strike_out(each.prefix)
    output.whole(f"Deleted {len(left.topics)} topics and {len(left.groups)} groups.")


def _prefix(given: str) -> str:
    prefix = f"{given.removesuffix('-')}-"
    if prefix_of(prefix) != prefix:
        raise WrongValue(
            f"--run {given} is no run's prefix: name one as in kafkalab-20261125T024713-ab12cd-"
        )
    return prefix


def _show(runs: Sequence[RunInCluster], now: float) -> None:
    for run in runs:
        output.whole(f"{_title(run, now)}:")
        for name in run.left.topics:
            output.whole(f"topic  {name}", indent=2)
        for name in run.left.groups:
            output.whole(f"group  {name}", indent=2)


def _show_spared(runs: Sequence[RunInCluster], now: float) -> None:
    for run in runs:
        counts = f"{len(run.left.topics)} topics, {len(run.left.groups)} groups"
        output.whole(f"{_title(run, now)}, is left alone, {counts}:")
        output.whole(run.spared, indent=2)


def _title(run: RunInCluster, now: float) -> str:
    hours = (age_of(run.prefix, now) or 0) / 3600
    whose = f" of {run.entry.owner}" if run.entry else ""
    return f"{run.prefix}...{whose}, began {hours:.1f} h ago"
