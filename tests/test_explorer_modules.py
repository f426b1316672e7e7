"""The explorer's modules, one by one, as a browser runs them: no server and no Kafka beside it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra: pip install 'pytest-kafkalab[api]'")

from binascii import crc32

from kafkalab.tasks.routing import crc32_partition, murmur2, murmur2_partition
from kafkalab.web.app import STATIC
from kafkalab.web.stream import LONGEST_SHOWN

Run = Callable[..., Any]

HOME = "http://explorer.test/"


@pytest.fixture(scope="module")
def run(browser: Any) -> Iterator[Run]:
    """Runs JavaScript on one of the modules: `run("keys.js", "return it.idOf(given)", key)`."""
    context = browser.new_context()

    def answer(route: Any) -> None:
        name = route.request.url.removeprefix(HOME)
        if name:
            route.fulfill(path=STATIC / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><title>empty</title>", content_type="text/html")

    context.route("**/*", answer)
    page = context.new_page()
    page.goto(HOME)

    def on(module: str, body: str, given: object = None) -> Any:
        source = f"async (given) => {{ const it = await import('/{module}'); {body} }}"
        return page.evaluate(source, given)

    yield on
    context.close()


# Hashes and keys


def test_both_hashes_are_the_servers(run: Run) -> None:
    """For keys of any length, and for any number of partitions, the page computes the same."""
    dice = random.Random(19)
    keys = [bytes(dice.randrange(256) for _ in range(length)) for length in range(40)] * 8
    counts = [dice.randrange(1, 1001) for _ in keys]

    found = run(
        "hashes.js",
        "return given.map(([key, count]) => it.placement(Uint8Array.from(key), count))",
        [[list(key), count] for key, count in zip(keys, counts, strict=True)],
    )

    assert found == [
        {
            "crc32": crc32_partition(key, count),
            "murmur2": murmur2_partition(key, count),
            "crc32Hash": crc32(key),
            "murmur2Hash": murmur2(key) & 0x7FFFFFFF,
        }
        for key, count in zip(keys, counts, strict=True)
    ]


def test_a_key_keeps_its_colour(run: Run) -> None:
    """It is of the key's bytes alone: text and the same bytes as base64 have one colour."""
    text, bytes_, other, nothing = run(
        "keys.js",
        "return given.map(it.hueOf)",
        [{"text": "anna"}, {"base64": "YW5uYQ=="}, {"text": "ben"}, None],
    )

    assert text == bytes_
    assert text != other
    assert nothing is None


def test_what_nobody_sees_is_told(run: Run) -> None:
    """Null, an empty text, bytes and invisible signs have words of their own."""
    given = [None, {"text": ""}, {"base64": "/wA="}, {"text": "a\u202eb\n"}, {"text": "東京"}]

    told = run("keys.js", "return given.map((each) => it.wordsOf(each))", given)

    assert told == ["no key", "empty", "0xff00", "a\\u{202e}b\\u{a}", "東京"]


def test_what_is_kept_is_as_short_as_the_stream_has_it(run: Run) -> None:
    """Long keys and values are cut alike, wherever they come from, so a key keeps its colour."""
    long = {"key": {"text": "k" * 500}, "value": {"text": "v" * 500}, "headers": []}
    short = {"key": {"text": "k" * 199}, "value": None, "headers": [["h", {"text": "x"}]]}

    kept, whole = run(
        "keys.js",
        "return [given.map(it.kept), given.map(({ key }) => it.isWhole(key))]",
        [long, short],
    )

    assert kept[0]["key"]["text"] == "k" * LONGEST_SHOWN
    assert kept[0]["value"]["text"] == "v" * LONGEST_SHOWN
    assert kept[0]["cut"] is True
    assert {**kept[1], "cut": None} == {**short, "cut": None}
    assert whole == [False, True]


# Logs

CELLS = """
  const log = new it.PartitionLog(given.most ?? 100);
  const record = (offset) => ({ offset, partition: 0, key: null });
  log.bounds(given.start ?? 0, given.end ?? 0);
  for (const [does, ...what] of given.steps) {
    if (does === "add") log.add(what.map(record));
    if (does === "gap") log.addGap(...what);
    if (does === "bounds") log.bounds(...what);
    if (does === "look back") log.follows = false;
  }
  const cells = log.cells().map((cell) => cell.record ? cell.record.offset
    : `${cell.gap ? "gap" : "unread"} ${(cell.gap ?? cell.unread).join("-")}`);
  const lacks = log.lacks(given.newest ?? 0);
  return { cells, dropped: log.dropped, kept: log.records.length, lacks };
"""


def cells(run: Run, *steps: list[object], **given: object) -> Any:
    """What a partition's log draws after some steps."""
    return run("log_store.js", CELLS, {"steps": list(steps), **given})


def test_records_are_drawn_in_order_and_once(run: Run) -> None:
    """However they come: by the stream, by a page, or by both."""
    drawn = cells(run, ["add", 3, 4], ["add", 0, 1, 2, 3], ["add", 4, 5])

    assert drawn["cells"] == [0, 1, 2, 3, 4, 5]


def test_gaps_and_what_is_not_read_are_two_things(run: Run) -> None:
    """A gap holds nothing; what is not read yet may hold something."""
    drawn = cells(run, ["add", 0, 1], ["gap", 2, 4], ["gap", 4, 5], ["add", 9], end=12)

    assert drawn["cells"] == [0, 1, "gap 2-5", "unread 5-9", 9, "unread 10-12"]


def test_an_unknown_log_is_not_an_empty_one(run: Run) -> None:
    """What came while the stream was away is drawn as not read, until it is."""
    assert cells(run, end=0)["cells"] == []
    assert cells(run, start=2, end=5)["cells"] == ["unread 2-5"]


def test_a_log_keeps_no_more_than_it_may(run: Run) -> None:
    """Who looks at the newest loses the oldest; who looks back loses the newest."""
    offsets = list(range(30))

    newest = cells(run, ["add", *offsets], most=10)
    back = cells(run, ["add", *offsets[20:]], ["look back"], ["add", *offsets[15:20]], most=10)

    assert newest == {"cells": offsets[20:], "dropped": 20, "kept": 10, "lacks": False}
    assert back["cells"] == [*offsets[15:25], "unread 25-30"]
    assert back["kept"] == 10


@pytest.mark.parametrize(
    ("steps", "lacks"),
    [
        ([], True),
        ([["add", 3, 4, 5]], False),
        ([["add", 4, 5]], True),
        ([["add", 3, 5]], True),
        ([["add", 3, 4]], True),
        ([["gap", 2, 5], ["add", 5]], False),
        ([["add", 0, 3, 4, 5]], False),
        ([["add", 5], ["bounds", 5, 6]], False),
    ],
)
def test_what_lacks_among_the_newest_is_known(
    run: Run, steps: list[list[object]], lacks: bool
) -> None:
    """Before, between and after what came; what is older is not asked for."""
    assert cells(run, *steps, end=6, newest=3)["lacks"] is lacks


def test_a_log_that_is_full_lacks_nothing(run: Run) -> None:
    """It keeps no more, so to read more would be for nothing."""
    assert cells(run, ["add", *range(30)], most=10, newest=20)["lacks"] is False


def test_what_retention_takes_is_not_drawn(run: Run) -> None:
    """Records and gaps before the log's start are gone."""
    drawn = cells(run, ["add", 0, 1, 4], ["gap", 2, 4], ["bounds", 3, 5])

    assert drawn["cells"] == ["gap 2-4", 4]


def test_a_topic_keeps_no_more_than_it_may(run: Run) -> None:
    """With many partitions each keeps less; of the keys seen, the newest are kept."""
    kept, keys, skipped = run(
        "log_store.js",
        """
          const log = new it.LogStore(100, { mostInAll: 20000, mostKeys: 50 });
          const records = Array.from({ length: 60000 }, (_, number) => ({
            partition: number % 100, offset: Math.floor(number / 100), key: { text: `k${number}` },
          }));
          log.add({ records, skipped: 7 });
          const kept = log.partitions.reduce((sum, each) => sum + each.records.length, 0);
          return [kept, [...log.keys.keys()], log.dropped];
        """,
    )

    assert kept == 20_000
    assert keys == [f"text:k{number}" for number in range(59_950, 60_000)]
    assert skipped == 40_000 + 7


# The stream


def test_waiting_doubles_has_a_bound_and_is_spread(run: Run) -> None:
    """After a loss the next attempt is soon, later ones come less often, never all at once."""
    least, most = run(
        "stream_hub.js",
        """
          const attempts = [1, 2, 3, 4, 5, 6, 7, 50];
          return [0, 1].map((dice) => attempts.map((each) => it.waitBefore(each, () => dice)));
        """,
    )

    assert least == [250, 500, 1000, 2000, 4000, 7500, 7500, 7500]
    assert most == [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]


HUB = """
  const opened = [];
  class Source {
    constructor(address) { this.address = address; this.listeners = {}; opened.push(this); }
    addEventListener(event, listener) { this.listeners[event] = listener; }
    close() { this.isClosed = true; }
    tell(event, data) { this.listeners[event]({ data: JSON.stringify(data) }); }
  }
  const hub = new it.Hub({ open: (address) => new Source(address) });
  const join = () => {
    const tab = {
      got: [],
      postMessage(messages) { this.got.push(...messages); this.ask({ drawn: true }); },
      ask(told) { this.onmessage({ data: told }); },
      of(wanted) { return this.got.flatMap(({ event, data }) => event === wanted ? [data] : []); },
    };
    hub.join(tab);
    return tab;
  };
  const open = () => opened.filter((each) => !each.isClosed).map((each) => each.address);
"""


def test_tabs_have_one_stream_of_all_that_they_want(run: Run) -> None:
    """It is opened anew where they want another one, and closed with the last tab."""
    seen = run(
        "stream_hub.js",
        HUB
        + """
          const seen = [];
          const [one, two] = [join(), join()];
          one.ask({ want: { topics: ["a"], groups: [] } }); seen.push(open());
          two.ask({ want: { topics: ["b"], groups: ["g"] } }); seen.push(open());
          opened.at(-1).tell("records", { topic: "b", records: [] });
          seen.push([one, two].map((tab) => tab.of("records").length));
          one.ask({ bye: true }); seen.push(open());
          two.ask({ bye: true }); seen.push(open());
          return seen;
        """,
    )

    assert seen == [
        ["/api/kafka/events?topic=a"],
        ["/api/kafka/events?topic=a&topic=b&group=g"],
        [0, 1],
        ["/api/kafka/events?topic=b&group=g"],
        [],
    ]


def test_a_stream_asks_for_no_more_than_the_server_gives(run: Run) -> None:
    """With too many tabs those that came last are live; the others are told that they are not."""
    topics, states = run(
        "stream_hub.js",
        HUB
        + """
          const tabs = Array.from({ length: 20 }, (_, number) => {
            const tab = join();
            tab.ask({ want: { topics: [`t${String(number).padStart(2, "0")}`], groups: [] } });
            return tab;
          });
          opened.at(-1).tell("hello", {});
          const { searchParams } = new URL(opened.at(-1).address, "http://x");
          return [searchParams.getAll("topic"), tabs.map((tab) => tab.of("status").at(-1).state)];
        """,
    )

    assert topics == [f"t{number:02}" for number in range(4, 20)]
    assert states == ["crowded"] * 4 + ["live"] * 16


def test_a_lost_stream_is_opened_again(run: Run) -> None:
    """It is told with the time of the next attempt, which comes by itself, or when asked for."""
    states, count = run(
        "stream_hub.js",
        HUB
        + """
          const tab = join();
          tab.ask({ want: { topics: ["a"], groups: [] } });
          opened[0].tell("hello", {});
          opened[0].onerror();
          await new Promise((resolve) => setTimeout(resolve, 700));
          opened[1].onerror();
          tab.ask({ retry: true });
          opened[2].tell("hello", {});
          await new Promise((resolve) => setTimeout(resolve, 1200));
          return [tab.of("status").map((each) => each.state), opened.length];
        """,
    )

    assert states == ["connecting", "live", "waiting", "waiting", "live"]
    assert count == 3, "what was asked for by hand is not tried once more"


def test_a_slow_tab_loses_old_records_and_delays_nobody(run: Run) -> None:
    """What waits for a tab is bounded: the oldest go, and are counted."""
    sent, skipped, first, counts = run(
        "stream_hub.js",
        """
          const batches = [];
          const outbox = new it.Outbox((messages) => batches.push(messages), 100);
          outbox.put({ event: "hello", data: {} });
          for (let number = 0; number < 500; number += 1) {
            const records = Array.from({ length: 10 }, (_, at) => ({ offset: number * 10 + at }));
            outbox.put({ event: "records", data: { topic: "a", records } });
            outbox.put({ event: "group", data: { group: "g", number } });
            outbox.put({ event: "change", data: { group: "g", number } });
          }
          const before = batches.length;
          outbox.drawn();
          const [, waited] = batches;
          const count = (event) => waited.filter((each) => each.event === event).length;
          const { records, skipped } = waited.find((each) => each.event === "records").data;
          return [before, skipped, records[0].offset, ["records", "group", "change"].map(count)];
        """,
    )

    assert sent == 1, "nothing more goes before the tab has drawn what it got"
    assert (skipped, first) == (4900, 4900)
    assert counts == [1, 1, 100]


# The address


@pytest.mark.parametrize(
    ("address", "again"),
    [
        ("#topic=orders&group=demo&task=1.4&step=2&at=12.5", None),
        ("#topic=a%26b", None),
        ("", "#"),
        ("#topic=a&step=3", "#topic=a"),
        ("#task=1.1&step=-4&at=nonsense&else=1", "#task=1.1"),
    ],
)
def test_an_address_says_what_is_shown(run: Run, address: str, again: str | None) -> None:
    """What is written is read again; what makes no sense is left out."""
    found = run("address.js", "return it.write(it.read(given))", address)

    assert found == (address if again is None else again)


# A group's time

PLAY = """
  const timeline = new it.Timeline();
  const place = (number) => ["t", number];
  const change = (time, member, kind, ...places) =>
    timeline.change({ group: "g", time, member, kind, partitions: places.map(place) });
  const look = (time, members, lags = {}) => timeline.look({
    group: "g", time, state: "STABLE", protocol: "classic",
    members: Object.entries(members).map(([name, places]) => (
      { name, id: name, partitions: places.map(place) }
    )),
    partitions: Object.entries(lags).map(([partition, [committed, end]]) => ({
      topic: "t", partition: Number(partition), committed, end,
      lag: committed === null ? null : end - committed,
    })),
  });
  const owners = (time) => timeline.at(time).rows.map((row) => row.owner);
"""


def test_a_partition_belongs_to_nobody_between_two_owners(run: Run) -> None:
    """An eager rebalance is seen as a hole in all rows, a cooperative one in those that move."""
    seen = run(
        "timeline.js",
        PLAY
        + """
          change(0, "a", "join"); change(1, "a", "assign", 0, 1);
          change(5, "b", "join"); change(6, "a", "revoke", 0, 1);
          change(7, "a", "assign", 0); change(8, "b", "assign", 1);
          change(20, "a", "revoke", 0); change(20, "a", "leave"); change(21, "b", "assign", 0);
          look(30, { b: [0, 1] });
          return [0.5, 2, 6.5, 7.5, 9, 20.5, 30].map(owners);
        """,
    )

    assert seen == [
        [None, None],
        ["a", "a"],
        [None, None],
        ["a", None],
        ["a", "b"],
        [None, "b"],
        ["b", "b"],
    ]


def test_members_of_others_are_known_by_looks(run: Run) -> None:
    """Whoever tells no changes is seen once a second; both kinds go together."""
    seen = run(
        "timeline.js",
        PLAY
        + """
          change(1, "ours", "assign", 0); look(2, { ours: [0], theirs: [1] });
          look(3, { ours: [0, 1] }); look(4, { theirs: [1], ours: [0] });
          return [2.5, 3.5, 4].map(owners);
        """,
    )

    assert seen == [["ours", "theirs"], ["ours", None], ["ours", "theirs"]]


def test_lag_without_a_commit_is_unknown(run: Run) -> None:
    """It is null, never 0; a partition with a commit counts nevertheless."""
    lags = run(
        "timeline.js",
        PLAY
        + """
          look(1, {}, { 0: [null, 10], 1: [null, 5] }); look(2, {}, { 0: [4, 10], 1: [null, 5] });
          return timeline.lag();
        """,
    )

    assert lags == [[1, None], [2, 6]]


def test_the_past_is_bounded_and_in_order(run: Run) -> None:
    """What comes late is put in its place, what comes twice counts once, the oldest go."""
    times, count, changes = run(
        "timeline.js",
        PLAY
        + """
          look(2, {}); look(1, {}); look(2, {});
          const times = timeline.looks.map((each) => each.time);
          for (let time = 10; time < 2000; time += 1) look(time, {});
          for (let time = 0; time < 3000; time += 1) change(time, "a", "assign", 0);
          return [times, timeline.looks.length, timeline.changes.length];
        """,
    )

    assert times == [1, 2]
    assert count == 1200
    assert changes == 2000
