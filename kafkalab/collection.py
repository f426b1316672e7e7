"""How facts become pytest items: alike in every project, whatever its settings and fixtures are.

A project's own tests may stand beside facts in one run. Its settings, its fixtures
and its plugins are for them; a fact must say the same of Kafka everywhere.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

PACKAGE = Path(__file__).parent

# A package that lies there was installed: a project above it does not own it.
INSTALLED = frozenset({"site-packages", "dist-packages"})

SHIELDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # A fact that fails once is refuted: what a second try shows is another experiment.
    "rerunfailures": ("flaky", {"reruns": 0}),
    # Python looks for free ports, and speaks to Docker, through sockets.
    "socket": ("enable_socket", {}),
}
"""for each neighbour plugin, by its name, the marker that keeps it away from a fact"""

NEIGHBOURS_MARKERS = {
    "timeout": "timeout(seconds): has no effect here, as pytest-timeout is not there",
    "warnings": "filterwarnings(filter): has no effect here, as -p no:warnings was given",
}
"""markers that facts have, by the plugin that makes something of them"""

FACTS_BESIDE = "kafkalab_facts"
"""the ini setting by which a project's pytest runs the facts beside its own tests"""

SCOPES = ("session", "package", "module", "class", "function")
"""pytest's, in the order in which it sets fixtures up"""


def asks_for_facts(config: pytest.Config) -> bool:
    """Whether pytest is to run the facts, though none was named.

    The ini file says so; as with pytest's `testpaths`, it counts where pytest is called
    without a path in the root folder.
    """
    return (
        bool(config.getini(FACTS_BESIDE))
        and config.args_source is not pytest.Config.ArgsSource.ARGS
        and config.invocation_params.dir == config.rootpath
    )


def add_facts(config: pytest.Config, lessons: Path) -> None:
    """Have pytest collect the facts, beside what its `testpaths` names.

    Args:
        config: whose arguments are not used yet.
        lessons: the folder of the facts.

    Raises:
        UsageError: `testpaths` does not tell the project's tests from the facts.
    """
    is_found = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    own = list(config.args) if is_found else []
    # Whoever has pytest look through a folder that the facts are below, as those of a virtual
    # environment in the project are, gets the tests of all that is installed there.
    if not config.getini("testpaths") or any(
        lessons.is_relative_to((config.rootpath / each).resolve()) for each in own
    ):
        raise pytest.UsageError(
            f"{FACTS_BESIDE} runs the facts beside your own tests: name the folder of yours in "
            f"{config.inipath}, as in testpaths = tests"
        )
    config.args[:] = [*own, str(lessons)]


class FactModule(pytest.Module):
    """The test module of a task. The project's patterns for names do not apply to it."""

    @classmethod
    def at(cls, path: Path, parent: pytest.Collector) -> Self:
        """The module in a file; where it was installed, its node id does not tell the place."""
        nodeid = node_id(path, parent.config.rootpath)
        module: Self = cls.from_parent(parent, path=path, nodeid=nodeid)
        return module

    def funcnamefilter(self, name: str) -> bool:
        """Whether a function is a test, as pytest takes it where no ini file says otherwise."""
        return name.startswith("test")

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - pytest calls it with a name
        """Tasks have no test classes; imported ones are none."""
        return False


def node_id(path: Path, root: Path) -> str:
    """The node id of a task's module; where it was installed, it does not tell the place."""
    if is_of_project(path, root):
        return path.relative_to(root).as_posix()
    return f"{path.parent.name}/{path.name}"


def is_of_project(path: Path, root: Path) -> bool:
    """Whether a file is the project's own, and not of a package that is installed below it."""
    return path.is_relative_to(root) and not INSTALLED & set(path.relative_to(root).parts)


def shield(item: pytest.Item, lessons: Path) -> None:
    """Keep what is the project's own away from a fact: fixtures, warnings, other plugins.

    Args:
        item: the fact or control.
        lessons: the folder of its module.
    """
    if item.config.pluginmanager.hasplugin("warnings"):
        # The first of its marks, so that what the fact itself says of warnings counts.
        item.add_marker(pytest.mark.filterwarnings("default"), append=False)
    for plugin, (marker, words) in SHIELDS.items():
        if item.config.pluginmanager.hasplugin(plugin):
            item.add_marker(getattr(pytest.mark, marker)(**words))
    if isinstance(item, pytest.Function):
        _take_fixtures(item, lessons)


def limit_time(item: pytest.Item, seconds: float) -> None:
    """Give a fact a time limit, unless it names its own.

    Without pytest-timeout, which keeps it, only the waits of a fact are limited.
    """
    if (
        item.config.pluginmanager.hasplugin("timeout")
        and item.get_closest_marker("timeout") is None
    ):
        item.add_marker(pytest.mark.timeout(seconds))


def _take_fixtures(item: pytest.Function, lessons: Path) -> None:
    """Give a fact the fixtures of kafkalab, pytest and installed plugins, and no other.

    A project's fixture of the same name, and one that it uses for all of its tests
    (`autouse`, or `usefixtures` in the ini file), would make the fact another experiment.
    """
    info = item._fixtureinfo
    manager = item.session._fixturemanager
    for_all = set(item.config.getini("usefixtures")) - set(info.argnames)
    known = info.name2fixturedefs

    def taken(name: str) -> Sequence[Any]:
        # What is known of a parameter pytest made itself; the manager has never heard of it.
        found: Iterable[Any] = known.get(name) or manager.getfixturedefs(name, item) or ()
        return [each for each in found if _is_for_facts(each.func, item.config.rootpath, lessons)]

    defined = {}
    names = [name for name in info.initialnames if name not in for_all]
    for name in names:
        if name not in defined and (found := taken(name)):
            defined[name] = found
            names += found[-1].argnames
    wanted = [name for name in dict.fromkeys(names) if name in defined or name in info.argnames]
    wanted.sort(key=lambda name: SCOPES.index(defined[name][-1].scope) if name in defined else 0)
    # In place: all items of a parametrised fact share these.
    known.clear()
    known.update(defined)
    info.names_closure[:] = wanted


def _is_for_facts(fixture: Callable[..., object], root: Path, lessons: Path) -> bool:
    try:
        path = Path(inspect.getfile(inspect.unwrap(fixture)))
    except TypeError:
        module = sys.modules.get(getattr(fixture, "__module__", ""))
        path = Path(getattr(module, "__file__", None) or "")
    return not is_of_project(path, root) or PACKAGE in path.parents or lessons in path.parents
