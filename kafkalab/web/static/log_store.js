// The records of a topic that the page keeps: bounded, however many the topic holds.

import { idOf, isWhole } from "./keys.js";

/** How many records of one partition, and of a whole topic, are kept. */
export const MOST = 2000;
export const MOST_IN_ALL = 20000;

/** One partition: records and gaps by offset, each once. */
export class PartitionLog {
  constructor(most = MOST) {
    this.most = most;
    this.records = [];
    this.gaps = [];
    this.start = 0;
    this.end = 0;
    this.dropped = 0;
    /** Whether the start and end of the log are known. */
    this.isKnown = false;
    /** Whether the newest records are shown. If so a full log drops its oldest records, else its newest. */
    this.follows = true;
    this.#cells = null;
    this.#isAwaited = false;
  }

  #cells;
  #isAwaited;

  /** Set whether the first page is being read: until it comes, nothing is drawn as unread. */
  awaits(isAwaited) {
    this.#isAwaited = isAwaited;
    this.#cells = null;
  }

  /** The first offset of a known record or gap; the log's start if there is none. */
  get from() {
    const known = [this.records[0]?.offset, this.gaps[0]?.[0]].filter((offset) => offset !== undefined);
    return known.length ? Math.min(...known) : this.start;
  }

  /** Whether one of the newest `count` offsets is not known; a full log is not asked for more. */
  lacks(count) {
    const first = Math.max(this.start, this.end - Math.min(count, this.most));
    return this.from > first || this.cells().some((cell) => cell.unread && cell.unread[1] > first);
  }

  /** Add records; known ones are ignored. */
  add(records) {
    this.#cells = null;
    for (const record of [...records].sort((a, b) => a.offset - b.offset)) {
      const at = this.#place(record.offset);
      if (this.records[at]?.offset === record.offset) continue;
      this.records.splice(at, 0, record);
      this.end = Math.max(this.end, record.offset + 1);
    }
    this.#bound();
  }

  /** Add a gap: offsets from `from` up to but not including `to`, without a record for a reader. */
  addGap(from, to) {
    if (to <= from) return;
    this.#cells = null;
    let gap = [from, to];
    const others = [];
    for (const each of this.gaps) {
      if (each[1] < gap[0] || each[0] > gap[1]) others.push(each);
      else gap = [Math.min(each[0], gap[0]), Math.max(each[1], gap[1])];
    }
    this.gaps = [...others, gap].sort((a, b) => a[0] - b[0]);
    this.end = Math.max(this.end, gap[1]);
  }

  /** Set the start and end of the log, as the broker gives them. */
  bounds(start, end) {
    this.isKnown ||= start !== null;
    const [oldStart, oldEnd] = [this.start, this.end];
    this.start = start ?? this.start;
    this.end = Math.max(this.end, end ?? 0);
    if (this.start === oldStart && this.end === oldEnd) return;
    this.#cells = null;
    const first = this.#place(this.start);
    this.records.splice(0, first);
    this.gaps = this.gaps.filter((gap) => gap[1] > this.start);
  }

  /** The cells to draw, in order: {record}, {gap: [from, to]} or {unread: [from, to]}. */
  cells() {
    this.#cells ??= this.#drawn();
    return this.#cells;
  }

  #drawn() {
    const cells = [];
    if (this.#isAwaited && this.records.length + this.gaps.length === 0) return cells;
    let next = this.from;
    const unread = (to) => {
      if (to > next) cells.push({ unread: [next, to] });
    };
    let gap = 0;
    const gapsBefore = (offset) => {
      for (; gap < this.gaps.length && this.gaps[gap][0] < offset; gap += 1) {
        const [from, to] = this.gaps[gap];
        if (to <= next) continue;
        unread(from);
        cells.push({ gap: [Math.max(from, next), to] });
        next = to;
      }
    };
    for (const record of this.records) {
      gapsBefore(record.offset);
      unread(record.offset);
      cells.push({ record });
      next = record.offset + 1;
    }
    gapsBefore(Infinity);
    unread(this.end);
    return cells;
  }

  #place(offset) {
    let [low, high] = [0, this.records.length];
    // A new record is nearly always newer than all others.
    if (high && this.records[high - 1].offset < offset) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.records[middle].offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #bound() {
    const over = this.records.length - this.most;
    if (over <= 0) return;
    this.dropped += over;
    // Dropped records are read again when needed.
    if (this.follows) {
      this.records.splice(0, over);
      const first = this.records[0].offset;
      this.gaps = this.gaps.filter((gap) => gap[1] > first);
    } else {
      this.records.length = this.most;
      const last = this.records[this.most - 1].offset;
      this.gaps = this.gaps.filter((gap) => gap[0] < last);
    }
  }
}

/** A topic: its partitions, and the keys seen, the newest last. */
export class LogStore {
  constructor(partitions, { mostInAll = MOST_IN_ALL, mostKeys = 200 } = {}) {
    this.mostInAll = mostInAll;
    this.mostKeys = mostKeys;
    this.partitions = [];
    this.keys = new Map();
    this.skipped = 0;
    this.grow(partitions);
  }

  /** Grow to `count` partitions; their number never falls. */
  grow(count) {
    const most = Math.max(50, Math.min(MOST, Math.floor(this.mostInAll / Math.max(1, count))));
    while (this.partitions.length < count) this.partitions.push(new PartitionLog(most));
    for (const log of this.partitions) log.most = most;
  }

  /** Forget all: the topic is gone. */
  clear() {
    this.partitions.length = 0;
    this.keys.clear();
    this.skipped = 0;
  }

  /** The number of records that the view dropped or the server left out. */
  get dropped() {
    return this.skipped + this.partitions.reduce((sum, log) => sum + log.dropped, 0);
  }

  /** Add what came from the stream or in a page of records. */
  add({ records = [], gaps = [], ends = {}, skipped = 0 }) {
    this.skipped += skipped;
    const highest = Math.max(
      -1,
      ...records.map((record) => record.partition),
      ...gaps.map((gap) => gap.partition),
      ...Object.keys(ends).map(Number),
    );
    if (highest >= this.partitions.length) this.grow(highest + 1);
    for (const [partition, those] of grouped(records)) this.partitions[partition].add(those);
    for (const gap of gaps) this.partitions[gap.partition].addGap(gap.from, gap.to);
    for (const [partition, end] of Object.entries(ends)) this.partitions[partition].bounds(null, end);
    for (const record of records) this.#remember(record.key);
  }

  #remember(key) {
    if (key === null || key === undefined || !isWhole(key)) return;
    const id = idOf(key);
    this.keys.delete(id);
    this.keys.set(id, key);
    if (this.keys.size > this.mostKeys) this.keys.delete(this.keys.keys().next().value);
  }
}

function grouped(records) {
  const groups = new Map();
  for (const record of records) {
    if (!groups.has(record.partition)) groups.set(record.partition, []);
    groups.get(record.partition).push(record);
  }
  return groups;
}
