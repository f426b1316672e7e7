// A group's past as the page knows it: owners, changes, and the lag. It draws nothing.

const MOST_LOOKS = 1200;
const MOST_CHANGES = 2000;

/** A name for a partition in a group. */
export function placeOf(topic, partition) {
  return `${topic}-${partition}`;
}

export class Timeline {
  looks = [];
  changes = [];
  #known = new Map();

  /** Forget all, for another group. */
  clear() {
    this.looks = [];
    this.changes = [];
    this.#known.clear();
  }

  /** Add a look: the state of the group at a time, in seconds of the server's clock. */
  look(look) {
    insert(this.looks, look, MOST_LOOKS);
    this.#known.clear();
  }

  /** Add a change of a member: assign, revoke, lost, join or leave. */
  change(change) {
    insert(this.changes, change, MOST_CHANGES);
    this.#known.clear();
  }

  get from() {
    return Math.min(this.looks[0]?.time ?? Infinity, this.changes[0]?.time ?? Infinity);
  }

  get to() {
    return Math.max(this.looks.at(-1)?.time ?? -Infinity, this.changes.at(-1)?.time ?? -Infinity);
  }

  /** Whether the group has never had a member or a commit. */
  get isEmpty() {
    return this.changes.length === 0 && this.places().length === 0 && this.members().length === 0;
  }

  /** All partitions in looks or changes, in order. */
  places() {
    return this.#once("places", () => this.#foundPlaces());
  }

  #foundPlaces() {
    const places = new Map();
    const add = (topic, partition) => places.set(placeOf(topic, partition), [topic, partition]);
    const owned = [...this.changes, ...this.looks.flatMap((look) => look.members)];
    for (const { partitions } of owned) for (const [topic, partition] of partitions) add(topic, partition);
    for (const look of this.looks) for (const each of look.partitions) add(each.topic, each.partition);
    return [...places]
      .sort(([, a], [, b]) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]))
      .map(([id, [topic, partition]]) => ({ id, topic, partition }));
  }

  /** The members by name, in the order in which they were first seen. */
  members() {
    return this.#once("members", () => this.#foundMembers());
  }

  #foundMembers() {
    const names = new Set();
    const moments = [
      ...this.changes.map((change) => [change.time, [change.member]]),
      ...this.looks.map((look) => [look.time, look.members.map((member) => member.name)]),
    ].sort((a, b) => a[0] - b[0]);
    for (const [, those] of moments) for (const name of those) names.add(name);
    return [...names];
  }

  /** The owner of each partition over time: [{place, member, from, to}], by time.
   *
   *  The server's own members report each change when it happens. Other members are seen only in
   *  looks, once a second. Looks are ignored for a member that reports changes. */
  spans() {
    return this.#once("spans", () => this.#foundSpans());
  }

  #foundSpans() {
    const told = new Set(this.changes.map((change) => change.member));
    const owners = new Map();
    const spans = [];
    const end = (place, time, member) => {
      const open = owners.get(place);
      if (!open || (member !== undefined && open.member !== member)) return;
      owners.delete(place);
      if (time > open.from) spans.push({ ...open, to: time });
    };
    const begin = (place, time, member) => {
      if (owners.get(place)?.member === member) return;
      end(place, time);
      owners.set(place, { place, member, from: time });
    };
    for (const moment of this.#moments()) {
      if (moment.kind === "look") this.#applyLook(moment, told, owners, begin, end);
      else if (moment.kind === "assign") {
        for (const [topic, partition] of moment.partitions) begin(placeOf(topic, partition), moment.time, moment.member);
      } else if (moment.kind === "revoke" || moment.kind === "lost") {
        for (const [topic, partition] of moment.partitions) end(placeOf(topic, partition), moment.time, moment.member);
      } else if (moment.kind === "leave") {
        for (const [place, open] of [...owners]) if (open.member === moment.member) end(place, moment.time);
      }
    }
    for (const open of owners.values()) spans.push({ ...open, to: this.to });
    return spans.sort((a, b) => a.from - b.from);
  }

  /** The group at a time: {time, state, members, rows: [{place, topic, partition, owner, committed, end, lag}]}. */
  at(time) {
    const look = last(this.looks, time);
    const measured = new Map((look?.partitions ?? []).map((each) => [placeOf(each.topic, each.partition), each]));
    const spans = this.spans();
    const rows = this.places().map(({ id, topic, partition }) => {
      const owner = spans.find((span) => span.place === id && span.from <= time && time <= span.to && (span.to > time || span.to === this.to));
      const { committed = null, end = null, lag = null } = measured.get(id) ?? {};
      return { place: id, topic, partition, owner: owner?.member ?? null, committed, end, lag };
    });
    return { time, state: look?.state ?? "unknown", protocol: look?.protocol ?? "", members: look?.members ?? [], rows };
  }

  /** The lag of the whole group over time: [[time, lag or null]]; null if no partition has a commit. */
  lag() {
    return this.looks.map((look) => {
      const known = look.partitions.map((each) => each.lag).filter((lag) => lag !== null);
      return [look.time, known.length ? known.reduce((sum, lag) => sum + lag, 0) : null];
    });
  }

  // One picture asks for the same several times.
  #once(name, find) {
    if (!this.#known.has(name)) this.#known.set(name, find());
    return this.#known.get(name);
  }

  #moments() {
    const moments = [...this.changes, ...this.looks.map((look) => ({ ...look, kind: "look" }))];
    return moments.sort((a, b) => a.time - b.time);
  }

  #applyLook(look, told, owners, begin, end) {
    const seen = new Map();
    for (const member of look.members) {
      if (told.has(member.name)) continue;
      for (const [topic, partition] of member.partitions) seen.set(placeOf(topic, partition), member.name);
    }
    for (const [place, open] of [...owners]) {
      if (!told.has(open.member) && seen.get(place) !== open.member) end(place, look.time);
    }
    for (const [place, member] of seen) begin(place, look.time, member);
  }
}

function insert(list, item, most) {
  let at = list.length;
  while (at > 0 && list[at - 1].time > item.time) at -= 1;
  // The same item can come from the kept past and from the stream.
  for (let same = at - 1; same >= 0 && list[same].time === item.time; same -= 1) {
    if (JSON.stringify(list[same]) === JSON.stringify(item)) return;
  }
  list.splice(at, 0, item);
  if (list.length > most) list.splice(0, list.length - most);
}

function last(looks, time) {
  for (let at = looks.length - 1; at >= 0; at -= 1) if (looks[at].time <= time) return looks[at];
  return looks[0];
}
