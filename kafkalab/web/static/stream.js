// This tab's end of the stream: it asks for topics and groups, and hands on their events.

import { Hub } from "./stream_hub.js";

const HERE_EACH = 20000;

/** The stream, through the worker that all tabs share; without SharedWorker, of this tab alone. */
export class Stream {
  #followers = new Map();
  #want = { topics: [], groups: [] };

  constructor() {
    this.port = connected();
    this.port.onmessage = ({ data }) => this.#hand(data);
    addEventListener("pagehide", () => this.port.postMessage({ bye: true }));
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.port.postMessage({ want: this.#want });
    });
    setInterval(() => this.port.postMessage({ here: true }), HERE_EACH);
  }

  /** Call a follower with the data of each event of this name; returns a function that ends this. */
  on(event, follower) {
    if (!this.#followers.has(event)) this.#followers.set(event, new Set());
    this.#followers.get(event).add(follower);
    return () => this.#followers.get(event).delete(follower);
  }

  /** Follow these topics and groups, and no others. */
  want(topics, groups) {
    const want = { topics, groups };
    if (JSON.stringify(want) === JSON.stringify(this.#want) && this.hasAsked) return;
    this.hasAsked = true;
    this.#want = want;
    this.port.postMessage({ want });
  }

  /** Connect now, without waiting. */
  retry() {
    this.port.postMessage({ retry: true });
  }

  #hand(messages) {
    for (const { event, data } of messages) {
      for (const follower of this.#followers.get(event) ?? []) follower(data);
    }
    // Ask for the next batch when this one is drawn; a hidden tab draws nothing.
    const drawn = () => this.port.postMessage({ drawn: true });
    if (document.hidden) setTimeout(drawn, 1000);
    else requestAnimationFrame(drawn);
  }
}

function connected() {
  if (typeof SharedWorker === "function") {
    const worker = new SharedWorker("/static/stream_worker.js", { type: "module", name: "kafkalab" });
    worker.port.start();
    return worker.port;
  }
  const { port1, port2 } = new MessageChannel();
  new Hub().join(port2);
  return port1;
}
