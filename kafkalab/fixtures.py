"""The fixtures of a test: a broker, clients, topics, a group, evidence, solutions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING

import pytest

from kafkalab import waiting
from kafkalab.brokers import Broker, Topology
from kafkalab.clients import CLIENT_LOG, LAB_CLIENT, LAB_CONSUMER, new_admin
from kafkalab.contracts import ClientConfig
from kafkalab.facts import evidence_key
from kafkalab.lab import Lab, lab_key
from kafkalab.learning_log.evidence import Evidence

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient

    from kafkalab.brokers.tools import Tools
    from kafkalab.observe.children import Child
    from kafkalab.observe.groups import Group
    from kafkalab.observe.java_client import JavaClient
    from kafkalab.solutions import Solutions

ProducerMaker = Callable[..., "Producer"]
ConsumerMaker = Callable[..., "Consumer"]
MembersMaker = Callable[..., "Group"]
ChildStarter = Callable[..., "Child"]
JavaStarter = Callable[..., "JavaClient"]
JavaDefaults = Callable[[str], Mapping[str, str]]

OF_PROGRAMS = (__name__, "kafkalab.solutions", "kafkalab.tasks.delivery")
"""the modules that the programs of children import"""

# Seconds. A test may leave records in the queue on purpose: the flush at its end waits no longer.
FLUSH_LIMIT = 5.0

# Seconds, for a look at a test's topics, which takes milliseconds.
LOOK_LIMIT = 5.0


@pytest.fixture(scope="session")
def _lab(request: pytest.FixtureRequest) -> Lab:
    return request.config.stash[lab_key]


@pytest.fixture
def broker(request: pytest.FixtureRequest, _lab: Lab) -> Iterator[Broker]:
    """The broker of this test: the private one if the test asks for one, else a shared one.

    While learner code is judged, facts about Kafka share one that no component is given.
    """
    if "private_broker" in request.fixturenames:
        found: Broker = request.getfixturevalue("private_broker")
    else:
        is_judge = "solutions" in request.fixturenames
        found = (_lab.lease if is_judge else _lab.lease_apart).broker()
    with waiting.guarded_by(found.check_alive):
        yield found


@pytest.fixture
def private_broker(request: pytest.FixtureRequest, _lab: Lab) -> Iterator[Broker]:
    """A broker for this test alone, as its `cluster` marker describes it.

    For tests that break the broker or need settings of their own.
    """
    mark = request.node.get_closest_marker("cluster")
    topology = Topology(**mark.kwargs) if mark else Topology()
    with _lab.lease.private(topology) as found:
        yield found


@pytest.fixture(scope="session")
def _shared_admin(_lab: Lab) -> AdminClient:
    return new_admin(_lab.lease.broker().client_properties())


@pytest.fixture(scope="session")
def _admin_apart(request: pytest.FixtureRequest, _lab: Lab) -> AdminClient:
    if _lab.lease_apart is _lab.lease:
        client: AdminClient = request.getfixturevalue("_shared_admin")
        return client
    return new_admin(_lab.lease_apart.broker().client_properties())


@pytest.fixture
def admin(request: pytest.FixtureRequest, broker: Broker) -> AdminClient:
    """An admin client of this test's broker; on the shared broker it is already connected."""
    if "private_broker" in request.fixturenames:
        return new_admin(broker.client_properties())
    name = "_shared_admin" if "solutions" in request.fixturenames else "_admin_apart"
    client: AdminClient = request.getfixturevalue(name)
    return client


@pytest.fixture
def producer(broker: Broker) -> Iterator[ProducerMaker]:
    """Makes producers, `producer({"linger.ms": 50})`; flushes them at the end."""
    from confluent_kafka import Producer

    made: list[Producer] = []

    def make(settings: ClientConfig | None = None) -> Producer:
        config = {**broker.client_properties(), **LAB_CLIENT, **(settings or {})}
        made.append(Producer(config, logger=CLIENT_LOG))
        return made[-1]

    yield make
    for each in made:
        each.flush(FLUSH_LIMIT)


@pytest.fixture
def consumer(broker: Broker, group: str) -> Iterator[ConsumerMaker]:
    """Makes consumers, `consumer({"group.id": ...})`; closes them at the end.

    Without a `group.id` a consumer is a member of the test's `group`.
    """
    from confluent_kafka import Consumer

    made: list[Consumer] = []

    def make(settings: ClientConfig | None = None) -> Consumer:
        config = {
            **broker.client_properties(),
            **LAB_CLIENT,
            **LAB_CONSUMER,
            "group.id": group,
            **(settings or {}),
        }
        made.append(Consumer(config, logger=CLIENT_LOG))
        return made[-1]

    yield make
    from kafkalab.observe.groups import leave

    for each in made:
        leave(each)


@pytest.fixture
def members(broker: Broker, admin: AdminClient, group: str) -> Iterator[MembersMaker]:
    """Makes groups with members in threads or processes; closes them at the end.

    `members(EAGER, name, partitions=3)` is the test's group on one topic. A call may
    name more topics; an `ending` makes another group of the same test.
    """
    from kafkalab.observe.children import load_once
    from kafkalab.observe.groups import Group

    load_once(*OF_PROGRAMS)
    made: list[Group] = []

    def make(
        protocol: ClientConfig,
        *topics: str,
        partitions: int,
        ending: str = "",
        **settings: object,
    ) -> Group:
        config = {
            **broker.client_properties(),
            **LAB_CLIENT,
            **LAB_CONSUMER,
            "log_level": 0,
            **protocol,
            **settings,
        }
        made.append(Group(admin, group + ending, topics, partitions, config))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def child() -> Iterator[ChildStarter]:
    """Starts processes, `child(program, ...)`; kills those that still run at the end."""
    from kafkalab.observe.children import children, load_once

    load_once(*OF_PROGRAMS)
    with children() as start:
        yield start


class TopicMaker:
    """Makes topics with names built from the test and the run."""

    def __init__(self, test: str, lab: Lab, broker: Broker, admin: AdminClient) -> None:
        self._test = test
        self._prefix = lab.prefix
        self._broker = broker
        self._admin = admin
        self._numbers = count(1)
        self._made: list[str] = []

    def __call__(
        self,
        partitions: int = 1,
        *,
        replicas: int = 1,
        settings: Mapping[str, str] | None = None,
        ending: str = "",
    ) -> str:
        """Create a topic and return its name, when every broker knows it."""
        from kafkalab.observe.topics import create_topic

        name = self.name() + ending
        create_topic(self._broker, self._admin, name, partitions, replicas, settings or {})
        self._made.append(name)
        return name

    def deleted(self) -> list[str]:
        """The topics that it made and that the broker does not know any more.

        One that an ACL hides is not among them, nor any if the broker does not answer.
        """
        from confluent_kafka import KafkaError, TopicCollection

        from kafkalab.observe.topics import refusal

        if not self._made:
            return []
        asked = self._admin.describe_topics(TopicCollection(self._made), request_timeout=LOOK_LIMIT)
        errors = {name: refusal(future) for name, future in asked.items()}
        return [
            name
            for name, error in errors.items()
            if error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        ]

    def name(self) -> str:
        """A new topic name of this test."""
        from kafkalab.observe.topics import topic_name

        return topic_name(self._prefix, self._test, next(self._numbers))


@pytest.fixture
def topic(
    request: pytest.FixtureRequest, _lab: Lab, broker: Broker, admin: AdminClient
) -> TopicMaker:
    """Makes topics: `topic(partitions=3)` creates one and returns its name."""
    return TopicMaker(request.node.name, _lab, broker, admin)


@pytest.fixture
def group(request: pytest.FixtureRequest, _lab: Lab) -> str:
    """A group id built from the names of the test and the run."""
    from kafkalab.observe.topics import topic_name

    return topic_name(_lab.prefix, request.node.name, 0)


@pytest.fixture
def evidence(request: pytest.FixtureRequest, _lab: Lab) -> Evidence:
    """The object in which a test records what it observed, before it asserts.

    It shows the run's names of topics and of the group as `topic-1`, `topic-2` and `group`.
    """
    from kafkalab.observe.topics import topic_name

    group = topic_name(_lab.prefix, request.node.name, 0)
    names = {group: "group", group.removesuffix("0"): "topic-"}
    collected: Evidence = request.node.stash.setdefault(
        evidence_key, Evidence(began=time.monotonic(), names=names)
    )
    return collected


@pytest.fixture
def java_defaults(_lab: Lab) -> JavaDefaults:
    """Reads the defaults of one of the Java client's configs; for tests that need `jars`."""
    from kafkalab.brokers.choose import embedded_backend
    from kafkalab.observe.defaults import java_defaults

    distribution = embedded_backend(_lab.settings).prepared.distribution
    return lambda config_class: java_defaults(distribution, config_class)


class _Silent:
    """Prints no steps (see `kafkalab.brokers.Steps`), so that a test's output stays its own."""

    def step(self, text: str) -> None: ...

    def total(self, size: int) -> None: ...

    def advance(self, size: int) -> None: ...


@pytest.fixture(scope="session")
def _tools(_lab: Lab) -> Tools:
    """Kafka's own tools, prepared."""
    from kafkalab.brokers.choose import embedded_backend
    from kafkalab.brokers.errors import FetchFailed
    from kafkalab.brokers.tools import ToolDistribution, Tools

    distribution = embedded_backend(_lab.settings).prepared.distribution
    tools = Tools(ToolDistribution(distribution.cache, distribution.java, distribution.version))
    tools.require_safe()
    if not tools.is_there:
        try:
            tools.prepare(_Silent())
        except FetchFailed as error:
            pytest.skip(f"Kafka's own tools are not there: {error}")
    tools.distribution.verify()
    return tools


@pytest.fixture
def java_client(_lab: Lab, _tools: Tools, broker: Broker) -> Iterator[JavaStarter]:
    """Starts Java clients, `java_client("kafka-verifiable-producer", "--topic", name)`.

    For tests that need `jars`. It kills the clients at the end.
    """
    from kafkalab.observe.java_client import JavaClients

    with JavaClients(_tools, broker.bootstrap, _lab.run.folder) as clients:
        yield clients.start


@pytest.fixture(scope="session")
def solutions(_lab: Lab) -> Solutions:
    """The components under test: kafkalab's own, or those in `--kafkalab-solutions`."""
    from kafkalab.solutions import Solutions

    return Solutions(_lab.settings.solutions)
