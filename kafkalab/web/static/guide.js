// A task as a few steps: what to do, and what to watch for. At the end come the facts of the task,
// as questions: the answers appear only after a prediction.

import { el, plural } from "./dom.js";
import { write } from "./address.js";

export class Guide {
  #shown = "";

  constructor(element, explorer) {
    this.element = element;
    this.explorer = explorer;
  }

  draw(state) {
    const scenario = this.explorer.scenario(state.task);
    this.element.hidden = !scenario;
    document.body.classList.toggle("has-guide", Boolean(scenario));
    const wanted = scenario ? write({ ...state, at: null }) : "";
    if (wanted === this.#shown) return;
    const hadFocus = this.element.contains(document.activeElement);
    this.#shown = wanted;
    if (!scenario) {
      this.element.replaceChildren();
      return;
    }
    const last = scenario.steps.length + 1;
    const number = this.#step(scenario, state, last);
    this.element.replaceChildren(
      el(
        "header",
        {},
        el("p", { class: "eyebrow" }, `Task ${scenario.task}`),
        el("a", { class: "close", href: write({ ...state, task: "", step: 1, fact: "", at: null }), "aria-label": "Leave the guided task" }, "×"),
        el("h2", {}, scenario.title),
        el("p", { class: "question" }, scenario.question),
      ),
      this.#progress(state, number, last),
      number === last ? this.#facts(scenario, state) : this.#body(scenario, scenario.steps[number - 1], number, state),
      el(
        "p",
        { class: "turn" },
        number > 1 ? el("a", { href: this.#to(state, number - 1), class: "back" }, "Back") : null,
        number < last ? el("a", { href: this.#to(state, number + 1), class: "button" }, number === last - 1 ? "To the facts" : "Next") : null,
      ),
    );
    if (hadFocus) this.element.querySelector("h3").focus();
  }

  // A link from a fact of the learning log opens the step that shows the fact, or else the facts.
  #step(scenario, state, last) {
    if (state.fact && state.step === 1) {
      const at = scenario.steps.findIndex((step) => step.facts.includes(state.fact));
      return at < 0 ? last : at + 1;
    }
    return Math.min(state.step, last);
  }

  #to(state, step) {
    return write({ ...state, step, fact: "", at: null });
  }

  #progress(state, number, last) {
    return el(
      "ol",
      { class: "dots", "aria-label": "Steps" },
      Array.from({ length: last }, (_, at) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: this.#to(state, at + 1), "aria-current": at + 1 === number ? "step" : null },
            el("span", { class: "unseen" }, at + 1 === last ? "The facts" : `Step ${at + 1}`),
          ),
        ),
      ),
    );
  }

  #body(scenario, step, number, state) {
    const facts = scenario.facts.filter((fact) => step.facts.includes(fact.slug));
    return el(
      "section",
      { class: "step-body" },
      el("h3", { tabindex: -1 }, `${number}. ${step.title}`),
      el("h4", {}, "Do"),
      el("ol", { class: "do" }, step.do.map((text) => el("li", {}, prose(text)))),
      el("h4", {}, "Watch"),
      el("ul", { class: "watch" }, step.watch.map((text) => el("li", {}, prose(text)))),
      step.topic ? this.#show(step, state) : null,
      facts.length
        ? el("details", { class: "asked", open: facts.some((fact) => fact.slug === state.fact) }, el("summary", {}, `${plural(facts.length, "question")} on this step`), this.#list(facts, state))
        : null,
    );
  }

  #show(step, state) {
    const topic = this.explorer.named(step.topic.name);
    if (topic === state.topic) return null;
    return el("p", {}, el("a", { href: write({ ...state, topic, at: null }) }, "Show ", el("bdi", {}, topic)));
  }

  #facts(scenario, state) {
    return el(
      "section",
      { class: "step-body" },
      el("h3", { tabindex: -1 }, "What do you expect?"),
      el("p", {}, `Each of the ${scenario.facts.length} facts of this task is a test on a real Kafka. Predict the answer, then run it:`),
      command(`kafkalab learn ${scenario.task}`),
      this.#list(scenario.facts, state),
      el("h4", {}, "All of the task, and your own code"),
      command(scenario.command),
      command(`kafkalab start ${scenario.task}`),
    );
  }

  #list(facts, state) {
    return el(
      "ul",
      { class: "facts" },
      facts.map((fact) =>
        el(
          "li",
          { class: fact.slug === state.fact ? "sought" : null },
          el("p", {}, prose(fact.question)),
          command(fact.command),
        ),
      ),
    );
  }
}

function command(text) {
  return el("p", {}, el("code", { class: "command" }, text));
}

/** A sentence; text between backticks becomes code. */
export function prose(text) {
  return text.split("`").map((part, at) => (at % 2 ? el("code", {}, part) : part));
}
