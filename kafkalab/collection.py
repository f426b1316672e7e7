"""Make pytest items of facts, in the same way in every project.

One run may hold a project's own tests and facts. The project's settings, fixtures
and plugins apply to its own tests only: a fact must give the same result everywhere.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

PACKAGE = Path(__file__).parent

# A package in such a folder was installed: it is not part of the project around that folder.
INSTALLED = frozenset({"site-packages", "dist-packages"})

SHIELDS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    # A fact that fails once is refuted: a second try would be another experiment.
    "rerunfailures": ("flaky", {"reruns": 0}),
    # kafkalab needs sockets to look for free ports and to talk to Docker.
    "socket": ("enable_socket", {}),
}
"""by the name of another plugin: the marker that stops this plugin from changing a fact"""

NEIGHBOURS_MARKERS = {
    "timeout": "timeout(seconds): has no effect here, as pytest-timeout is not installed",
    "warnings": "filterwarnings(filter): has no effect here, as -p no:warnings was given",
}
"""markers of facts, by the plugin that uses them"""

FACTS_BESIDE = "kafkalab_facts"
"""the ini setting by which a project's pytest runs the facts beside its own tests"""

SCOPES = ("session", "package", "module", "class", "function")
"""pytest's scopes, in the order in which it sets fixtures up"""


def asks_for_facts(config: pytest.Config) -> bool:
    """Whether the ini file asks for the facts, in a call of pytest that names no path.

    As with pytest's `testpaths`, the setting counts only if pytest is called in the root
    folder and without a path.
    """
    return (
        bool(config.getini(FACTS_BESIDE))
        and config.args_source is not pytest.Config.ArgsSource.ARGS
        and config.invocation_params.dir == config.rootpath
    )


def add_facts(config: pytest.Config, lessons: Path) -> None:
    """Have pytest collect the facts as well as the folders in `testpaths`.

    Args:
        config: pytest's configuration, before pytest has used its arguments.
        lessons: the folder of the facts.

    Raises:
        UsageError: `testpaths` is not set, or names a folder that contains the facts.
    """
    is_found = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    own = list(config.args) if is_found else []
    # If the folder contains the facts (they may be in a virtual environment inside the project),
    # pytest would also collect the tests of every installed package.
    if not config.getini("testpaths") or any(
        lessons.is_relative_to((config.rootpath / each).resolve()) for each in own
    ):
        raise pytest.UsageError(
            f"{FACTS_BESIDE} runs the facts beside your own tests: name the folder of yours in "
            f"{config.inipath}, as in testpaths = tests"
        )
    config.args[:] = [*own, str(lessons)]


class ReadingOrder:
    """A hook that runs the tasks' modules in reading order, unless the call names single tests."""

    def __init__(self, modules: Sequence[str], lessons: Path) -> None:
        """Store the order.

        Args:
            modules: the names of the modules in reading order, without `.py`.
            lessons: their folder.
        """
        self._order = {lessons / f"{name}.py": at for at, name in enumerate(modules)}

    # Runs before other plugins change the order: pytest-randomly shuffles in a wrapper, too.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        if not any("::" in argument for argument in config.args):
            places = [at for at, item in enumerate(items) if item.path in self._order]
            facts = sorted((items[at] for at in places), key=lambda item: self._order[item.path])
            for at, item in zip(places, facts, strict=True):
                items[at] = item
        yield


class FactModule(pytest.Module):
    """The test module of a task. The project's patterns for names do not apply to it."""

    @classmethod
    def at(cls, path: Path, parent: pytest.Collector) -> Self:
        """The module in a file; the node id of an installed one does not show where it is."""
        nodeid = node_id(path, parent.config.rootpath)
        module: Self = cls.from_parent(parent, path=path, nodeid=nodeid)
        return module

    def funcnamefilter(self, name: str) -> bool:
        """Whether a function is a test by pytest's default rule."""
        return name.startswith("test")

    def classnamefilter(self, name: str) -> bool:  # noqa: ARG002 - pytest calls it with a name
        """False: tasks have no test classes, and a class that a task imports is not a test."""
        return False


def node_id(path: Path, root: Path) -> str:
    """The node id of a task's module; that of an installed one does not show where it is."""
    if is_of_project(path, root):
        return path.relative_to(root).as_posix()
    return f"{path.parent.name}/{path.name}"


def is_of_project(path: Path, root: Path) -> bool:
    """Whether a file belongs to the project, and not to a package installed inside its folder."""
    return path.is_relative_to(root) and not INSTALLED & set(path.relative_to(root).parts)


def shield(item: pytest.Item, lessons: Path) -> None:
    """Keep the project's fixtures, warning filters and plugins away from a fact.

    Args:
        item: the fact or control.
        lessons: the folder of its module.
    """
    if item.config.pluginmanager.hasplugin("warnings"):
        # This mark comes first, so that the fact's own warning filters override it.
        item.add_marker(pytest.mark.filterwarnings("default"), append=False)
    for plugin, (marker, words) in SHIELDS.items():
        if item.config.pluginmanager.hasplugin(plugin):
            item.add_marker(getattr(pytest.mark, marker)(**words))
    if isinstance(item, pytest.Function):
        _take_fixtures(item, lessons)


def limit_time(item: pytest.Item, seconds: float) -> None:
    """Give a fact a time limit, unless it names its own.

    pytest-timeout enforces it. Without that plugin only the waits of a fact are limited.
    """
    if (
        item.config.pluginmanager.hasplugin("timeout")
        and item.get_closest_marker("timeout") is None
    ):
        item.add_marker(pytest.mark.timeout(seconds))


def _take_fixtures(item: pytest.Function, lessons: Path) -> None:
    """Give a fact the fixtures of kafkalab, pytest and installed plugins, and no others.

    A project's fixture of the same name, and one that it uses for all of its tests
    (`autouse`, or `usefixtures` in the ini file), would make the fact another experiment.
    """
    info = item._fixtureinfo
    manager = item.session._fixturemanager
    for_all = set(item.config.getini("usefixtures")) - set(info.argnames)
    known = info.name2fixturedefs

    def taken(name: str) -> Sequence[Any]:
        # pytest itself makes the definition of a parameter; the fixture manager has no entry.
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
    # Changed in place, as all items of a parametrised fact share these objects.
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
