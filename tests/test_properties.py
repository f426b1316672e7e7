"""From a topology to each node's properties, and to the two forms in which Kafka takes them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalab.brokers import Topology
from kafkalab.brokers.properties import (
    LAB_SETTINGS,
    RESTART_SETTINGS,
    SETTINGS_FOR_4_0,
    Endpoint,
    as_environment,
    as_properties_file,
    node_properties,
)
from kafkalab.config import KAFKA_VERSION


def on_this_machine(node_id: int) -> Endpoint:
    """A node whose listeners are the same inside and outside: ports 2000n and 2100n."""
    client, controller = f"127.0.0.1:{20000 + node_id}", f"127.0.0.1:{21000 + node_id}"
    return Endpoint(node_id, client, client, controller, controller)


def in_a_container(node_id: int) -> Endpoint:
    """A node that its clients reach by a published port and its peers by name."""
    return Endpoint(
        node_id,
        client=f"127.0.0.1:{20000 + node_id}",
        bind=":9092",
        controller=f"kafka-{node_id}:9093",
        controller_bind=":9093",
        peer=f"kafka-{node_id}:9094",
        peer_bind=":9094",
    )


THREE = [on_this_machine(node_id) for node_id in (1, 2, 3)]


def test_a_single_node_is_broker_and_controller() -> None:
    """It listens to clients and, as its own quorum, to controllers."""
    properties = node_properties(Topology(), [on_this_machine(1)], 1, KAFKA_VERSION)

    assert properties.items() >= {
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.voters", "1@127.0.0.1:21001"),
        ("controller.listener.names", "CONTROLLER"),
        ("listeners", "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:21001"),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:20001"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("inter.broker.listener.name", "PLAINTEXT"),
    }


def test_of_three_nodes_the_first_is_the_controller() -> None:
    """With one controller only node 1 votes and listens to controllers."""
    topology = Topology(brokers=3, controllers=1)

    properties = node_properties(topology, THREE, 1, KAFKA_VERSION)

    assert properties["process.roles"] == "broker,controller"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:21001"
    assert "CONTROLLER://127.0.0.1:21001" in properties["listeners"]


@pytest.mark.parametrize("node_id", [2, 3])
def test_of_three_nodes_the_others_are_brokers_only(node_id: int) -> None:
    """They know the controller's address and protocol, but do not listen to controllers."""
    topology = Topology(brokers=3, controllers=1)

    properties = node_properties(topology, THREE, node_id, KAFKA_VERSION)

    assert properties["process.roles"] == "broker"
    assert properties["node.id"] == str(node_id)
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:21001"
    assert properties["listeners"] == f"PLAINTEXT://127.0.0.1:{20000 + node_id}"
    assert "CONTROLLER:PLAINTEXT" in properties["listener.security.protocol.map"]


@pytest.mark.parametrize("node_id", [1, 2, 3])
def test_three_controllers_know_each_other(node_id: int) -> None:
    """Every node has the same list of voters, or there would be two quorums."""
    topology = Topology(brokers=3, controllers=3)

    properties = node_properties(topology, THREE, node_id, KAFKA_VERSION)

    assert properties["process.roles"] == "broker,controller"
    assert properties["controller.quorum.voters"] == (
        "1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003"
    )


def test_a_node_in_a_container_talks_to_its_peers_by_another_listener() -> None:
    """Clients are told the published port, brokers the name inside the network."""
    topology = Topology(brokers=2)
    endpoints = [in_a_container(1), in_a_container(2)]

    properties = node_properties(topology, endpoints, 1, KAFKA_VERSION)

    assert properties.items() >= {
        ("controller.quorum.voters", "1@kafka-1:9093"),
        ("listeners", "PLAINTEXT://:9092,PEER://:9094,CONTROLLER://:9093"),
        ("advertised.listeners", "PLAINTEXT://127.0.0.1:20001,PEER://kafka-1:9094"),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,PEER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ),
        ("inter.broker.listener.name", "PEER"),
    }


def test_a_lab_has_its_settings() -> None:
    """Every node gets all settings of the lab."""
    properties = node_properties(Topology(), [on_this_machine(1)], 1, KAFKA_VERSION)

    assert properties.items() >= LAB_SETTINGS.items()
    assert RESTART_SETTINGS.keys().isdisjoint(properties), "a loaded machine would lose its broker"


def test_kafka_4_0_gets_shorter_sessions() -> None:
    """A start from prepared data would wait 9 s there; later versions need nothing of the kind."""
    properties = node_properties(Topology(), [on_this_machine(1)], 1, "4.0.2")

    assert properties.items() >= {**LAB_SETTINGS, **SETTINGS_FOR_4_0}.items()


@pytest.mark.parametrize(
    "name",
    ["auto.create.topics.enable", "broker.session.timeout.ms", "listeners"],
    ids=["a setting of the lab", "a default of Kafka", "what the topology made"],
)
def test_a_topologys_own_settings_win(name: str) -> None:
    """A test that asks for a setting gets it."""
    topology = Topology(settings={name: "as the test says"})

    properties = node_properties(topology, [on_this_machine(1)], 1, KAFKA_VERSION)

    assert properties[name] == "as the test says"


# For the container image: environment variables


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        pytest.param("node.id", "KAFKA_NODE_ID", id="dot"),
        pytest.param("some_name", "KAFKA_SOME__NAME", id="underscore"),
        pytest.param("some-name", "KAFKA_SOME___NAME", id="hyphen"),
        pytest.param("a.b_c-d", "KAFKA_A_B__C___D", id="all of them"),
        pytest.param("listeners", "KAFKA_LISTENERS", id="none of them"),
    ],
)
def test_a_property_has_a_variable(key: str, variable: str) -> None:
    """The image reads a property from a variable of this name (KIP-975)."""
    assert as_environment({key: "a-value_with.all"}) == {variable: "a-value_with.all"}


def as_the_image_reads(variable: str) -> str:
    """The property that the image takes a variable for: the longest run of `_` first."""
    name = variable.removeprefix("KAFKA_").lower()
    return name.replace("___", "-").replace("__", "\0").replace("_", ".").replace("\0", "_")


@given(st.lists(st.sampled_from(["name", ".name", "_name", "-name"])))
def test_the_image_reads_the_same_property(parts: list[str]) -> None:
    """The way there and back leads to the same name, wherever its separators stand."""
    key = "name" + "".join(parts)

    (variable,) = as_environment({key: "1"})

    assert as_the_image_reads(variable) == key


def test_no_two_of_the_labs_settings_share_a_variable() -> None:
    """Else one of them would be lost on its way into a container."""
    properties = node_properties(Topology(), [in_a_container(1)], 1, KAFKA_VERSION)

    assert len(as_environment(properties)) == len(properties)


# For a JVM: a properties file


def as_java_reads(text: str) -> dict[str, str]:
    """What `java.util.Properties.load(InputStream)` makes of a file that is written in UTF-8.

    Java reads the bytes as Latin-1, and ends a line at a carriage return, too. It knows
    the escapes of unescaped() and takes a backslash before any other letter away.
    """
    lines = text.encode("utf-8").decode("latin-1").replace("\r", "\n").split("\n")
    pairs = [line.partition("=") for line in lines if line]
    return {key: re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", unescaped, value) for key, _, value in pairs}


def unescaped(escape: re.Match[str]) -> str:
    letter = escape[1]
    if len(letter) > 1:
        return chr(int(letter[1:], 16))
    return {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}.get(letter, letter)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("300000", "300000", id="plain"),
        pytest.param("", "", id="empty"),
        pytest.param(
            "PLAINTEXT://127.0.0.1:1,PEER://h:2",
            "PLAINTEXT://127.0.0.1:1,PEER://h:2",
            id="listeners",
        ),
        pytest.param("a=b:c#d!e", "a=b:c#d!e", id="separators and comment signs"),
        pytest.param(r"C:\kafka\new", r"C:\\kafka\\new", id="backslashes"),
        pytest.param("one\ntwo", r"one\ntwo", id="line end"),
        pytest.param("\\\n", r"\\\n", id="backslash before line end"),
    ],
)
def test_a_value_is_escaped(value: str, written: str) -> None:
    """One property is one line, whatever its value."""
    text = as_properties_file({"key": value})

    assert text == f"key={written}\n"
    assert as_java_reads(text) == {"key": value}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("one\rtwo", id="carriage return"),
        pytest.param("/home/jürgen/.cache", id="umlaut"),
        pytest.param("/home/山田/.cache", id="Japanese"),
    ],
)
def test_java_reads_the_value_that_was_written(value: str) -> None:
    """A path of the user's, such as that of the log folder, can have any letter."""
    text = as_properties_file({"log.dirs": value, "node.id": "1"})

    assert as_java_reads(text) == {"log.dirs": value, "node.id": "1"}


def test_a_file_has_a_line_for_each_property_in_order() -> None:
    """Whoever reads the file finds the topology's own settings last, as in node_properties."""
    properties = node_properties(
        Topology(settings={"log.segment.bytes": "1048576"}),
        [on_this_machine(1)],
        1,
        KAFKA_VERSION,
    )

    lines = as_properties_file(properties).splitlines()

    assert [line.partition("=")[0] for line in lines] == list(properties)
    assert lines[-1] == "log.segment.bytes=1048576"


def test_a_cluster_may_count_from_zero() -> None:
    """Of nodes that count from 0 the first ones are the controllers, by their ids."""
    topology = Topology(brokers=2, first_id=0)
    endpoints = [on_this_machine(0), on_this_machine(1)]

    first, second = (node_properties(topology, endpoints, each, KAFKA_VERSION) for each in (0, 1))

    assert (first["node.id"], first["process.roles"]) == ("0", "broker,controller")
    assert (second["node.id"], second["process.roles"]) == ("1", "broker")
    assert first["controller.quorum.voters"].startswith("0@")
