"""`kafkalab clean`: what interrupted runs left in a cluster of yours, shown and then deleted."""

from __future__ import annotations

import time
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console

from kafkalab.brokers.external import ExternalBackend
from kafkalab.brokers.leftovers import Leftovers, delete_leftovers, leftovers
from kafkalab.brokers.names import age_of, prefix_of
from kafkalab.cli.options import BootstrapOption, ConfigOption
from kafkalab.config import Settings


def clean(
    older_than: Annotated[
        float, typer.Option(help="Leave alone what runs made that began less hours ago.")
    ] = 1.0,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    bootstrap: BootstrapOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete topics and groups that interrupted runs left in your cluster.

    Only names of kafkalab's runs are shown and deleted. Transactional ids cannot
    be deleted; the cluster forgets them by itself.
    """
    settings = Settings.from_environment(bootstrap=bootstrap, client_config=config)
    backend = ExternalBackend(settings.bootstrap, settings.client_config, settings.kafka_version)
    client = backend.broker.client_properties()
    now = time.time()
    found = leftovers(client, lambda name: (age_of(name, now) or 0) >= older_than * 3600)
    console = Console()
    if not found:
        console.print(f"Nothing is there of runs older than {older_than:g} h.", highlight=False)
        return
    _show(console, found, now)
    if not yes:
        typer.confirm("Delete them?", abort=True)
    delete_leftovers(client, found, console.print)
    console.print(
        f"Deleted {len(found.topics)} topics and {len(found.groups)} groups.", highlight=False
    )


def _show(console: Console, found: Leftovers, now: float) -> None:
    names = [("topic", name) for name in found.topics] + [("group", name) for name in found.groups]
    by_run = sorted(names, key=lambda each: prefix_of(each[1]) or "")
    for prefix, of_run in groupby(by_run, key=lambda each: prefix_of(each[1]) or ""):
        hours = (age_of(prefix, now) or 0) / 3600
        console.print(f"{prefix}... of a run that began {hours:.1f} h ago:", highlight=False)
        for kind, name in of_run:
            console.print(f"  {kind}  {name}", highlight=False, markup=False, soft_wrap=True)
