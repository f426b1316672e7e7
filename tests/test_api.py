"""The REST API on a real broker, asked over HTTP as its users do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from group_site import Site, site
from serving import Served, served

from kafkalab.brokers import Termination
from kafkalab.observe.groups import EAGER
from kafkalab.observe.records import end_transaction, init_transactions
from kafkalab.observe.topics import create_topic, grow, names_of
from kafkalab.tasks.routing import crc32_partition, murmur2_partition
from kafkalab.waiting import wait_until
from kafkalab.web.stream import MOST_SHOWN, MOST_WAITING

TOPICS = "/api/kafka/topics"
GROUPS = "/api/kafka/groups"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("api")) as made:
        yield made


@pytest.fixture(scope="module")
def api(here: Site) -> Iterator[Served]:
    with served(here, "--allow-foreign") as server:
        yield server


def text(content: str) -> dict[str, str]:
    """A text as the API has bytes."""
    return {"text": content}


def keyed(*keys: str) -> dict[str, Any]:
    """A body that publishes a record of each key."""
    return {"records": [{"key": text(key), "value": text(f"of {key}")} for key in keys]}


# The cluster and its topics


def test_the_cluster_says_what_may_be_changed(api: Served, here: Site) -> None:
    """A page knows by it what to offer."""
    cluster = api.ask("GET", "/api/kafka/cluster")

    assert cluster["bootstrap"] == here.broker.bootstrap
    assert cluster["may_change"] == "all", "it was started with --allow-foreign"
    assert cluster["is_lab"] is False
    assert cluster["protocols"] == ["eager", "cooperative", "kip848"]


def test_a_topic_is_created_shown_listed_grown_and_deleted(api: Served, here: Site) -> None:
    """Each answer says what the broker has, and growing tells which keys move."""
    name = here.name("clicks")
    asked = {"name": name, "partitions": 3, "settings": {"retention.ms": "60000"}}

    made = api.client.post(TOPICS, json=asked)
    listed = next(each for each in api.ask("GET", TOPICS) if each["name"] == name)
    grown = api.ask(
        "PATCH", f"{TOPICS}/{name}/partitions", json={"count": 5, "keys": ["anna", "ben"]}
    )
    shown = api.ask("GET", f"{TOPICS}/{name}")
    partitions = api.ask("GET", f"{TOPICS}/{name}/partitions")
    api.ask("DELETE", f"{TOPICS}/{name}", status=204)

    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"{TOPICS}/{name}"
    assert made.json()["settings"] == {"retention.ms": "60000"}
    assert (listed["partitions"], listed["replicas"], listed["may_change"]) == (3, 1, True)
    assert (grown["before"], grown["partitions"]) == (3, 5)
    assert grown["moved"] == [
        {
            "key": key,
            "crc32": [crc32_partition(key, 3), crc32_partition(key, 5)],
            "murmur2": [murmur2_partition(key, 3), murmur2_partition(key, 5)],
        }
        for key in ("anna", "ben")
    ]
    assert shown["partitions"] == partitions
    assert [(each["id"], each["start"], each["end"]) for each in partitions] == [
        (number, 0, 0) for number in range(5)
    ]
    assert name not in {each["name"] for each in api.ask("GET", TOPICS)}


def test_a_topic_that_is_there_is_left_as_it_is(api: Served, here: Site) -> None:
    """Its difference from what was asked is told, with Kafka's error and its fact."""
    name = here.topic(partitions=2)

    problem = api.problem("POST", TOPICS, 409, json={"name": name, "partitions": 4})

    assert problem["code"] == "TOPIC_ALREADY_EXISTS"
    assert "partitions is 2, defined is 4" in problem["detail"]
    assert problem["fact"] == {
        "slug": "duplicate-create-changes-nothing",
        "command": "pytest -k duplicate_create_changes_nothing",
    }
    assert len(api.ask("GET", f"{TOPICS}/{name}/partitions")) == 2


def test_kafkas_own_topics_are_listed_when_asked_for(api: Served, here: Site) -> None:
    """And nobody changes them."""
    with here.group(EAGER, here.topic(), partitions=1) as group:
        group.add()
        group.wait_for_stable()

    own = "__consumer_offsets"
    assert own not in {each["name"] for each in api.ask("GET", TOPICS)}
    rows = api.ask("GET", TOPICS, params={"internal": True})
    assert next(each for each in rows if each["name"] == own)["may_change"] is False
    assert "Kafka's own" in api.problem("DELETE", f"{TOPICS}/{own}", 403)["detail"]
    assert (
        "Kafka's own"
        in (api.problem("POST", f"{TOPICS}/{own}/records", 403, json=keyed("a"))["detail"])
    )


def test_topics_are_provisioned_from_definitions(api: Served, here: Site) -> None:
    """A dry run does nothing; then one is created, one grown, and a third only told."""
    small, other, new = here.topic(partitions=1), here.topic(partitions=1), here.name("new")
    asked: dict[str, Any] = {
        "definitions": [
            {"name": small, "partitions": 2},
            {"name": other, "partitions": 1, "settings": {"retention.ms": "1000"}},
            {"name": new},
        ],
        "grow": True,
    }

    planned = api.ask("POST", f"{TOPICS}/provision", json={**asked, "dry_run": True})
    before = {each["name"]: each["partitions"] for each in api.ask("GET", TOPICS)}
    done = api.ask("POST", f"{TOPICS}/provision", json=asked)

    assert planned == done, "a dry run tells what will be done"
    assert before[small] == 1, "a dry run does nothing"
    assert new not in before, "a dry run does nothing"
    assert [each["action"] for each in done] == ["grown", "drifted", "created"]
    assert done[1]["drifts"] == [{"what": "retention.ms", "defined": "1000", "found": None}]


def test_the_demos_topics_are_provisioned_by_default(api: Served) -> None:
    """The five of a shop."""
    done = api.ask("POST", f"{TOPICS}/provision", json={})

    assert {each["name"] for each in done} >= {"orders", "user-events"}
    assert {each["action"] for each in done} <= {"created", "unchanged"}


def test_a_name_that_cannot_be_is_told_in_words(api: Served) -> None:
    """A pattern is no message."""
    told = api.problem("POST", TOPICS, 422, json={"name": "a/b"})["detail"]

    assert "body.name: a topic's name has letters, digits" in told
    assert "pattern" not in told


def test_a_name_that_is_defined_twice_is_told(api: Served) -> None:
    """Nothing is created then."""
    asked = {"definitions": [{"name": "twice-named"}, {"name": "twice-named"}]}

    assert "twice-named" in (api.problem("POST", f"{TOPICS}/provision", 422, json=asked)["detail"])


def test_the_configuration_tells_where_each_value_comes_from(api: Served, here: Site) -> None:
    """The topic's own settings, and the defaults."""
    name = here.topic(settings={"retention.ms": "60000"})

    found = {each["name"]: each for each in api.ask("GET", f"{TOPICS}/{name}/configuration")}

    assert found["retention.ms"]["value"] == "60000"
    assert found["retention.ms"]["source"] == "DYNAMIC_TOPIC_CONFIG"
    assert found["retention.ms"]["is_default"] is False
    assert found["cleanup.policy"]["is_default"] is True


# Records


def test_a_record_lands_where_the_hash_of_its_key_says(api: Served, here: Site) -> None:
    """Both hashes stand beside it, and the partitioner decides which of them holds."""
    name = here.topic(partitions=6)
    keys = [f"user-{number}" for number in range(20)]

    for partitioner, hashed in (("consistent_random", "crc32"), ("murmur2_random", "murmur2")):
        landed = api.ask(
            "POST",
            f"{TOPICS}/{name}/records",
            json={**keyed(*keys), "partitioner": partitioner},
        )
        assert len(landed) == len(keys)
        for key, each in zip(keys, landed, strict=True):
            assert each["partition"] == each[hashed], f"{partitioner} put {key} there"
            place = api.ask("GET", f"{TOPICS}/{name}/placement", params={"key": key})
            assert (place["crc32"], place["murmur2"]) == (each["crc32"], each["murmur2"])
            assert place["crc32_hash"] % 6 == place["crc32"]
            assert (place["murmur2_hash"] & 0x7FFFFFFF) % 6 == place["murmur2"]


def test_answers_are_in_the_order_of_the_records(api: Served, here: Site) -> None:
    """Also of records that differ in their headers alone, of which a report says nothing."""
    name = here.topic(partitions=4)
    records = [
        # Without a key they would all go to one partition, for some milliseconds.
        {"key": text("a"), "value": text("same"), "headers": [["number", text(str(number))]]}
        for number in range(30)
    ]

    landed = api.ask(
        "POST",
        f"{TOPICS}/{name}/records",
        json={"records": records, "partitioner": "random"},
    )

    for number, each in enumerate(landed):
        page = api.ask(
            "GET",
            f"{TOPICS}/{name}/records",
            params={"partition": each["partition"], "offset": each["offset"], "limit": 1},
        )
        assert page["records"][0]["headers"] == [["number", text(str(number))]]
    assert len({each["partition"] for each in landed}) > 1, "they went to several partitions"


def test_a_partition_that_is_named_wins(api: Served, here: Site) -> None:
    """Over the key; records without one go where their keys belong, and all stay in order."""
    name = here.topic(partitions=4)
    records = [
        {"key": text("anna"), "value": text(str(number)), "partition": place}
        for number, place in enumerate([3, None, 3, 0, None])
    ]
    own = crc32_partition("anna", 4)

    landed = api.ask("POST", f"{TOPICS}/{name}/records", json={"records": records})
    unknown = api.problem(
        "POST", f"{TOPICS}/{name}/records", 404, json={"records": [{"partition": 4}]}
    )

    assert [each["partition"] for each in landed] == [3, own, 3, 0, own]
    assert "no partition 4" in unknown["detail"]
    page = api.ask("GET", f"{TOPICS}/{name}/records", params={"partition": 3})
    assert own == 3, "the named and the others share a partition"
    assert [each["value"]["text"] for each in page["records"]] == ["0", "1", "2", "4"]


def test_a_key_lands_by_the_new_number_of_partitions(api: Served, here: Site) -> None:
    """As soon as the topic has grown, or was made anew, whoever did that."""
    name, keys = here.name("grows"), [f"user-{number}" for number in range(20)]
    path = f"{TOPICS}/{name}"
    api.ask("POST", TOPICS, status=201, json={"name": name, "partitions": 4})
    for count in (4, 7, 9, 2):
        if count == 2:
            api.ask("DELETE", path, status=204)
            api.ask("POST", TOPICS, status=201, json={"name": name, "partitions": count})
        elif count == 9:
            grow(here.admin, name, count)
        elif count == 7:
            api.ask("PATCH", f"{path}/partitions", json={"count": count})
        landed = api.ask("POST", f"{path}/records", json=keyed(*keys))
        assert [each["partition"] for each in landed] == [
            crc32_partition(key, count) for key in keys
        ], f"with {count} partitions"


def test_bytes_come_back_as_they_were_sent(api: Served, here: Site) -> None:
    """Text, what is none, nothing in it, and nothing at all are four things."""
    name = here.topic()
    record = {
        "key": {"base64": "/wA="},
        "value": None,
        "headers": [["h", text("ü")], ["h", None], ["h", text("")]],
    }
    api.ask(
        "POST",
        f"{TOPICS}/{name}/records",
        json={"records": [record, {"key": text(""), "value": text("")}]},
    )

    first, second = api.ask("GET", f"{TOPICS}/{name}/records")["records"]

    assert {part: first[part] for part in record} == record
    assert (second["key"], second["value"], second["headers"]) == (text(""), text(""), [])
    assert first["timestamp_ms"] > 0


def test_a_log_is_read_page_by_page(api: Served, here: Site) -> None:
    """Each page says where the next one begins, until the end."""
    name = here.topic()
    here.write(name, [f"{number}".encode() for number in range(25)])

    found, offset = [], 0
    while True:
        page = api.ask("GET", f"{TOPICS}/{name}/records", params={"offset": offset, "limit": 10})
        found += [each["value"]["text"] for each in page["records"]]
        assert (page["start"], page["end"], page["gaps"]) == (0, 25, [])
        offset = page["next_offset"]
        if offset == page["end"]:
            break

    assert found == [str(number) for number in range(25)]


def test_an_offset_outside_the_log_is_taken_for_its_start_or_end(api: Served, here: Site) -> None:
    """A page of a log that was cut meanwhile goes on where the log begins now."""
    name = here.topic()
    here.write(name, [b"a", b"b"])

    page = api.ask("GET", f"{TOPICS}/{name}/records", params={"offset": 1000})

    assert (page["records"], page["next_offset"], page["gaps"]) == ([], 2, [])


def test_transactions_leave_gaps(api: Served, here: Site) -> None:
    """Markers and what was aborted take offsets, and are no records; an open one is not the end."""
    name = here.topic()
    producer = Producer({**here.client, "transactional.id": here.name("writer")})
    init_transactions(producer)
    for word, commits in ((b"seen", True), (b"aborted", False), (b"also seen", True)):
        producer.begin_transaction()
        producer.produce(name, word)
        producer.flush()
        end_transaction(producer, ends_well=commits)

    page = api.ask("GET", f"{TOPICS}/{name}/records")
    spread = api.ask("GET", f"{TOPICS}/{name}/distribution")

    assert [each["offset"] for each in page["records"]] == [0, 4]
    assert page["gaps"] == [[1, 4], [5, 6]]
    assert (page["start"], page["end"], page["next_offset"]) == (0, 6, 6)
    assert (spread["records"], spread["is_all"]) == (2, True), "it counts records, not offsets"


def test_a_page_of_large_records_ends_before_its_limit(api: Served, here: Site) -> None:
    """The next page goes on behind them."""
    name = here.topic()
    here.write(name, [b"x" * 900_000 for _ in range(8)])

    page = api.ask("GET", f"{TOPICS}/{name}/records", params={"limit": 1000})

    assert len(page["records"]) == 5
    assert page["next_offset"] == 5


def test_records_are_counted_up_to_the_limit_of_a_scan(api: Served, here: Site) -> None:
    """What was not counted is not passed over in silence."""
    name = here.topic(partitions=2)
    for partition, count in ((0, 70_000), (1, 40_000)):
        here.write(name, [b"x"] * count, partition)

    spread = api.ask("GET", f"{TOPICS}/{name}/distribution")

    assert spread["records"] == 100_000
    assert spread["is_all"] is False


def test_each_partition_is_counted_again_and_again(api: Served, here: Site) -> None:
    """A client that is used again reads all partitions as a new one does."""
    name = here.topic(partitions=3)
    api.ask("POST", f"{TOPICS}/{name}/records", json=keyed(*map(str, range(30))))

    counts = [api.ask("GET", f"{TOPICS}/{name}/distribution")["partitions"] for _ in range(8)]

    assert all(each == counts[0] for each in counts)
    assert sum(each["records"] for each in counts[0]) == 30


def test_a_key_moves_when_the_topic_grows(api: Served, here: Site) -> None:
    """The placement is told for any number of partitions."""
    name = here.topic(partitions=2)

    seven = api.ask("GET", f"{TOPICS}/{name}/placement", params={"key": "a", "partitions": 7})
    same = api.ask("GET", f"{TOPICS}/{name}/placement", params={"key_base64": "YQ=="})

    assert seven["crc32"] == crc32_partition("a", 7)
    assert (same["partitions"], same["crc32"]) == (2, crc32_partition("a", 2))


def test_a_long_key_in_an_address_is_told(api: Served, here: Site) -> None:
    """The longest that is taken fits, whatever its letters; one more is a problem."""
    path = f"{TOPICS}/{here.topic()}/placement"

    api.ask("GET", path, params={"key": "\U0001f600" * 1000})
    api.problem("GET", path, 422, params={"key": "\U0001f600" * 1001})


# Groups


def test_a_group_without_a_commit_has_no_lag(api: Served, here: Site) -> None:
    """Null is not 0: nobody knows where it would begin; the total is of what is known."""
    name, group = here.topic(partitions=2), here.name("group")
    here.write(name, [b"a", b"b", b"c"])
    here.commit(group, {(name, 0): 1})

    lag = api.ask("GET", f"{GROUPS}/{group}/lag")

    rows = {each["partition"]: each for each in lag["partitions"]}
    assert (rows[0]["committed"], rows[0]["end"], rows[0]["lag"]) == (1, 3, 2)
    assert (rows[1]["committed"], rows[1]["lag"]) == (None, None)
    assert (lag["total"], lag["unit"]) == (2, "offsets")


@pytest.mark.parametrize("protocol", ["eager", "cooperative", "kip848"])
def test_consumers_join_share_and_leave(api: Served, here: Site, protocol: str) -> None:
    """Each is found by its name, all that happens to it is told, and a group of two shares."""
    name, group = here.topic(partitions=4), here.name(f"group-{protocol}")
    asked = {"topics": [name], "protocol": protocol}
    stream = api.events(group=group)

    first = api.ask("POST", f"{GROUPS}/{group}/members", status=201, json=asked)["name"]
    stream.wait_for("group", lambda look: shares(look) == {first: 4})
    second = api.ask("POST", f"{GROUPS}/{group}/members", status=201, json=asked)["name"]
    stream.wait_for("group", lambda look: shares(look) == {first: 2, second: 2})
    listed = {each["group"]: each for each in api.ask("GET", GROUPS)}
    api.ask("DELETE", f"{GROUPS}/{group}/members/{first}", status=204)
    alone = stream.wait_for("group", lambda look: shares(look) == {second: 4})
    api.ask("DELETE", f"{GROUPS}/{group}/members/{second}", status=204)
    # It can look empty before its first member is in it, too.
    stream.wait_for("group", lambda look: look["state"] == "EMPTY" and look["time"] > alone["time"])
    past = api.ask("GET", f"{GROUPS}/{group}/timeline")
    stream.close()

    assert listed[group]["members"] == 2
    assert listed[group]["protocol"] == ("consumer" if protocol == "kip848" else "classic")
    changes = stream.of("change")
    assert past["events"] == changes
    kinds = [each["kind"] for each in changes if each["member"] == first]
    assert kinds[:2] == ["join", "assign"]
    assert kinds[-1] == "leave"
    given_up = next(each for each in changes if each["kind"] == "revoke")
    assert len(given_up["partitions"]) == (4 if protocol == "eager" else 2)
    assert [each["time"] for each in changes] == sorted(each["time"] for each in changes)
    assert past["looks"][-1]["state"] == "EMPTY"


def shares(look: dict[str, Any]) -> dict[str, int]:
    """How many partitions each member has."""
    return {each["name"]: len(each["partitions"]) for each in look["members"]}


def test_a_slow_consumer_falls_behind_and_its_lag_is_seen(api: Served, here: Site) -> None:
    """The pace is in records a second."""
    name, group = here.topic(), here.name("slow")
    here.write(name, [b"x"] * 500)
    asked = {"topics": [name], "protocol": "cooperative", "pace": 2}
    stream = api.events(group=group)

    member = api.ask("POST", f"{GROUPS}/{group}/members", status=201, json=asked)["name"]
    look = stream.wait_for("group", lambda look: any(each["lag"] for each in look["partitions"]))
    stream.close()
    api.ask("DELETE", f"{GROUPS}/{group}/members/{member}", status=204)

    assert look["partitions"][0]["lag"] > 400


def test_members_of_one_group_are_alike_and_few(api: Served, here: Site) -> None:
    """Another protocol is refused, and so is one more than the most."""
    name, group = here.topic(), here.name("group")
    path = f"{GROUPS}/{group}/members"
    asked = {"topics": [name], "protocol": "cooperative"}
    names = [api.ask("POST", path, status=201, json=asked)["name"] for _ in range(8)]

    unlike = api.problem("POST", path, 409, json={**asked, "protocol": "eager"})
    more = api.problem("POST", path, 409, json=asked)
    for each in names:
        api.ask("DELETE", f"{path}/{each}", status=204)
    api.problem("DELETE", f"{path}/{names[0]}", 404)
    again = api.ask("POST", path, status=201, json={**asked, "protocol": "eager"})
    api.ask("DELETE", f"{path}/{again['name']}", status=204)

    assert "8 members" in unlike["detail"] + more["detail"]


# The stream


def test_records_come_as_they_are_written_with_their_gaps(api: Served, here: Site) -> None:
    """First those that were asked for of the past, then each once, in order."""
    name = here.topic(partitions=2)
    here.write(name, [b"0", b"1", b"2"])
    stream = api.events(topic=name, **{"from": "newest-2"})
    stream.wait_for("records")

    here.write(name, [b"3", b"4"])
    here.write(name, [b"other"], partition=1)
    wait_until(lambda: len(stream.records()) == 5, limit=30, what="all records")
    producer = Producer({**here.client, "transactional.id": here.name("writer")})
    init_transactions(producer)
    producer.begin_transaction()
    producer.produce(name, b"5", partition=0)
    end_transaction(producer, ends_well=True)
    stream.wait_for("records", lambda data: data["gaps"])
    stream.close()

    found = [each for each in stream.records() if each["partition"] == 0]
    assert [each["offset"] for each in found] == [1, 2, 3, 4, 5]
    gaps = [gap for data in stream.of("records") for gap in data["gaps"]]
    assert gaps == [{"partition": 0, "from": 6, "to": 7}], "the marker of the transaction"
    assert stream.of("records")[-1]["ends"]["0"] == 7


def test_a_stream_goes_on_where_another_ended(api: Served, here: Site) -> None:
    """The id of its last event is where it had come to."""
    name = here.topic(partitions=2)
    first = api.events(topic=name)
    here.write(name, [b"0", b"1"])
    wait_until(lambda: len(first.records()) == 2, limit=30, what="both records")
    first.close()
    here.write(name, [b"2", b"3"])
    grow(here.admin, name, 3)
    here.write(name, [b"new"], partition=2)

    second = api.events(topic=name, headers={"Last-Event-ID": first.ids[-1]})
    here.write(name, [b"4"])
    wait_until(lambda: len(second.records()) >= 4, limit=30, what="the others")
    second.close()

    seen = [(each["partition"], each["offset"]) for each in second.records()]
    assert sorted(seen) == [(0, 2), (0, 3), (0, 4), (2, 0)], "each once, and of a new partition all"


def test_a_topic_is_followed_that_comes_grows_and_comes_again(api: Served, here: Site) -> None:
    """The list of topics is told when it changes."""
    name = here.name("later")
    stream = api.events(topic=name)

    api.ask("POST", TOPICS, status=201, json={"name": name})
    api.ask("POST", f"{TOPICS}/{name}/records", json=keyed("a"))
    wait_until(lambda: len(stream.records()) == 1, limit=30, what="the first record")
    api.ask("PATCH", f"{TOPICS}/{name}/partitions", json={"count": 2})
    here.write(name, [b"b"], partition=1)
    wait_until(lambda: len(stream.records()) == 2, limit=30, what="that of a new partition")
    api.ask("DELETE", f"{TOPICS}/{name}", status=204)
    api.ask("POST", TOPICS, status=201, json={"name": name})
    api.ask("POST", f"{TOPICS}/{name}/records", json=keyed("c"))
    wait_until(lambda: len(stream.records()) == 3, limit=30, what="that of the new topic")
    stream.close()

    assert stream.of("gone") == [], "a topic that goes is no broker that goes"


def test_a_topic_that_others_make_anew_is_followed(api: Served, here: Site) -> None:
    """It begins at 0 again, though it has as many records as the one before had."""
    name = here.topic()
    stream = api.events(topic=name)
    for times in range(1, 4):
        here.write(name, [b"a", b"b"])
        wait_until(
            lambda times=times: len(stream.records()) == 2 * times,
            limit=30,
            what=f"the records of the topic made {times} times",
        )
        here.admin.delete_topics([name])[name].result()
        wait_until(lambda: name not in names_of(here.admin), limit=30, what="it to be gone")
        create_topic(here.broker, here.admin, name, 1, 1, {})
    stream.close()

    assert [each["offset"] for each in stream.records()] == [0, 1] * 3


def test_long_values_are_cut_in_the_stream(api: Served, here: Site) -> None:
    """And whole in a page."""
    name = here.topic()
    stream = api.events(topic=name)
    here.write(name, [b"x" * 5000])

    data = stream.wait_for("records")
    page = api.ask("GET", f"{TOPICS}/{name}/records")
    stream.close()

    assert data["records"][0]["value"] == text("x" * 200)
    assert data["records"][0]["cut"] is True
    assert page["records"][0]["value"] == text("x" * 5000)


def test_a_reader_who_does_not_read_loses_the_oldest_and_blocks_nobody(
    api: Served, here: Site
) -> None:
    """What it lost is counted, and it comes to the newest in the end."""
    name = here.topic()
    # Each event has more than a megabyte, so that what lies between server and reader is soon full.
    at_once, times = MOST_SHOWN, MOST_WAITING + 25
    headers = [(f"h{number}", b"x" * 200) for number in range(20)]
    producer = Producer(here.client)
    slow = httpx.Client(base_url=api.url, timeout=120)
    with slow.stream("GET", "/api/kafka/events", params={"topic": name}) as answer:
        lines = answer.iter_lines()
        next(lines)
        quick = api.events(topic=name)
        for number in range(1, times + 1):
            for _ in range(at_once):
                producer.produce(name, b"x", headers=headers)
            producer.flush()
            api.ask("GET", TOPICS)
            wait_until(
                lambda number=number: counted(quick.of("records")) == number * at_once,
                limit=60,
                what="all of them, in a stream that is read",
            )
        seen: list[Any] = []
        for line in lines:
            if line.startswith('data: {"topic"'):
                seen.append(json.loads(line[6:]))
                if seen[-1]["ends"] == {"0": at_once * times}:
                    break
    quick.close()

    shown = [record["offset"] for each in seen for record in each["records"]]
    assert counted(seen) == at_once * times, "each record was shown, or counted as skipped"
    assert any(each["skipped"] and not each["records"] for each in seen), "some were dropped"
    assert shown == sorted(shown)
    assert shown[-1] == at_once * times - 1, "the newest is there"


def counted(events: list[Any]) -> int:
    """Records that were shown, and those that were skipped."""
    return sum(len(each["records"]) + each["skipped"] for each in events)


# What cannot be


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("POST", TOPICS, 422, {"name": "a b"}),
        ("POST", TOPICS, 422, {"name": ".."}),
        ("POST", TOPICS, 422, {"name": "x" * 250}),
        ("POST", TOPICS, 422, {"name": "x", "partitions": 0}),
        ("POST", TOPICS, 422, {"name": "x", "partitions": "3"}),
        ("POST", TOPICS, 422, {"name": "x", "partitions": 1_000_000}),
        ("POST", TOPICS, 422, {"name": "x", "replicas": 3}),
        ("POST", TOPICS, 422, {"name": "x", "settings": {"no.such.setting": "1"}}),
        ("POST", TOPICS, 422, {"name": "x", "more": 1}),
        ("POST", TOPICS, 422, []),
        ("GET", f"{TOPICS}/no-such-topic", 404, None),
        ("GET", f"{TOPICS}/a%20b", 422, None),
        ("DELETE", f"{TOPICS}/no-such-topic", 404, None),
        ("GET", f"{TOPICS}/no-such-topic/partitions", 404, None),
        ("PATCH", f"{TOPICS}/no-such-topic/partitions", 404, {"count": 2}),
        ("GET", f"{TOPICS}/no-such-topic/configuration", 404, None),
        ("GET", f"{TOPICS}/no-such-topic/records", 404, None),
        ("POST", f"{TOPICS}/no-such-topic/records", 404, keyed("a")),
        ("GET", f"{TOPICS}/no-such-topic/distribution", 404, None),
        ("GET", f"{TOPICS}/no-such-topic/placement?key=a", 404, None),
        ("GET", f"{TOPICS}/orders/placement", 422, None),
        ("GET", f"{TOPICS}/orders/placement?key=a&key_base64=YQ==", 422, None),
        ("GET", f"{TOPICS}/orders/placement?key_base64=*", 422, None),
        ("GET", f"{TOPICS}/orders/records?partition=99", 404, None),
        ("GET", f"{TOPICS}/orders/records?offset=-1", 422, None),
        ("GET", f"{TOPICS}/orders/records?limit=100000", 422, None),
        ("PATCH", f"{TOPICS}/orders/partitions", 422, {"count": 1}),
        ("POST", f"{TOPICS}/orders/records", 422, {"records": []}),
        ("POST", f"{TOPICS}/orders/records", 422, {"records": [{}] * 1001}),
        ("POST", f"{TOPICS}/orders/records", 422, {"records": [{"value": {"base64": "*"}}]}),
        ("POST", f"{TOPICS}/orders/records", 422, {"records": [{"value": "text"}]}),
        ("POST", f"{TOPICS}/orders/records", 422, {**keyed("a"), "partitioner": "best"}),
        ("GET", f"{GROUPS}/no-such-group", 404, None),
        ("GET", f"{GROUPS}/no-such-group/lag", 404, None),
        ("DELETE", f"{GROUPS}/no-such-group/members/member-1", 404, None),
        ("POST", f"{GROUPS}/g/members", 404, {"topics": ["no-such-topic"]}),
        ("POST", f"{GROUPS}/g/members", 422, {"topics": []}),
        ("POST", f"{GROUPS}/g/members", 422, {"topics": ["orders"], "protocol": "kip-1"}),
        ("GET", "/api/kafka/events?topic=a%20b", 422, None),
        ("GET", "/api/kafka/events?from=tomorrow", 422, None),
        ("GET", "/api/nothing", 404, None),
        ("GET", "/static/nothing.js", 404, None),
        ("GET", "/static/%2e%2e/app.py", 404, None),
        ("PUT", TOPICS, 405, {}),
    ],
)
def test_what_cannot_be_is_a_problem(
    api: Served, method: str, path: str, status: int, body: Any
) -> None:
    """Each has its status, and a sentence that says what to do."""
    api.ask("POST", f"{TOPICS}/provision", json={})

    api.problem(method, path, status, **({} if body is None else {"json": body}))


def test_a_method_that_is_not_for_a_path_is_told_those_that_are(api: Served) -> None:
    """All of them."""
    answer = api.client.put(TOPICS, json={})

    assert answer.headers["allow"] == "GET, POST"
    assert "GET, POST" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"name": "x"}', "text/plain", 415),
        (b'{"name": "x"}', "application/x-www-form-urlencoded", 415),
        (b"x" * 4_100_000, "application/json", 413),
        (b'{"name": "\\ud800"}', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"partitions": ' + b"9" * 5000 + b', "name": "x"}', "application/json", 400),
        (b'{"name": "x", "partitions": NaN}', "application/json", 422),
    ],
)
def test_a_body_that_is_none_is_a_problem(
    api: Served, content: bytes, media: str, status: int
) -> None:
    """What is no JSON, not said to be JSON, or too long."""
    api.problem("POST", TOPICS, status, content=content, headers={"content-type": media})


def test_a_body_without_a_length_is_not_read_for_ever(api: Served) -> None:
    """It is counted as it comes."""

    def body() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 50_000

    headers = {"content-type": "application/json"}
    answer = api.client.post(TOPICS, content=body(), headers=headers)

    assert answer.status_code == 413, answer.text


def test_a_record_that_is_too_large_is_told_with_its_number(api: Served, here: Site) -> None:
    """None of the call is sent."""
    name = here.topic()
    records = [{"value": text("a")}, {"value": text("x" * 1_000_001)}]

    problem = api.problem("POST", f"{TOPICS}/{name}/records", 413, json={"records": records})

    assert "records.1" in problem["detail"]
    assert problem["fact"]["slug"] == "oversize-fails-at-once"
    assert api.ask("GET", f"{TOPICS}/{name}/records")["end"] == 0


def test_a_record_that_the_topic_refuses_is_told_beside_the_others(api: Served, here: Site) -> None:
    """Of a batch that has one too large for the topic, each is told by Kafka's error."""
    name = here.topic(settings={"max.message.bytes": "1000"})
    records = [{"value": text("x" * 5000)}]

    (landed,) = api.ask("POST", f"{TOPICS}/{name}/records", json={"records": records})

    assert landed["error"] == "MSG_SIZE_TOO_LARGE"
    assert landed["offset"] is None


# A broker that goes and comes


def test_a_broker_that_is_gone_is_told_and_its_return_too(tmp_path: Path) -> None:
    """503 with a time to ask again, `gone` and `back` in the stream, and all goes on by itself."""
    with site(tmp_path) as own, served(own, "--allow-foreign") as api:
        name = own.topic(partitions=2)
        stream = api.events(topic=name, group="g")
        api.ask("POST", f"{TOPICS}/{name}/records", json=keyed("before"))
        wait_until(lambda: len(stream.records()) == 1, limit=30, what="the first record")
        (node,) = own.broker.node_ids

        own.broker.kill(node, Termination.ABRUPT)
        answers = {
            path: api.client.get(path)
            for path in (TOPICS, f"{TOPICS}/{name}", GROUPS, f"{TOPICS}/{name}/records")
        }
        sent = api.client.post(f"{TOPICS}/{name}/records", json=keyed("lost"))
        stream.wait_for("gone")
        own.broker.start(node)
        wait_until(
            lambda: api.client.get(TOPICS).status_code == 200, limit=60, what="the list of topics"
        )
        stream.wait_for("back")
        api.ask("POST", f"{TOPICS}/{name}/records", json=keyed("after"))
        wait_until(
            lambda: "after" in {each["key"]["text"] for each in stream.records()},
            limit=60,
            what="the record after it",
        )
        code, errors = api.end()

    for path, answer in {**answers, "POST": sent}.items():
        assert answer.status_code == 503, f"{path}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0, path
        assert "Ask again" in answer.json()["detail"], path
    assert errors == "", "nothing of it is the server's fault"
    assert code == 143
