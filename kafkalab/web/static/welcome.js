// The page before a topic is chosen.

import { call } from "./api.js";
import { el, tell } from "./dom.js";
import { write } from "./address.js";

export class Welcome {
  #element = null;

  constructor(explorer) {
    this.explorer = explorer;
  }

  draw(main) {
    if (this.#element && main.firstChild === this.#element && this.drawn === this.#state()) return;
    this.drawn = this.#state();
    this.#element = this.#made();
    main.replaceChildren(this.#element);
  }

  #state() {
    return `${this.explorer.topics.length > 0} ${this.explorer.scenarios.length}`;
  }

  #made() {
    const { scenarios, topics } = this.explorer;
    return el(
      "div",
      { class: "welcome" },
      el("p", { class: "eyebrow" }, "A real Kafka, drawn as it is"),
      el("h1", {}, "See where records land, and which consumers read them"),
      el("p", { class: "lead" }, "Each partition is a log that fills from the left. Publish a record, watch where its key puts it, start consumers, and drag the time back to see what moved."),
      topics.length ? null : this.#empty(),
      el("h2", {}, "Five guided tasks"),
      el(
        "ol",
        { class: "cards" },
        scenarios.map((scenario) =>
          el(
            "li",
            {},
            el(
              "a",
              { href: write({ topic: this.explorer.named(scenario.topic.name), task: scenario.task, step: 1 }) },
              el("span", { class: "step" }, scenario.task),
              el("strong", {}, scenario.title),
              el("em", {}, scenario.question),
            ),
          ),
        ),
      ),
    );
  }

  #empty() {
    const told = el("p", { class: "problem", role: "alert" });
    const make = async () => {
      try {
        await call("POST", "/api/kafka/topics/provision", { definitions: null });
        await this.explorer.readTopics();
      } catch (error) {
        tell(told, error.message);
      }
    };
    return el(
      "p",
      { class: "empty" },
      "There is no topic yet. ",
      el("button", { type: "button", class: "main", onclick: make }, "Create the five topics of a shop"),
      told,
    );
  }
}
