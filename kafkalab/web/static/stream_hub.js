// One event stream for all tabs of a browser: HTTP/1.1 allows six connections to a server, and
// each tab would take one. The hub runs in a SharedWorker, or in the tab if there is no worker.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
// A tab sends a sign of life every 20 s; a hidden tab may do so only once a minute.
const FORGOTTEN_AFTER = 150000;
const MOST_WAITING = 2000;
// The server's limits for one stream.
const MOST_TOPICS = 16;
const MOST_GROUPS = 8;
export const EVENTS = ["hello", "topics", "records", "group", "change", "gone", "back"];

/** How long to wait before the nth attempt, in ms: it doubles, has a bound, and is spread. */
export function waitBefore(attempt, random = Math.random) {
  const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1));
  return Math.round(wait * (0.5 + random() / 2));
}

/** The wishes of several tabs as one, up to the limits of a stream; the newest tab has priority. */
export function union(wants) {
  const newest = [...wants].reverse();
  const all = (name, most) => [...new Set(newest.flatMap((want) => want[name] ?? []))].slice(0, most).sort();
  return { topics: all("topics", MOST_TOPICS), groups: all("groups", MOST_GROUPS) };
}

/** The address of the stream for these topics and groups. */
export function addressOf({ topics, groups }) {
  const told = new URLSearchParams();
  for (const topic of topics) told.append("topic", topic);
  for (const group of groups) told.append("group", group);
  return `/api/kafka/events?${told}`;
}

/** The events that wait for one tab. A tab reports when it has drawn a batch, and gets the next one
 *  then: so a slow tab delays no other. Too many records: the oldest are dropped and counted. Too
 *  many changes: the oldest are dropped. Of looks and lists only the newest is kept. */
export class Outbox {
  #waiting = new Map();
  #changes = [];
  #isBusy = false;

  constructor(send, most = MOST_WAITING) {
    this.send = send;
    this.most = most;
  }

  put({ event, data }) {
    if (event === "change") {
      this.#changes.push({ event, data });
      if (this.#changes.length > this.most) this.#changes.shift();
    } else if (event === "records") {
      const name = `${event} ${data.topic}`;
      this.#waiting.set(name, { event, data: this.#joined(this.#waiting.get(name)?.data, data) });
    } else {
      const name = `${event} ${data.group ?? ""}`;
      this.#waiting.delete(name);
      this.#waiting.set(name, { event, data });
    }
    this.#flush();
  }

  /** The tab has drawn its batch. */
  drawn() {
    this.#isBusy = false;
    this.#flush();
  }

  #joined(before, data) {
    if (!before) before = { records: [], gaps: [], ends: {}, skipped: 0 };
    const records = [...before.records, ...data.records];
    const over = Math.max(0, records.length - this.most);
    return {
      topic: data.topic,
      records: records.slice(over),
      gaps: [...before.gaps, ...(data.gaps ?? [])].slice(-this.most),
      ends: { ...before.ends, ...data.ends },
      skipped: before.skipped + (data.skipped ?? 0) + over,
    };
  }

  #flush() {
    if (this.#isBusy || this.#waiting.size + this.#changes.length === 0) return;
    const messages = [...this.#waiting.values(), ...this.#changes];
    this.#waiting.clear();
    this.#changes = [];
    this.#isBusy = true;
    this.send(messages);
  }
}

/** Holds the stream, and hands each tab the events that it wants. */
export class Hub {
  #tabs = new Map();
  #source = null;
  #address = "";
  #wanted = { topics: [], groups: [] };
  #attempt = 0;
  #timer = null;
  #status = { state: "connecting" };

  constructor({ open = (address) => new EventSource(address), now = () => Date.now() } = {}) {
    this.open = open;
    this.now = now;
  }

  /** Add a tab, which sends and receives through this port. */
  join(port) {
    const tab = { want: {}, seen: this.now(), outbox: new Outbox((messages) => port.postMessage(messages)) };
    this.#tabs.set(port, tab);
    port.onmessage = ({ data }) => this.#heard(port, tab, data);
    this.#sayTo(tab);
  }

  #heard(port, tab, told) {
    tab.seen = this.now();
    if (told.drawn) tab.outbox.drawn();
    if (told.bye) this.#tabs.delete(port);
    if (told.want) {
      // Move the tab to the end: it is the newest now.
      this.#tabs.delete(port);
      this.#tabs.set(port, tab);
      tab.want = told.want;
    }
    if (told.want || told.bye || told.here) this.#follow();
    if (told.retry && !this.#source) this.#connect();
  }

  /** Open another stream if the tabs together want other topics or groups. */
  #follow() {
    for (const [port, tab] of this.#tabs) {
      if (this.now() - tab.seen > FORGOTTEN_AFTER) this.#tabs.delete(port);
    }
    this.#wanted = union([...this.#tabs.values()].map((tab) => tab.want));
    const address = this.#tabs.size ? addressOf(this.#wanted) : "";
    if (address === this.#address) return;
    this.#address = address;
    this.#close();
    if (address) this.#connect();
  }

  #connect() {
    clearTimeout(this.#timer);
    const source = this.open(this.#address);
    this.#source = source;
    source.onerror = () => this.#lost(source);
    for (const event of EVENTS) {
      source.addEventListener(event, (told) => this.#got(event, told));
    }
  }

  #got(event, told) {
    this.#attempt = 0;
    const data = JSON.parse(told.data);
    if (event === "hello") this.#say({ state: "live" });
    if (event === "gone") this.#say({ state: "gone" });
    if (event === "back") this.#say({ state: "live" });
    for (const tab of this.#tabs.values()) {
      if (isWanted(tab.want, event, data)) tab.outbox.put({ event, data });
    }
  }

  // The browser's own retry has no bound and no jitter, and gives up after some answers.
  #lost(source) {
    if (source !== this.#source) return;
    this.#close();
    this.#attempt += 1;
    const wait = waitBefore(this.#attempt);
    this.#say({ state: "waiting", until: this.now() + wait, attempt: this.#attempt });
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #say(status) {
    this.#status = status;
    for (const tab of this.#tabs.values()) this.#sayTo(tab);
  }

  #sayTo(tab) {
    const isLeftOut =
      (tab.want.topics ?? []).some((topic) => !this.#wanted.topics.includes(topic)) ||
      (tab.want.groups ?? []).some((group) => !this.#wanted.groups.includes(group));
    const isLive = this.#status.state === "live";
    tab.outbox.put({ event: "status", data: isLive && isLeftOut ? { state: "crowded" } : this.#status });
  }
}

function isWanted(want, event, data) {
  if (event === "records") return (want.topics ?? []).includes(data.topic);
  if (event === "group" || event === "change") return (want.groups ?? []).includes(data.group);
  return true;
}
