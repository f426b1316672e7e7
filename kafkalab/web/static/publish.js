// Publish with a key: both hashes of the key, and the partition where the record lands.

import { call, topicPath } from "./api.js";
import { counted, el, field, plural, select, tell } from "./dom.js";
import { placement, utf8 } from "./hashes.js";
import { paint } from "./keys.js";

const PARTITIONERS = [
  ["consistent_random", "crc32 (librdkafka)"],
  ["murmur2_random", "murmur2 (Java)"],
];
const HOW_MANY = [
  ["1", "1 record"],
  ["10", "10 with this key"],
  ["3x10", "30 of 3 keys"],
  ["20x10", "200 of 20 keys"],
];
const RATES = [
  ["0", "once"],
  ["5", "5 a second"],
  ["50", "50 a second"],
];
const KINDS = [
  ["text", "this key"],
  ["null", "no key"],
];
const TICK = 400;

export class Publish {
  #timer = null;
  #sent = 0;

  constructor(explorer, view) {
    this.explorer = explorer;
    this.view = view;
    const changed = () => this.drawHashes();
    this.key = el("input", { name: "key", value: "anna", autocomplete: "off", spellcheck: "false", oninput: changed });
    this.kind = select({ name: "kind", onchange: changed }, KINDS);
    this.value = el("input", { name: "value", value: "hello", autocomplete: "off" });
    this.partitioner = select({ name: "partitioner", onchange: changed }, PARTITIONERS);
    this.partition = el("input", { name: "partition", type: "number", min: 0, placeholder: "by the key", oninput: changed });
    this.many = select({ name: "many", onchange: changed }, HOW_MANY);
    this.rate = select({ name: "rate" }, RATES);
    this.button = el("button", { class: "main" }, "Publish");
    this.hashes = el("div", { class: "hashes" });
    this.told = el("p", { class: "result" });
    this.problem = el("p", { class: "problem", role: "alert" });
    this.element = el(
      "section",
      { class: "publish", id: "publish", "aria-labelledby": "publish-title" },
      el("h2", { id: "publish-title" }, "Publish"),
      el(
        "form",
        { onsubmit: (event) => this.#submit(event) },
        el("div", { class: "fields" }, field("Key", this.key), field("Value", this.value), field("Partitioner", this.partitioner), this.button),
        el(
          "details",
          { class: "options" },
          el("summary", {}, "More: how many, how often, no key, a partition you name"),
          el("div", { class: "fields" }, field("How many", this.many), field("How often", this.rate), field("Sent with", this.kind), field("Partition", this.partition)),
        ),
        this.problem,
      ),
      this.hashes,
      this.told,
    );
    this.drawHashes();
  }

  close() {
    this.#stop();
  }

  /** Show where both hashes put the key in the form. */
  drawHashes() {
    const count = Math.max(1, this.view.partitions);
    const hasKey = this.kind.value === "text";
    this.key.disabled = !hasKey;
    if (!hasKey) {
      this.hashes.replaceChildren(el("p", { class: "small" }, "Without a key there is nothing to hash: the client chooses a partition."));
      return;
    }
    const bytes = utf8(this.key.value);
    const places = placement(bytes, count);
    const isNamed = this.partition.value !== "";
    const isCrc = this.partitioner.value === "consistent_random";
    this.hashes.replaceChildren(
      this.#hash("crc32", "crc32(key)", places.crc32Hash, count, places.crc32, isCrc && !isNamed),
      this.#hash("murmur2", "murmur2(key) & 0x7fffffff", places.murmur2Hash, count, places.murmur2, !isCrc && !isNamed),
    );
  }

  #hash(name, formula, hash, count, partition, isChosen) {
    const key = el("bdi", { class: "swatch" }, this.key.value === "" ? "empty key" : this.key.value);
    paint(key, { text: this.key.value });
    return el(
      "p",
      { class: isChosen ? "hash chosen" : "hash", "data-hash": name },
      el("span", { class: "name" }, name, isChosen ? el("span", { class: "unseen" }, ", the one that is used") : null),
      key,
      el("span", { class: "sum" }, `${formula} = ${counted(hash)}`),
      el("span", { class: "sum" }, `mod ${counted(count)} = `, el("b", {}, String(partition))),
    );
  }

  #submit(event) {
    event.preventDefault();
    if (this.#timer) {
      this.#stop();
      return;
    }
    const rate = Number(this.rate.value);
    if (rate) this.#keepOn(rate);
    else this.#send(this.#records());
  }

  // Send the next lot when the last one is acknowledged, so that a slow broker is not flooded.
  #keepOn(rate) {
    tell(this.button, "Stop");
    const lot = Math.max(1, Math.round((rate * TICK) / 1000));
    const tick = async () => {
      const records = Array.from({ length: lot }, () => this.#next());
      const begun = performance.now();
      const went = await this.#send(records);
      if (!went || !this.#timer) this.#stop();
      else this.#timer = setTimeout(tick, Math.max(0, TICK - (performance.now() - begun)));
    };
    this.#timer = setTimeout(tick, 0);
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    tell(this.button, "Publish");
  }

  #next() {
    const [keys] = this.many.value.split("x");
    this.#sent += 1;
    return this.many.value.includes("x") ? this.#record(`user-${this.#sent % Number(keys)}`, this.#sent) : this.#record(this.key.value, this.#sent);
  }

  #records() {
    const [first, each] = this.many.value.split("x").map(Number);
    if (!each) return Array.from({ length: first }, () => this.#record(this.key.value));
    return Array.from({ length: first * each }, (_, at) => this.#record(`user-${at % first}`, at));
  }

  #record(key, number) {
    const isNamed = this.partition.value !== "";
    return {
      key: this.kind.value === "text" ? { text: key } : null,
      value: { text: number === undefined ? this.value.value : `${this.value.value} ${number}` },
      ...(isNamed ? { partition: this.partition.valueAsNumber } : {}),
    };
  }

  async #send(records) {
    tell(this.problem, "");
    const isStream = Boolean(this.#timer);
    this.button.disabled = !isStream;
    try {
      const answer = await call("POST", `${topicPath(this.view.name)}/records`, { records, partitioner: this.partitioner.value });
      this.#landed(records, answer, isStream);
      return true;
    } catch (error) {
      tell(this.problem, error.message);
      return false;
    } finally {
      this.button.disabled = false;
    }
  }

  #landed(records, reports, isStream) {
    const refused = reports.filter((report) => report.error);
    if (refused.length) {
      tell(this.problem, `${plural(refused.length, "record")} of ${counted(reports.length)} failed: ${refused[0].error}`);
    }
    const landed = reports.filter((report) => !report.error);
    if (!landed.length) return;
    // A stream of records does not scroll the logs.
    this.view.logs.mark(landed, { reveal: !isStream });
    const text = landed.length === 1 ? this.#one(records[0], landed[0]) : `${plural(landed.length, "record")} landed: ${spread(landed)}.`;
    tell(this.told, text);
    // A screen reader does not read out a stream of records.
    if (!isStream) this.explorer.say(text);
  }

  #one(record, report) {
    const where = `Landed in partition ${report.partition} at offset ${counted(report.offset)}`;
    if (record.partition !== undefined) return `${where}: you named the partition.`;
    if (record.key === null) return `${where}: it has no key.`;
    const names = ["crc32", "murmur2"].filter((name) => report[name] === report.partition);
    return `${where}${names.length ? `, where ${names.join(" and ")} ${names.length > 1 ? "put" : "puts"} it` : ""}.`;
  }
}

function spread(reports) {
  const counts = new Map();
  for (const { partition } of reports) counts.set(partition, (counts.get(partition) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => a[0] - b[0])
    .map(([partition, count]) => `${counted(count)} in partition ${partition}`)
    .join(", ");
}
