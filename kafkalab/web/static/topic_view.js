// One topic: publish to it, see its partitions as logs, grow it, and see its readers.

import { call, topicPath } from "./api.js";
import { counted, el, plural, tell } from "./dom.js";
import { Grow } from "./grow.js";
import { GroupView } from "./group_view.js";
import { placement } from "./hashes.js";
import { bytesOf, isWhole, kept, paint, wordsOf } from "./keys.js";
import { LogStore } from "./log_store.js";
import { Logs } from "./logs.js";
import { Publish } from "./publish.js";

const PAGE = 100;
// Records to read when a partition is first seen.
const FIRST_PAGE = 60;

export class TopicView {
  #isClosed = false;
  #isAsked = false;
  #reading = null;
  #read = new Set();

  constructor(explorer, name) {
    this.explorer = explorer;
    this.name = name;
    this.partitions = 0;
    this.log = new LogStore(0);
    this.logs = new Logs(this.log, {
      readOlder: (partition) => this.#readOlder(partition),
      readNewest: (partition) => this.#readNewest(partition),
      readAt: (partition, [from]) => this.#readPage(partition, from),
      choose: (record) => this.#choose(record),
      seen: (partition) => this.#seen(partition),
    });
    this.publish = new Publish(explorer, this);
    this.grow = new Grow(explorer, this);
    this.groupView = new GroupView(explorer, this);
    this.facts = el("p", { class: "about-topic" });
    this.problem = el("div", { class: "problem", role: "alert" });
    this.note = el("p", { class: "dropped small" });
    this.record = el("section", { class: "record", "aria-label": "The record you chose", hidden: true });
    const end = this.#end();
    this.changing = [this.publish.element, this.grow.element, end];
    this.readOnly = el("p", { class: "small", hidden: true }, `This server changes only topics and groups whose names begin with ${explorer.cluster.may_change}: you can look at this topic.`);
    this.there = el("div", { class: "there" }, this.readOnly, this.publish.element, this.#logs(), this.grow.element, this.groupView.element, end);
    this.element = el(
      "div",
      { class: "topic" },
      el("header", { class: "topic-head" }, el("p", { class: "eyebrow" }, el("a", { href: "#" }, "All topics")), el("h1", {}, el("bdi", {}, name)), this.facts),
      this.problem,
      this.there,
    );
    this.following = this.#follow();
    this.#listed(explorer.topic(name));
    if (!this.partitions) this.read();
  }

  get group() {
    return this.groupView.group;
  }

  close() {
    this.#isClosed = true;
    for (const unfollow of this.following) unfollow();
    this.publish.close();
    this.logs.close();
    this.groupView.close();
  }

  draw(state) {
    this.groupView.drawState(state);
    if (this.explorer.topic(this.name) && !this.partitions && !this.#reading) this.read();
  }

  /** Read the topic's partitions and settings, and its newest records. What is asked for while a
   *  reading is under way is read after it: the answer may be older than what has changed. */
  read() {
    this.#isAsked = true;
    this.#reading ??= this.#readWhileAsked();
    return this.#reading;
  }

  async #readWhileAsked() {
    try {
      while (this.#isAsked && !this.#isClosed) {
        this.#isAsked = false;
        await this.#readOnce();
      }
    } finally {
      this.#reading = null;
    }
  }

  async #readOnce() {
    if (!this.explorer.topic(this.name)) {
      this.#missing("There is no such topic yet.");
      return;
    }
    try {
      const topic = await call("GET", topicPath(this.name));
      if (this.#isClosed) return;
      this.there.hidden = false;
      this.problem.replaceChildren();
      this.#made(topic);
      await Promise.all([this.#catchUp(), ...this.logs.shown().map((partition) => this.#seen(partition))]);
    } catch (error) {
      if (this.#isClosed) return;
      // It may have just been deleted.
      if (error.status === 404) this.#missing("There is no such topic any more.");
      else this.#cannot(error);
    }
  }

  #follow() {
    const { stream } = this.explorer;
    return [
      stream.on("hello", () => this.#reconnected()),
      stream.on("records", (told) => this.#records(told)),
      stream.on("group", (look) => this.groupView.look(look)),
      stream.on("change", (change) => this.groupView.change(change)),
      stream.on("topics", (topics) => this.#listed(topics.find((each) => each.name === this.name))),
    ];
  }

  #reconnected() {
    this.read();
    this.groupView.readPast();
  }

  #records(told) {
    if (told.topic !== this.name) return;
    this.log.add(told);
    if (this.log.partitions.length > this.partitions) this.#count(this.log.partitions.length);
    this.#tell();
  }

  #listed(topic) {
    if (!topic && this.partitions) this.#missing("This topic was deleted.");
    if (!topic || topic.partitions === this.partitions) return;
    // Draw the logs before their lengths are known.
    this.log.grow(topic.partitions);
    this.#count(topic.partitions);
    this.#tell();
    this.read();
  }

  #made(topic) {
    this.log.grow(topic.partitions.length);
    for (const { id, leader, start, end } of topic.partitions) {
      this.log.partitions[id].bounds(start, end);
      this.logs.leaders.set(id, leader);
    }
    const replicas = Math.max(...topic.partitions.map((each) => each.replicas.length));
    const settings = Object.entries(topic.settings ?? {}).map(([name, value]) => el("code", {}, `${name}=${value}`));
    this.facts.replaceChildren(`${plural(topic.partitions.length, "partition")}, ${plural(replicas, "replica")} each`, ...settings);
    for (const part of this.changing) part.hidden = !topic.may_change;
    this.readOnly.hidden = topic.may_change;
    this.#count(topic.partitions.length);
    this.#tell();
  }

  #count(count) {
    this.partitions = count;
    this.publish.drawHashes();
    this.grow.partitionsAre(count);
    this.publish.partition.max = count - 1;
  }

  #tell() {
    const { dropped } = this.log;
    tell(this.note, dropped ? `${plural(dropped, "record")} left this view to keep it quick; they are still in the log. Scroll back to read them.` : "");
    this.note.hidden = !dropped;
    this.grow.draw();
    this.logs.draw();
  }

  #logs() {
    return el(
      "section",
      { class: "logs", id: "logs", "aria-labelledby": "logs-title" },
      el(
        "header",
        {},
        el("h2", { id: "logs-title" }, "Partitions"),
        el("p", { class: "legend" }, el("span", { class: "sample key-sample" }, "same key, same colour"), el("span", { class: "sample gap-sample" }, "no record at this offset"), el("span", { class: "sample committed-sample" }, "before the group's commit")),
      ),
      this.logs.element,
      this.note,
      this.record,
    );
  }

  #end() {
    const told = el("p", { class: "problem", role: "alert" });
    const button = el("button", { type: "button", class: "danger", onclick: () => this.#delete(told) }, "Delete this topic");
    return el("section", { class: "end", "aria-label": "Delete" }, button, told);
  }

  async #delete(told) {
    if (!confirm(`Delete ${this.name} with all its records?`)) return;
    try {
      await call("DELETE", topicPath(this.name));
      this.#missing("This topic was deleted.");
      await this.explorer.readTopics();
    } catch (error) {
      tell(told, error.message);
    }
  }

  #cannot(error) {
    this.problem.replaceChildren(el("p", {}, error.message), el("button", { type: "button", onclick: () => this.read() }, "Try again"));
  }

  #missing(text) {
    this.there.hidden = true;
    this.partitions = 0;
    this.#read.clear();
    this.log.clear();
    this.logs.draw();
    const make = this.#planned();
    this.problem.replaceChildren(el("p", {}, text), el("button", { type: "button", class: "main", onclick: () => this.#create(make) }, `Create it with ${plural(make.partitions, "partition")}`));
  }

  // A guided task says how to create its topics.
  #planned() {
    const scenario = this.explorer.scenario(this.explorer.address.state.task);
    const topics = scenario ? [scenario.topic, ...scenario.steps.map((step) => step.topic)] : [];
    return topics.find((topic) => topic && this.explorer.named(topic.name) === this.name) ?? { partitions: 3, settings: {} };
  }

  async #create({ partitions, settings }) {
    try {
      await call("POST", "/api/kafka/topics", { name: this.name, partitions, replicas: 1, settings });
      await this.explorer.readTopics();
      await this.read();
      this.explorer.say(`Topic ${this.name} is there.`);
    } catch (error) {
      this.problem.append(el("p", {}, error.message));
    }
  }

  // Records

  // Read what came while the stream was not connected, in logs that show their newest records. Newer
  // ones may have come by the stream since: what is not known lies before them then.
  async #catchUp() {
    for (const partition of this.#read) {
      const log = this.log.partitions[partition];
      if (log?.follows && log.lacks(FIRST_PAGE)) await this.#readNewest(partition);
    }
  }

  async #seen(partition) {
    const log = this.log.partitions[partition];
    if (this.#read.has(partition) || !log.isKnown) return;
    this.#read.add(partition);
    log.awaits(true);
    await this.#readNewest(partition);
    log.awaits(false);
    this.#tell();
  }

  #readNewest(partition) {
    const log = this.log.partitions[partition];
    return log.end > log.start ? this.#readPage(partition, Math.max(log.start, log.end - FIRST_PAGE)) : null;
  }

  async #readOlder(partition) {
    const log = this.log.partitions[partition];
    const from = Math.max(log.start, log.from - PAGE);
    if (from < log.from) await this.#readPage(partition, from, log.from - from);
  }

  async #readPage(partition, offset, limit = PAGE) {
    let page;
    try {
      page = await call("GET", `${topicPath(this.name)}/records?partition=${partition}&offset=${offset}&limit=${limit}`);
    } catch (error) {
      this.#read.delete(partition);
      if (!this.#isClosed) this.#cannot(error);
      return;
    }
    // Another topic may be shown by now, or this one may be gone.
    if (this.#isClosed || !this.log.partitions[partition]) return;
    const log = this.log.partitions[partition];
    this.log.add({ records: page.records.map(kept), gaps: page.gaps.map(([from, to]) => ({ partition, from, to })) });
    log.bounds(page.start, page.end);
    this.#tell();
  }

  #choose(record) {
    const hasKey = record.key !== null && record.key !== undefined;
    const places = hasKey && isWhole(record.key) ? placement(bytesOf(record.key), this.partitions) : null;
    const noPlace = hasKey ? "the key is too long to be hashed here" : "nothing to hash";
    const key = el("bdi", { class: "swatch" }, wordsOf(record.key));
    paint(key, record.key);
    const rows = [
      ["Key", key],
      ["Value", el("code", {}, el("bdi", {}, wordsOf(record.value, "null")), record.cut ? " …" : "")],
      ["Written", new Date(record.timestamp_ms).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" })],
      ["Headers", record.headers?.length ? record.headers.map(([name, value]) => `${name}=${wordsOf(value, "null")}`).join(", ") : "none"],
      ["By crc32", places ? `${counted(places.crc32Hash)} mod ${this.partitions} = ${places.crc32}` : noPlace],
      ["By murmur2", places ? `${counted(places.murmur2Hash)} mod ${this.partitions} = ${places.murmur2}` : noPlace],
    ];
    this.record.hidden = false;
    this.record.replaceChildren(
      el("h3", {}, `Partition ${record.partition}, offset ${counted(record.offset)}`),
      el("dl", {}, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    );
  }
}
