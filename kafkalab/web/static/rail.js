// The navigation: the five tasks, the topics, and the form for a new topic.

import { call } from "./api.js";
import { counted, el, field, tell } from "./dom.js";
import { write } from "./address.js";

const MOST_SHOWN = 300;

export class Rail {
  constructor(element, explorer) {
    this.explorer = explorer;
    this.tasks = el("ol", { class: "tasks" });
    this.filter = el("input", { type: "search", placeholder: "filter", "aria-label": "Filter topics", oninput: () => this.topicsChanged() });
    this.list = el("ul", { class: "topics" });
    this.note = el("p", { class: "small" });
    this.count = el("span", { class: "count" });
    this.making = new NewTopic(explorer);
    element.replaceChildren(
      el("section", { "aria-labelledby": "rail-tasks" }, el("h2", { id: "rail-tasks" }, "Guided tasks"), this.tasks),
      el(
        "section",
        { "aria-labelledby": "rail-topics" },
        el("h2", { id: "rail-topics" }, "Topics ", this.count),
        this.filter,
        this.list,
        this.note,
        this.making.element,
      ),
    );
  }

  /** Draw the list of topics, which has changed. */
  topicsChanged() {
    const { topics } = this.explorer;
    const wanted = this.filter.value.trim().toLowerCase();
    const found = topics.filter((topic) => topic.name.toLowerCase().includes(wanted));
    const { state } = this.explorer.address;
    tell(this.count, counted(topics.length));
    this.filter.hidden = topics.length < 9;
    this.list.replaceChildren(...found.slice(0, MOST_SHOWN).map((topic) => this.#row(topic, state)));
    const left = found.length - MOST_SHOWN;
    tell(this.note, left > 0 ? `and ${counted(left)} more: filter by name` : found.length ? "" : "No topic has this in its name.");
    this.note.hidden = left <= 0 && (found.length > 0 || !wanted);
  }

  draw(state) {
    this.tasks.replaceChildren(...this.explorer.scenarios.map((scenario) => this.#task(scenario, state)));
    for (const link of this.list.querySelectorAll("a")) {
      const isHere = link.dataset.topic === state.topic;
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      link.href = write({ ...state, topic: link.dataset.topic, at: null });
    }
  }

  #row(topic, state) {
    const { name } = topic;
    const attributes = { href: write({ ...state, topic: name, at: null }), "data-topic": name, "aria-current": name === state.topic ? "page" : null };
    return el(
      "li",
      {},
      el(
        "a",
        attributes,
        el("bdi", {}, name),
        el("span", { class: "count" }, counted(topic.partitions), el("span", { class: "unseen" }, " partitions")),
      ),
    );
  }

  #task(scenario, state) {
    const topic = this.explorer.named(scenario.topic.name);
    return el(
      "li",
      {},
      el(
        "a",
        {
          href: write({ topic, group: "", task: scenario.task, step: 1 }),
          "aria-current": scenario.task === state.task ? "true" : null,
        },
        el("span", { class: "step" }, scenario.task),
        scenario.title,
      ),
    );
  }
}

/** The form that creates a topic. */
class NewTopic {
  constructor(explorer) {
    this.explorer = explorer;
    this.name = el("input", { name: "name", required: true, maxlength: 249, pattern: "[a-zA-Z0-9._\\-]+", autocomplete: "off", spellcheck: "false", title: "letters, digits, . _ and -" });
    this.partitions = el("input", { name: "partitions", type: "number", min: 1, max: 1000, value: 3, required: true });
    this.compact = el("input", { name: "compact", type: "checkbox" });
    this.told = el("p", { class: "problem", role: "alert" });
    this.element = el(
      "details",
      { class: "new-topic" },
      el("summary", {}, "New topic"),
      el(
        "form",
        { onsubmit: (event) => this.#make(event) },
        field("Name", this.name),
        field("Partitions", this.partitions),
        el("label", { class: "tick" }, this.compact, "compacted"),
        el("button", { class: "main" }, "Create"),
        this.told,
      ),
    );
  }

  async #make(event) {
    event.preventDefault();
    tell(this.told, "");
    const settings = this.compact.checked ? { "cleanup.policy": "compact" } : {};
    const name = this.name.value;
    try {
      await call("POST", "/api/kafka/topics", { name, partitions: this.partitions.valueAsNumber, replicas: 1, settings });
      await this.explorer.readTopics();
      this.explorer.address.go({ topic: name, at: null });
      this.element.open = false;
      this.name.value = "";
      this.explorer.say(`Topic ${name} is there.`);
    } catch (error) {
      tell(this.told, error.message);
    }
  }
}
