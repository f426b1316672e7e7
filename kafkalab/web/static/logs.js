// Partitions as logs: a row for each partition, a cell for each record. It draws only what is on the
// screen, and at most once a frame.

import { counted, el, tell } from "./dom.js";
import { paint, wordsOf } from "./keys.js";

const CELL = 96;
const ROW = 70;
const BESIDE = 2;
const NEAR = CELL * 3;

/** Draws a LogStore. */
export class Logs {
  #lanes = new Map();
  #isDue = false;
  #isClosed = false;

  /** `options`: readOlder, readNewest and seen(partition), readAt(partition, range), choose(record). */
  constructor(log, options) {
    this.log = log;
    this.options = options;
    this.inside = el("div", { class: "lanes-inside", role: "list" });
    this.element = el("div", { class: "lanes" }, this.inside);
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.element);
    this.leaders = new Map();
    this.owners = new Map();
    this.committed = new Map();
    this.landed = new Set();
  }

  close() {
    this.#isClosed = true;
    this.resized.disconnect();
  }

  /** Draw in the next frame. */
  draw() {
    if (this.#isDue || this.#isClosed) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      if (!this.#isClosed) this.#draw();
    });
  }

  /** The partitions on the screen or just beside it. */
  shown() {
    return [...this.#lanes.keys()];
  }

  /** Mark records just published, [{partition, offset}]; with `reveal`, scroll to them. */
  mark(places, { reveal }) {
    this.landed = new Set(places.map((place) => `${place.partition}:${place.offset}`));
    if (reveal) {
      this.#reveal(places[0].partition);
      for (const { partition } of places) this.#lanes.get(partition)?.toEnd();
    }
    this.draw();
  }

  /** Move the focus to the lane above or below. */
  focus(partition) {
    if (partition < 0 || partition >= this.log.partitions.length) return;
    this.#reveal(partition);
    this.#draw();
    this.#lanes.get(partition)?.box.focus();
  }

  #reveal(partition) {
    const top = partition * ROW;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.element.scrollTop = top + ROW - clientHeight;
  }

  #draw() {
    const count = this.log.partitions.length;
    this.inside.style.height = `${count * ROW}px`;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW) - BESIDE);
    const last = Math.min(count, Math.ceil((this.element.scrollTop + this.element.clientHeight) / ROW) + BESIDE);
    for (const [partition, lane] of this.#lanes) {
      if (partition >= first && partition < last) continue;
      lane.element.remove();
      this.#lanes.delete(partition);
    }
    for (let partition = first; partition < last; partition += 1) {
      if (!this.#lanes.has(partition)) this.#add(partition);
      this.#lanes.get(partition).draw();
    }
  }

  // Keep the order of the partitions, for screen readers too.
  #add(partition) {
    const lane = new Lane(partition, this);
    this.#lanes.set(partition, lane);
    const next = [...this.inside.children].find((each) => Number(each.dataset.partition) > partition);
    this.inside.insertBefore(lane.element, next ?? null);
    this.options.seen(partition);
  }
}

class Lane {
  #cells = new Map();
  #first = null;
  #toEnd = true;
  #isReading = false;

  constructor(partition, logs) {
    this.partition = partition;
    this.logs = logs;
    this.chosen = null;
    this.owner = el("span", { class: "owner" });
    this.range = el("span", { class: "range" });
    this.newest = el("button", { type: "button", class: "newest", hidden: true, onclick: () => this.toEnd() }, "newest ›");
    this.track = el("div", { class: "track" });
    this.box = el("div", { class: "lane", role: "listbox", tabindex: 0, "aria-orientation": "horizontal", "aria-label": `Records of partition ${partition}` }, this.track);
    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.track.addEventListener("click", (event) => this.#click(event));
    this.element = el(
      "div",
      { class: "partition", role: "listitem", "data-partition": partition },
      el("div", { class: "lane-head" }, el("span", { class: "number" }, el("span", { class: "unseen" }, "Partition "), String(partition)), this.owner, this.range, this.newest),
      this.box,
    );
    this.element.style.top = `${partition * ROW}px`;
  }

  get log() {
    return this.logs.log.partitions[this.partition];
  }

  toEnd() {
    this.#toEnd = true;
    const wasBehind = !this.log.follows;
    this.log.follows = true;
    const last = this.log.cells().at(-1);
    if (wasBehind && last?.unread) this.logs.options.readNewest(this.partition);
    this.logs.draw();
  }

  draw() {
    const { log } = this;
    const cells = log.cells();
    this.#tell(log);
    const width = cells.length * CELL;
    this.track.style.width = `${width}px`;
    this.#hold(cells);
    if (log.follows && this.#toEnd) this.box.scrollLeft = width;
    const { scrollLeft, clientWidth } = this.box;
    const from = Math.max(0, Math.floor(scrollLeft / CELL) - BESIDE);
    const to = Math.min(cells.length, Math.ceil((scrollLeft + clientWidth) / CELL) + BESIDE);
    const wanted = new Set(cells.slice(from, to).map(nameOf));
    for (const [name, element] of this.#cells) {
      if (wanted.has(name)) continue;
      element.remove();
      this.#cells.delete(name);
    }
    let next = this.track.firstElementChild;
    for (let at = from; at < to; at += 1) {
      const name = nameOf(cells[at]);
      const element = this.#cells.get(name) ?? this.#make(cells[at], name);
      // In the order of the log, for screen readers: older records may come later.
      if (element === next) next = element.nextElementSibling;
      else this.track.insertBefore(element, next);
      element.style.transform = `translateX(${at * CELL}px)`;
      element.setAttribute("aria-posinset", at + 1);
      element.setAttribute("aria-setsize", cells.length);
      this.#dress(element, cells[at]);
    }
  }

  // Keep the visible records in place when older ones come or go on their left.
  #hold(cells) {
    const first = cells.length ? nameOf(cells[0]) : null;
    const before = this.#first;
    this.#first = first;
    if (before === null || before === first || this.log.follows) return;
    const at = cells.findIndex((cell) => nameOf(cell) === before);
    if (at > 0) this.box.scrollLeft += at * CELL;
  }

  #tell(log) {
    const { owners, leaders } = this.logs;
    const [owner, leader] = [owners.get(this.partition), leaders.get(this.partition)];
    tell(this.range, log.end > log.start ? `${counted(log.start)} – ${counted(log.end - 1)}` : log.isKnown ? "empty" : "");
    this.range.title = leader === undefined ? "offsets" : `offsets; the leader is broker ${leader}`;
    tell(this.owner, owner ? owner.name : "");
    this.owner.hidden = !owner;
    if (owner) this.owner.style.setProperty("--hue", owner.hue);
    this.newest.hidden = log.follows;
    this.element.classList.toggle("owned", Boolean(owner));
  }

  #make(cell, name) {
    const element = el("div", { class: "cell", role: "option", "aria-selected": "false", id: `p${this.partition}-${name}`, "data-name": name });
    if (cell.record) {
      const { offset, key } = cell.record;
      const words = wordsOf(key);
      element.append(el("span", { class: "offset" }, counted(offset)), el("span", { class: "key" }, el("bdi", {}, ends(words))));
      element.setAttribute("aria-label", `Offset ${offset}, ${key === null || key === undefined ? "no key" : `key ${words}`}, value ${shortened(wordsOf(cell.record.value, "null"), 80)}`);
      paint(element, key);
      // A record published from this page fades in once.
      if (this.logs.landed.has(`${this.partition}:${offset}`)) element.classList.add("landed");
    } else {
      element.classList.add(cell.gap ? "gap" : "unread");
      element.append(el("span", { class: "offset" }), el("span", { class: "key" }, cell.gap ? "no record" : "not read"));
    }
    this.#cells.set(name, element);
    return element;
  }

  #dress(element, cell) {
    const committed = this.logs.committed.get(this.partition);
    const last = cell.record ? cell.record.offset : (cell.gap ?? cell.unread)[1] - 1;
    element.classList.toggle("committed", committed !== undefined && committed !== null && last < committed);
    element.classList.toggle("landed", cell.record !== undefined && this.logs.landed.has(`${this.partition}:${cell.record.offset}`));
    if (!cell.record) {
      // It may have grown, or have been read in part, since it was drawn.
      const [from, to] = cell.gap ?? cell.unread;
      const range = to - from > 1 ? `${counted(from)} – ${counted(to - 1)}` : counted(from);
      tell(element.querySelector(".offset"), range);
      element.setAttribute("aria-label", `Offset ${range}: ${cell.gap ? "no record that a reader is given" : "not read yet"}`);
    }
    const isChosen = this.chosen === nameOf(cell);
    element.setAttribute("aria-selected", String(isChosen));
    if (isChosen) this.box.setAttribute("aria-activedescendant", element.id);
  }

  #scrolled() {
    const { scrollLeft, clientWidth, scrollWidth } = this.box;
    const isAtEnd = scrollLeft + clientWidth >= scrollWidth - CELL / 2;
    if (isAtEnd !== this.log.follows) {
      this.log.follows = isAtEnd;
      this.#toEnd = isAtEnd;
    }
    if (scrollLeft < NEAR && !isAtEnd) this.#readOlder();
    this.logs.draw();
  }

  async #readOlder() {
    if (this.#isReading || this.log.from <= this.log.start) return;
    this.#isReading = true;
    try {
      await this.logs.options.readOlder(this.partition);
    } finally {
      this.#isReading = false;
    }
  }

  #click(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const at = this.log.cells().findIndex((each) => nameOf(each) === cell.dataset.name);
    if (at >= 0) this.#choose(at);
  }

  #key(event) {
    const cells = this.log.cells();
    const at = cells.findIndex((cell) => nameOf(cell) === this.chosen);
    const page = Math.max(1, Math.floor(this.box.clientWidth / CELL) - 1);
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -page, PageDown: page };
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      this.logs.focus(this.partition + (event.key === "ArrowUp" ? -1 : 1));
    } else if (event.key === "Home" || event.key === "End") {
      this.#choose(event.key === "Home" ? 0 : cells.length - 1);
    } else if (steps[event.key]) {
      const start = at < 0 ? (steps[event.key] < 0 ? cells.length : cells.length - 2) : at;
      this.#choose(Math.min(cells.length - 1, Math.max(0, start + steps[event.key])));
      if (at === 0 && steps[event.key] < 0) this.#readOlder();
    } else return;
    event.preventDefault();
  }

  #choose(at) {
    const cell = this.log.cells()[at];
    if (!cell) return;
    this.chosen = nameOf(cell);
    const left = at * CELL;
    const { scrollLeft, clientWidth } = this.box;
    if (left < scrollLeft) this.box.scrollLeft = left;
    else if (left + CELL > scrollLeft + clientWidth) this.box.scrollLeft = left + CELL - clientWidth;
    if (cell.record) this.logs.options.choose(cell.record);
    if (cell.unread) this.logs.options.readAt(this.partition, cell.unread);
    // Before drawing, so that a log that shows older records does not jump to its end.
    this.#scrolled();
  }
}

function nameOf(cell) {
  if (cell.record) return `r${cell.record.offset}`;
  return cell.gap ? `g${cell.gap[0]}` : `u${cell.unread[0]}`;
}

// As many characters as a cell has room for. Keys often begin alike (customer-17), so both ends stay.
const FITS = 7;

function ends(text) {
  const signs = [...text];
  return signs.length > FITS ? `${signs.slice(0, 2).join("")}…${signs.slice(-4).join("")}` : text;
}

// A long key would slow the page, and is cut off anyway.
function shortened(text, most = 40) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
