"""Task 1.1, the component: `provision` and `describe`.

They are kafkalab's own or, with `--kafkalab-solutions`, yours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigSource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from kafkalab.brokers import Broker, Termination
from kafkalab.contracts.topics import TopicDefinition
from kafkalab.demo import DEMO_TOPICS
from kafkalab.fixtures import ConsumerMaker, ProducerMaker, TopicMaker
from kafkalab.learning_log.evidence import Evidence
from kafkalab.observe.records import read, send
from kafkalab.observe.refusals import must_raise
from kafkalab.observe.topics import (
    describe_topic,
    leaders,
    look_everywhere,
    onlookers,
    partitions_with_leader,
    refusal,
    settings_of,
    topic_id,
)
from kafkalab.solutions import Solutions
from kafkalab.waiting import wait_until


def wait_for_partitions(admin: AdminClient, topic: str, partitions: int) -> None:
    """Wait for a topic that must have been created; that it is there at once is another fact."""
    wait_until(
        lambda: partitions_with_leader(admin, topic),
        lambda seen: seen == partitions,
        limit=10,
        what=f"{topic} to be there with {partitions} partitions",
    )


def own_settings(admin: AdminClient, topic: str) -> dict[str, str]:
    """The settings that are the topic's own."""
    return {
        name: entry.value or ""
        for name, entry in settings_of(admin, topic).items()
        if ConfigSource(entry.source) is ConfigSource.DYNAMIC_TOPIC_CONFIG
    }


@pytest.mark.fact("provision-creates-what-is-missing", scope="the component topics")
def test_provision_creates_what_is_missing(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Provisioning creates the topics that are missing, as defined, and says so."""
    prefix = topic.name()
    demo = [replace(each, name=f"{prefix}-{each.name}") for each in DEMO_TOPICS]

    results = solutions.topics.provision(broker.client_properties(), demo)

    evidence.table(
        "What provisioning reported",
        [{"topic": each.name, "action": each.action} for each in results],
    )
    assert [each.name for each in results] == [each.name for each in demo], (
        "There is one result for each definition, in their order."
    )
    assert {each.action for each in results} == {"created"}, "Each topic is reported as created."
    for each in demo:
        wait_for_partitions(admin, each.name, each.partitions)
        assert own_settings(admin, each.name) == each.settings, (
            f"The settings of {each.name} are as defined."
        )


@pytest.mark.fact("provision-again-changes-nothing", scope="the component topics")
def test_provision_again_changes_nothing(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Provisioning a second time changes nothing: not the topic, its settings or its records."""
    wanted = TopicDefinition(topic.name(), partitions=2, settings={"retention.ms": "-1"})
    solutions.topics.provision(broker.client_properties(), [wanted])
    wait_for_partitions(admin, wanted.name, 2)
    send(producer(), wanted.name, [b"kept"])
    before = topic_id(admin, wanted.name)

    (result,) = solutions.topics.provision(broker.client_properties(), [wanted])

    after = topic_id(admin, wanted.name)
    evidence.table("Topic id", [{"before": before, "after": after}])
    assert after == before, "It is the same topic, and not a new one of that name."
    records = read(consumer(), wanted.name)
    assert [each.value() for each in records] == [b"kept"], "The topic's record is still there."
    assert result.action == "unchanged", (
        f"The topic is reported as unchanged, and not as {result.action}."
    )
    assert partitions_with_leader(admin, wanted.name) == 2, "The topic has its two partitions."
    assert own_settings(admin, wanted.name) == wanted.settings, (
        "The topic's settings are as defined."
    )


@pytest.mark.fact("provision-reports-drift", scope="the component topics")
def test_provision_reports_drift_and_destroys_nothing(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If partitions or settings are not as defined, provisioning reports it and destroys nothing.

    To delete the topic and create it again would be quick, and would lose its
    data. Replicas are not compared.
    """
    name = topic(partitions=3, settings={"retention.ms": "3600000", "max.message.bytes": "5000"})
    send(producer(), name, [b"kept"])
    before = topic_id(admin, name)
    settings = {"retention.ms": "-1", "segment.ms": "100000"}
    wanted = TopicDefinition(name, 2, replicas=2, settings=settings)

    (result,) = solutions.topics.provision(broker.client_properties(), [wanted])

    drifts = {each.what: (each.defined, each.found) for each in result.drifts}
    evidence.table(
        "Reported drift",
        [{"what": what, "defined": d, "found": f} for what, (d, f) in drifts.items()],
    )
    assert topic_id(admin, name) == before, "The topic was not deleted and created again."
    assert [each.value() for each in read(consumer(), name)] == [b"kept"], (
        "The topic's record is still there."
    )
    assert result.action == "drifted", "The topic is reported as drifted."
    assert drifts == {
        "partitions": ("2", "3"),
        "retention.ms": ("-1", "3600000"),
        "segment.ms": ("100000", None),
        "max.message.bytes": (None, "5000"),
    }, "Each difference is reported by its name; replicas are not compared."
    assert own_settings(admin, name) == {"retention.ms": "3600000", "max.message.bytes": "5000"}, (
        "The topic keeps the settings that it had."
    )
    assert partitions_with_leader(admin, name) == 3, "The topic keeps its partitions."


@pytest.mark.fact("provision-grows-only-when-asked", scope="the component topics")
def test_provision_grows_only_when_asked(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """Provisioning adds partitions only when it is asked to, and never takes any away."""
    small, large = topic(partitions=2, settings={"retention.ms": "-1"}), topic(partitions=4)
    wanted = [TopicDefinition(small, partitions=3), TopicDefinition(large, partitions=3)]

    def provisioned(*, grow: bool) -> dict[str, tuple[str, int, list[str]]]:
        results = solutions.topics.provision(broker.client_properties(), wanted, grow=grow)
        return {
            each.name: (
                each.action,
                partitions_with_leader(admin, each.name),
                sorted(drift.what for drift in each.drifts),
            )
            for each in results
        }

    unasked, asked = provisioned(grow=False), provisioned(grow=True)
    again = provisioned(grow=True)

    evidence.table(
        "Action, partitions, and the differences that are left",
        [
            {
                "defined": each.partitions,
                "unasked": unasked[each.name],
                "asked": asked[each.name],
                "asked again": again[each.name],
            }
            for each in wanted
        ],
        look="Unasked nothing grows: the difference is reported. Asked, the small one grows,"
        " and the large one does not shrink.",
    )
    assert unasked == {
        small: ("drifted", 2, ["partitions", "retention.ms"]),
        large: ("drifted", 4, ["partitions"]),
    }, "If nobody asks for growth, nothing changes, and each difference is reported."
    assert asked == {
        small: ("grown", 3, ["retention.ms"]),
        large: ("drifted", 4, ["partitions"]),
    }, (
        "If growth is asked for, the small topic grows, and the large one stays; "
        "the differences that are left are reported."
    )
    assert again == {
        small: ("drifted", 3, ["retention.ms"]),
        large: ("drifted", 4, ["partitions"]),
    }, "At the next deployment nothing grows, as the number of partitions is right."
    assert own_settings(admin, small) == {"retention.ms": "-1"}, "Growth changes no setting."


# Partitions whose logs keep two brokers busy for a moment; until then they hear of no other topic.
# 20 are enough; with 100 a slow disk needs more time than a fact has.
MANY = 40


@pytest.mark.fact("provision-returns-when-all-know", scope="the component topics, two brokers")
@pytest.mark.cluster(brokers=2)
def test_provision_returns_when_every_broker_knows(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """When provisioning returns, every broker knows every partition and its leader.

    The controller decides, and the brokers learn of it one after another. Here
    both are busy with another topic of many partitions. A client that asks too
    early gets the answer that there is no such topic, or no such partition.
    """
    clients, name = onlookers(private_broker), topic.name()
    looks = {}

    for partitions, action in ((4, "created"), (6, "grown")):
        other = topic.name()
        admin.create_topics([NewTopic(other, MANY, 2)])[other].result(20)
        (result,) = solutions.topics.provision(
            private_broker.client_properties(), [TopicDefinition(name, partitions, 2)], grow=True
        )
        looks[action] = look_everywhere(private_broker, clients, name)
        assert (result.action, result.error) == (action, ""), (
            f"The topic is reported as {action}. A topic that was just created can be grown at "
            f"once: provision() returns when all brokers know it."
        )

    evidence.table(
        "What each broker knew at the return",
        [
            {"topic": action, "broker": each.address, "partitions with a leader": each.partitions}
            for action, by_broker in looks.items()
            for each in by_broker
        ],
    )
    assert {each.address for each in looks["created"]} == set(
        private_broker.bootstrap.split(",")
    ), "Each broker of the cluster was asked."
    assert {each.partitions for each in looks["created"]} == {4}, (
        "When the topic was created, each broker knew all four partitions at once."
    )
    assert {each.partitions for each in looks["grown"]} == {6}, (
        "When the topic had grown, each broker knew all six partitions at once."
    )
    replicas = [len(each.replicas) for each in describe_topic(admin, name).partitions]
    assert replicas == [2] * 6, "Each of its six partitions has two replicas, as defined."


@pytest.mark.fact("provision-names-what-failed", scope="the component topics")
def test_provision_names_what_failed(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """If a topic cannot be created, it is reported with its error, and the others are created."""
    there, good, too_many = topic(), topic.name(), topic.name()
    bad_name = f"{topic.name()} is no legal name!"
    wanted = [
        TopicDefinition(there),
        TopicDefinition(bad_name),
        TopicDefinition(too_many, replicas=len(broker.node_ids) + 1),
        TopicDefinition(good),
    ]

    results = solutions.topics.provision(broker.client_properties(), wanted)

    # The client's own request has the same answer.
    answer = refusal(admin.create_topics([NewTopic(bad_name, 1, 1)])[bad_name])
    seen = {each.name: each for each in results}
    evidence.table(
        "What provisioning reported",
        [{"topic": e.name, "action": e.action, "error": e.error} for e in results],
    )
    assert [each.name for each in results] == [there, bad_name, too_many, good], (
        "There is one result for each definition, in their order, whatever was done first."
    )
    assert seen[there].action == "unchanged", "The topic that was there is compared."
    assert seen[bad_name].action == "failed", f"A topic cannot be called {bad_name!r}."
    assert seen[too_many].action == "failed", (
        "A topic with more replicas than brokers is reported as failed."
    )
    assert "TOPIC_EXCEPTION" in seen[bad_name].error, (
        "The illegal name is reported with the broker's error."
    )
    assert "INVALID_REPLICATION_FACTOR" in seen[too_many].error, (
        "The many replicas are reported with the broker's error."
    )
    assert answer is not None, "The client's own request for that name is refused, too."
    assert answer.str() in seen[bad_name].error, (
        "The error of the illegal name has the broker's text, which says what is wrong with it."
    )
    assert (seen[there].error, seen[good].error) == ("", ""), (
        "Where nothing failed there is no error."
    )
    assert seen[good].action == "created", "The other topic is reported as created."
    assert partitions_with_leader(admin, good) == 1, "The other topic is there."


# A broker that asks its ACLs, and allows what they do not mention.
ASKS_ACLS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


def forbid(admin: AdminClient, topic: str, operation: AclOperation) -> None:
    """Allow everything on a topic but one operation; brokers learn of it a little later."""
    rules = [(AclOperation.ALL, AclPermissionType.ALLOW), (operation, AclPermissionType.DENY)]
    made = admin.create_acls(
        [
            AclBinding(
                ResourceType.TOPIC,
                topic,
                ResourcePatternType.LITERAL,
                "User:ANONYMOUS",
                "*",
                what,
                permission,
            )
            for what, permission in rules
        ]
    )
    for each in made.values():
        each.result(20)


def wait_until_refused(ask: Callable[[], Mapping[str, Future[Any]]]) -> None:
    """Wait until a request about one topic is refused for want of a right."""

    def error() -> int | None:
        (answer,) = ask().values()
        refused = refusal(answer)
        return refused.code() if refused is not None else None

    wait_until(
        error,
        lambda code: code == KafkaError.TOPIC_AUTHORIZATION_FAILED,
        limit=20,
        what="the broker to refuse it",
    )


@pytest.mark.fact("refused-growth-is-failed", scope="the component topics")
@pytest.mark.cluster(settings=ASKS_ACLS)
def test_a_growth_that_is_refused_has_failed(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If the broker refuses to add partitions, the topic is reported as failed, with its error.

    Reported as drifted, it would look as if nobody had asked for more partitions.
    """
    mine, other = topic(), topic()
    forbid(admin, mine, AclOperation.ALTER)
    more = [NewPartitions(mine, 3)]
    wait_until_refused(lambda: admin.create_partitions(more, validate_only=True))

    results = solutions.topics.provision(
        private_broker.client_properties(),
        [TopicDefinition(mine, 3), TopicDefinition(other, 3)],
        grow=True,
    )

    evidence.table(
        "What provisioning reported",
        [
            {
                "topic": each.name,
                "action": each.action,
                "differences left": [drift.what for drift in each.drifts],
                "error": each.error,
            }
            for each in results
        ],
    )
    assert [each.action.value for each in results] == ["failed", "grown"], (
        "The topic whose growth the broker refused is reported as failed, and the other as grown."
    )
    assert "TOPIC_AUTHORIZATION_FAILED" in results[0].error, (
        "The refused growth is reported with the broker's error."
    )
    assert [tuple(drift.what for drift in each.drifts) for each in results] == [
        ("partitions",),
        (),
    ], "The partitions that are still missing are reported, and those that were added are not."
    assert partitions_with_leader(admin, mine) == 1, "The topic has the partition that it had."


@pytest.mark.fact("defined-twice-is-refused", scope="the component topics")
def test_a_name_that_is_defined_twice_is_refused(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """If a name is defined twice, provisioning raises ValueError, and creates no topic at all.

    One of the two definitions is wrong, and nobody can say which.
    """
    twice, once = topic.name(), topic.name()
    wanted = [TopicDefinition(once), TopicDefinition(twice, 2), TopicDefinition(twice, 3)]

    with must_raise(
        ValueError, sentence="If a name is defined twice, provision() raises ValueError."
    ) as refused:
        solutions.topics.provision(broker.client_properties(), wanted)

    evidence.note("Provisioning raised: {}", refused.value)
    names = set(admin.list_topics(timeout=20).topics)
    assert sorted({twice, once} & names) == [], (
        "No topic was created, not even the one defined once."
    )


# So many topics and provisionings, and so often, that two of them meet, whichever is quicker.
AT_ONCE, EACH, ROUNDS = 4, 12, 3


@pytest.mark.fact("provisionings-may-meet", scope="the component topics")
def test_two_provisionings_may_meet(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """If several provisionings run at once, none fails, and each topic is created by one of them.

    Each looks first, and finds nothing; then one is too late. To be too late is
    no failure: the topic is there, and is compared like any other. Half of the
    provisionings define one partition a topic, the others two.
    """
    config, prefix = broker.client_properties(), topic.name()
    names = [f"{prefix}-{number}" for number in range(EACH * ROUNDS)]
    defined = [1 + number % 2 for number in range(AT_ONCE)]
    actions: dict[str, list[tuple[int, str]]] = {name: [] for name in names}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for first in range(0, len(names), EACH):
            wanted = names[first : first + EACH]
            running = [
                pool.submit(
                    solutions.topics.provision,
                    config,
                    [TopicDefinition(name, each) for name in wanted],
                )
                for each in defined
            ]
            for partitions, each in zip(defined, running, strict=True):
                for name, result in zip(wanted, each.result(), strict=True):
                    actions[name].append((partitions, result.action.value))

    there = {
        name: len(metadata.partitions)
        for name, metadata in admin.list_topics(timeout=20).topics.items()
    }
    evidence.table(
        f"{AT_ONCE} provisionings at once, {ROUNDS} times: partitions defined, and action",
        [{"topic": n, "partitions": there.get(n), "actions": each} for n, each in actions.items()],
    )
    missing = sorted(set(names) - set(there))
    assert missing == [], (
        "If others created some of the topics meanwhile, provision() still creates all others: "
        "these are missing."
    )
    for name, reported in actions.items():
        late = Counter({(1, "unchanged"): 2, (2, "drifted"): 2})
        if there[name] == 2:
            late = Counter({(1, "drifted"): 2, (2, "unchanged"): 2})
        late[there[name], "unchanged"] -= 1
        assert Counter(reported) == late + Counter([(there[name], "created")]), (
            f"One provisioning reports {name} as created; each other one compares, and reports it "
            f"as unchanged if it defines the {there[name]} partitions that are there, else as "
            f"drifted; reported were {reported}."
        )


@pytest.mark.fact("provision-leaves-others-alone", scope="the component topics")
def test_provision_leaves_other_topics_alone(
    broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    producer: ProducerMaker,
    consumer: ConsumerMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """Provisioning does not touch topics that are not defined."""
    bystander = topic(partitions=2, settings={"retention.ms": "-1"})
    send(producer(), bystander, [b"kept"])
    before = topic_id(admin, bystander)

    wanted = TopicDefinition(topic.name())

    solutions.topics.provision(broker.client_properties(), [wanted])

    wait_for_partitions(admin, wanted.name, 1)
    after = topic_id(admin, bystander)
    evidence.table("Topic id", [{"before": before, "after": after}])
    assert after == before, "The topic that nobody named is still the same."
    assert own_settings(admin, bystander) == {"retention.ms": "-1"}, (
        "Its settings are as they were."
    )
    assert [each.value() for each in read(consumer(), bystander)] == [b"kept"], (
        "Its record is still there."
    )


@pytest.mark.fact("describe-tells-what-is-there", scope="the component topics")
def test_describe_tells_what_is_there(
    broker: Broker, admin: AdminClient, topic: TopicMaker, solutions: Solutions, evidence: Evidence
) -> None:
    """describe() gives partitions, leaders and own settings as the broker has them.

    A topic that is unknown, or that cannot be, does not exist, and has nothing.
    """
    known, unknown = topic(partitions=3, settings={"retention.ms": "-1"}), topic.name()

    names = [unknown, known, f"{topic.name()} is no legal name!"]
    seen = solutions.topics.describe(broker.client_properties(), names)
    absent, described, illegal = seen

    there = describe_topic(admin, known).partitions
    evidence.table(
        "As described",
        [{"id": p.id, "leader": p.leader, "replicas": p.replicas} for p in described.partitions],
    )
    assert [each.name for each in seen] == names, "There is one description a name, in their order."
    assert described.exists, (
        "The topic that another client has just created exists: describe() asks the broker now."
    )
    assert [(p.id, p.leader) for p in described.partitions] == [
        (each.id, each.leader.id) for each in there
    ], "Partitions and their leaders are described as the broker has them."
    assert described.settings == {"retention.ms": "-1"}, (
        "The settings are the topic's own, without defaults."
    )
    for each in (absent, illegal):
        assert (each.exists, tuple(each.partitions), dict(each.settings)) == (False, (), {}), (
            f"{each.name} is described as a topic that does not exist, and has nothing."
        )


@pytest.mark.fact("describe-keeps-the-replicas-order", scope="the component topics, two brokers")
@pytest.mark.cluster(brokers=2, first_id=0)
def test_describe_keeps_the_order_of_replicas(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """describe() gives replicas in the broker's order, and a leader whose id is 0 as a leader.

    The first replica is the preferred leader, so their order counts. If a broker
    is gone, it stays a replica, and is not in sync; its partition has no leader.
    """
    name, single = topic(partitions=4, replicas=2), topic(partitions=2)
    config = private_broker.client_properties()

    (described,) = solutions.topics.describe(config, [name])
    there = describe_topic(admin, name).partitions
    # Told to end, a broker gives up its partitions at once; killed, when its session is over.
    private_broker.kill(private_broker.node_ids[1], Termination.GRACEFUL)
    wait_until(
        lambda: leaders(admin, name) + leaders(admin, single),
        lambda seen: -1 in seen and 1 not in seen,
        limit=30,
        what="the broker 1 to lead no partition",
    )
    after, without = solutions.topics.describe(config, [name, single])

    evidence.table(
        "As described",
        [{"id": p.id, "leader": p.leader, "replicas": p.replicas} for p in described.partitions],
    )
    evidence.table(
        "When the broker 1 is gone; the last two partitions had one replica each",
        [
            {"id": p.id, "leader": p.leader, "replicas": p.replicas, "in sync": p.in_sync}
            for p in (*after.partitions, *without.partitions)
        ],
    )
    assert [p.leader for p in described.partitions] == [each.leader.id for each in there], (
        "Leaders are described as the broker has them, also the one with the id 0."
    )
    assert [list(p.replicas) for p in described.partitions] == [
        [node.id for node in each.replicas] for each in there
    ], "The replicas of each partition are in the broker's order."
    assert [set(p.in_sync) for p in described.partitions] == [{0, 1}] * 4, (
        "Both replicas of each partition are in sync."
    )
    assert [(set(p.replicas), set(p.in_sync)) for p in after.partitions] == [({0, 1}, {0})] * 4, (
        "When one of the brokers is gone it is still a replica, and not in sync."
    )
    assert {p.leader for p in without.partitions} == {0, None}, (
        "A partition whose only replica is gone has no leader: None."
    )


@pytest.mark.fact("refused-is-not-unknown", scope="the component topics")
@pytest.mark.cluster(settings=ASKS_ACLS)
def test_what_the_broker_refuses_to_describe_is_not_unknown(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """If the broker refuses to describe a topic, describe() raises the client's error.

    Described as one that does not exist, it would be created or restored.
    """
    hidden, known = topic(), topic()
    forbid(admin, hidden, AclOperation.DESCRIBE)
    wait_until_refused(lambda: admin.describe_topics(TopicCollection([hidden])))

    said: object
    try:
        said = solutions.topics.describe(private_broker.client_properties(), [known, hidden])
    except KafkaException as error:
        said = error

    evidence.note("Without the right to describe it: {}", said)
    assert isinstance(said, KafkaException), (
        "describe() raises the error of a topic that the broker does not describe."
    )
    assert said.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, (
        "The error says what the client may not do."
    )


@pytest.mark.fact("describe-creates-nothing", scope="the component topics")
@pytest.mark.cluster(settings={"auto.create.topics.enable": "true"})
def test_describe_creates_nothing(
    private_broker: Broker,
    admin: AdminClient,
    topic: TopicMaker,
    solutions: Solutions,
    evidence: Evidence,
) -> None:
    """describe() does not create the topic it asks for, not even where asking is creating.

    This broker creates a topic when a client asks for its metadata by name, if
    the request allows it, as that of a producer or an admin client does.
    """
    name = topic.name()

    (described,) = solutions.topics.describe(private_broker.client_properties(), [name])

    # Created later, this one shows that one created by looking would be there.
    later = topic()
    # All of them: to ask for this one by name would create it.
    names = sorted(admin.list_topics(timeout=20).topics)
    evidence.note("Described as there: {}; topics of the broker: {}", described.exists, names)
    assert not described.exists, "The topic is described as one that does not exist."
    assert later in names, "A topic that was created later is there."
    assert name not in names, "The topic was not created by looking."
