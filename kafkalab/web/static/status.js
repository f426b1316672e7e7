// Shows in a few words whether the page is live.

import { el } from "./dom.js";

export class Status {
  #timer = null;

  constructor(element, stream) {
    this.element = element;
    this.stream = stream;
    stream.on("status", (status) => this.#draw(status));
  }

  /** Show why the page has no data yet. */
  cannotBegin(error) {
    this.#show("waiting", error.message);
  }

  #draw(status) {
    clearInterval(this.#timer);
    if (status.state === "live") this.#show("live", "live");
    else if (status.state === "gone") this.#show("gone", "the broker does not answer");
    else if (status.state === "waiting") this.#wait(status);
    else if (status.state === "crowded") this.#show("waiting", "not live: too many tabs show other topics");
    else this.#show("waiting", "connecting");
  }

  // A screen reader reads the text once; the countdown is for eyes only.
  #wait({ until }) {
    const count = el("span", { "aria-hidden": "true" });
    const retry = el("button", { type: "button", onclick: () => this.stream.retry() }, "try now");
    this.#show("waiting", "not connected", count, retry);
    const tick = () => {
      const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      count.textContent = left ? `, next try in ${left} s` : ", trying";
    };
    tick();
    this.#timer = setInterval(tick, 500);
  }

  #show(state, text, ...more) {
    if (this.element.dataset.state === state && this.element.dataset.text === text && !more.length) return;
    Object.assign(this.element.dataset, { state, text });
    this.element.replaceChildren(el("span", { class: "dot", "aria-hidden": "true" }), text, ...more);
  }
}
