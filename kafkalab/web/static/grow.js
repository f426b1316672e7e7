// Grow a topic, and see which of its keys move, by both hashes.

import { call, topicPath } from "./api.js";
import { counted, el, field, plural, tell } from "./dom.js";
import { moves } from "./hashes.js";
import { bytesOf, idOf, paint, wordsOf } from "./keys.js";

const MOST_SHOWN = 24;

export class Grow {
  #drawn = "";
  #grown = null;

  constructor(explorer, view) {
    this.explorer = explorer;
    this.view = view;
    this.count = el("input", { name: "count", type: "number", min: 2, max: 1000, required: true, oninput: () => this.draw() });
    this.told = el("p", { class: "result" });
    this.problem = el("p", { class: "problem", role: "alert" });
    this.button = el("button", {}, "Grow the topic");
    this.table = el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Which keys move" });
    this.element = el(
      "details",
      { class: "grow", id: "grow" },
      el("summary", {}, el("h2", {}, "Grow the topic: which keys move?")),
      el(
        "form",
        { class: "fields", onsubmit: (event) => this.#grow(event) },
        field("Partitions in all", this.count),
        this.button,
      ),
      this.problem,
      this.told,
      this.table,
    );
    this.element.addEventListener("toggle", () => this.draw());
  }

  /** Set the present number of partitions. */
  partitionsAre(count) {
    this.count.min = count + 1;
    if (!(this.count.valueAsNumber > count)) this.count.value = count + 1;
    this.draw();
  }

  /** Show the keys that would move, or those that have just moved. */
  draw() {
    if (!this.element.open || !this.view.partitions) return;
    const { from, to } = this.#grown ?? { from: this.view.partitions, to: this.count.valueAsNumber };
    if (!(to > from)) return;
    const keys = [...this.view.log.keys.values()].map((told) => ({ told, bytes: bytesOf(told) }));
    const wanted = JSON.stringify([from, to, Boolean(this.#grown), keys.map((key) => idOf(key.told))]);
    if (wanted === this.#drawn) return;
    this.#drawn = wanted;
    const rows = moves(keys, from, to);
    tell(this.told, this.#summary(rows, from, to));
    this.table.replaceChildren(rows.length ? this.#tableOf(rows, from, to) : "");
    this.table.hidden = !rows.length;
  }

  #summary(rows, from, to) {
    if (!rows.length) return "No key was seen yet: publish some records first.";
    const moving = (name) => rows.filter((row) => row[name].moves).length;
    const verb = this.#grown ? "belong elsewhere now" : "would belong elsewhere";
    return `From ${from} to ${plural(to, "partition")}, of ${plural(rows.length, "key")} seen ${moving("crc32")} ${verb} by crc32, ${moving("murmur2")} by murmur2.`;
  }

  #tableOf(rows, from, to) {
    const shown = rows.slice(-MOST_SHOWN).reverse();
    return el(
      "table",
      {},
      el("caption", {}, rows.length > shown.length ? `The ${shown.length} keys seen last, of ${counted(rows.length)}` : "The keys seen, the last seen first"),
      el("thead", {}, el("tr", {}, ["Key", "crc32", "murmur2"].map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, shown.map((row) => el("tr", {}, this.#key(row), this.#move(row.crc32, from, to), this.#move(row.murmur2, from, to)))),
    );
  }

  #key(row) {
    const swatch = el("bdi", { class: "swatch" }, wordsOf(row.key.told));
    paint(swatch, row.key.told);
    return el("th", { scope: "row" }, swatch);
  }

  #move(move) {
    if (!move.moves) return el("td", { class: "stays" }, `stays in ${move.from}`);
    return el("td", { class: "moves" }, `${move.from} → `, el("b", {}, String(move.to)), el("span", { class: "unseen" }, " moves"));
  }

  async #grow(event) {
    event.preventDefault();
    tell(this.problem, "");
    const [from, to] = [this.view.partitions, this.count.valueAsNumber];
    this.button.disabled = true;
    try {
      await call("PATCH", `${topicPath(this.view.name)}/partitions`, { count: to });
      this.#grown = { from, to };
      this.#drawn = "";
      this.draw();
      this.explorer.say(this.told.textContent);
      await this.view.read();
      await this.explorer.readTopics();
    } catch (error) {
      tell(this.problem, error.message);
    } finally {
      this.button.disabled = false;
    }
    this.count.addEventListener("input", () => { this.#grown = null; }, { once: true, capture: true });
  }
}
