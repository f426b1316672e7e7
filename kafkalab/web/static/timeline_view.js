// The group's timeline as a picture: the owner of each partition, what was given up, and the lag.
// Pointer and keys move the time back.

import { counted, el, plural, select, svg, tell } from "./dom.js";

const SPANS = [
  ["60", "the last minute"],
  ["300", "the last 5 minutes"],
  ["3600", "all that is kept"],
];
const SHORTEST = 20;
const HUES = [212, 28, 140, 320, 62, 268, 178, 0];
const BAR = 20;
const LAG = 64;
const TOP = 26;
const BOTTOM = 24;
const THUMB = 18;
const MOST_ROWS = 40;
const MOST_MOVES = 40;
// Seconds between two looks, over which a line is drawn. Looks come once a second.
const LONGEST_BLINK = 4;

/** The colour of a member, by its place among all members seen. */
export function memberHue(members, name) {
  return HUES[Math.max(0, members.indexOf(name)) % HUES.length];
}

export class TimelineView {
  #window = null;
  #isDue = false;
  #rows = "";

  /** Partitions of `topic` are shown without its name. `go(at)` is called with the time that the
   *  user chose, or null for live. */
  constructor(timeline, topic, go) {
    this.timeline = timeline;
    this.topic = topic;
    this.go = go;
    this.at = null;
    this.span = select({ "aria-label": "How much of the past is shown", onchange: () => { this.#window = null; this.draw(); } }, SPANS);
    this.live = el("button", { type: "button", onclick: () => this.go(null) }, "Live");
    this.when = el("p", { class: "when" });
    this.picture = svg("svg", { role: "img", class: "timeline", "aria-label": "Which member owned which partition over time, and the lag; the table below shows the same" });
    this.slider = el("input", { type: "range", step: 0.1, "aria-label": "Time", oninput: () => this.#dragged(this.slider.valueAsNumber), onchange: () => this.#further() });
    this.table = el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Owners, commits and lag at this time" });
    this.moves = el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "What moved" });
    this.figure = el("div", { class: "figure" }, this.picture, this.slider);
    this.empty = el("p", { class: "small" }, "This group has no member yet. Add a consumer, and its partitions appear here.");
    this.element = el(
      "div",
      { class: "timeline-view" },
      el("div", { class: "timeline-head" }, this.when, this.live, this.span),
      this.empty,
      this.figure,
      this.table,
      el("details", { class: "moved" }, el("summary", {}, "What moved, as a list"), this.moves),
    );
    this.picture.addEventListener("pointerdown", (event) => this.#grab(event));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.figure);
  }

  close() {
    this.resized.disconnect();
  }

  /** Show the group at a time; null is live. */
  show(at) {
    this.at = at;
    this.draw();
  }

  /** The time shown, in seconds of the server's clock. */
  get time() {
    const { from, to } = this.timeline;
    // The time before the oldest look is not known any more.
    return this.at === null ? to : Math.min(Math.max(this.at, from), to);
  }

  draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const { timeline } = this;
    for (const part of [this.figure, this.table, this.live.parentElement, this.moves.parentElement]) part.hidden = timeline.isEmpty;
    this.empty.hidden = !timeline.isEmpty;
    if (timeline.isEmpty || !this.element.isConnected) return;
    const window = this.#windowNow();
    const state = timeline.at(this.time);
    this.live.setAttribute("aria-pressed", String(this.at === null));
    tell(this.when, this.at === null ? "As it is now" : `As it was at ${clock(this.time)}, ${ago(timeline.to - this.time)}`);
    this.element.classList.toggle("past", this.at !== null);
    this.#drawSlider(window, state);
    this.#drawPicture(window);
    this.#drawTable(state);
    this.#drawMoves();
  }

  // A live window moves on; one in the past stands still, unless the chosen time lies outside it.
  #windowNow() {
    const span = Number(this.span.value);
    const { from, to } = this.timeline;
    const { time } = this;
    const isBeside = this.#window && (time < this.#window.from || time > this.#window.to);
    if (this.at === null || !this.#window || isBeside) {
      const end = this.at === null || time > to - span ? to : time + span / 2;
      // A short past fills the window.
      const begin = Math.max(end - span, Math.min(from, end - SHORTEST));
      this.#window = { from: begin, to: Math.max(end, from + 1), isLatest: end === to };
    }
    return this.#window;
  }

  #drawSlider(window, state) {
    this.slider.min = Math.max(window.from, Math.min(this.timeline.from, window.to - 1));
    this.slider.max = window.to;
    this.slider.value = this.time;
    this.slider.setAttribute("aria-valuetext", inWords(state, this.at === null ? "now" : ago(this.timeline.to - this.time)));
  }

  #dragged(time) {
    // The right end means live, if it was the present when the window was drawn.
    this.go(this.#window.isLatest && time >= this.#window.to - 0.25 ? null : time);
  }

  // At one end of the window, move the window if there is more.
  #further() {
    if (this.at === null) return;
    const { from, to, isLatest } = this.#window;
    const by = (to - from) / 2;
    if (this.time <= from + 0.2 && this.timeline.from < from) {
      this.#window = { from: from - by, to: to - by, isLatest: false };
    } else if (this.time >= to - 0.2 && !isLatest) {
      const end = Math.min(to + by, this.timeline.to);
      this.#window = { from: from + end - to, to: end, isLatest: end === this.timeline.to };
    }
    this.draw();
  }

  #grab(event) {
    const drag = (moved) => {
      const box = this.picture.getBoundingClientRect();
      const { from, to } = this.#window;
      const share = (moved.clientX - box.left - this.left) / (box.width - this.left - THUMB / 2);
      this.#dragged(Math.max(Math.max(from, this.timeline.from), Math.min(to, from + share * (to - from))));
    };
    this.picture.setPointerCapture(event.pointerId);
    this.picture.addEventListener("pointermove", drag);
    const end = () => this.picture.removeEventListener("pointermove", drag);
    this.picture.addEventListener("pointerup", end, { once: true });
    this.picture.addEventListener("pointercancel", end, { once: true });
    drag(event);
    event.preventDefault();
    this.slider.focus({ preventScroll: true });
  }

  #drawPicture(window) {
    const { timeline } = this;
    const width = Math.max(240, this.figure.clientWidth);
    const places = timeline.places();
    const rows = places.slice(0, MOST_ROWS);
    this.left = width < 500 ? 56 : 76;
    const plot = { left: this.left, right: width - THUMB / 2, top: TOP, bottom: TOP + rows.length * BAR };
    const height = plot.bottom + 14 + LAG + BOTTOM;
    const x = (time) => plot.left + ((time - window.from) / (window.to - window.from)) * (plot.right - plot.left);
    const y = new Map(rows.map((place, at) => [place.id, plot.top + at * BAR]));
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.picture.setAttribute("height", height);
    this.slider.style.left = `${this.left - THUMB / 2 + this.#before(x, window)}px`;
    this.slider.style.width = `${plot.right - plot.left + THUMB - this.#before(x, window)}px`;
    this.slider.style.height = `${plot.bottom + 14 + LAG}px`;
    this.picture.replaceChildren(
      ...this.#names(rows, y),
      ...this.#axis(window, x, plot, height),
      ...this.#spans(window, x, y),
      ...this.#changes(window, x, y, plot),
      ...this.#lag(window, x, plot),
      this.#cursor(x, plot),
    );
    if (places.length > rows.length) {
      this.picture.append(svg("text", { x: plot.left, y: plot.bottom + 10, class: "soft" }, `and ${counted(places.length - rows.length)} partitions more`));
    }
  }

  // If the past begins within the window, the slider begins there.
  #before(x, window) {
    return Math.max(0, x(Number(this.slider.min)) - x(window.from));
  }

  #names(rows, y) {
    return rows.flatMap(({ id, topic, partition }) => [
      svg("rect", { class: "row", x: this.left, y: y.get(id) + 2, width: "100%", height: BAR - 4 }),
      svg("text", { class: "name", x: this.left - 8, y: y.get(id) + 14, "text-anchor": "end" }, topic === this.topic ? `${partition}` : `${topic.slice(0, 6)}… ${partition}`),
    ]);
  }

  #spans(window, x, y) {
    const members = this.timeline.members();
    return this.timeline.spans().filter((span) => y.has(span.place) && span.to > window.from && span.from < window.to).flatMap((span) => {
      const [from, to] = [x(Math.max(span.from, window.from)), x(Math.min(span.to, window.to))];
      const bar = svg("rect", { class: "owned", x: from, y: y.get(span.place) + 2, width: Math.max(1, to - from), height: BAR - 4, rx: 2 });
      bar.style.setProperty("--hue", memberHue(members, span.member));
      const name = [span.member, span.member.split("-").at(-1)].find((each) => to - from > 14 + each.length * 7);
      return name ? [bar, svg("text", { class: "member", x: from + 9, y: y.get(span.place) + 14 }, name)] : [bar];
    });
  }

  #changes(window, x, y, plot) {
    const shown = this.timeline.changes.filter((change) => change.time >= window.from && change.time <= window.to);
    let free = plot.left;
    return shown.flatMap((change) => {
      const at = x(change.time);
      if (change.kind === "join" || change.kind === "leave") {
        const words = `${change.member} ${change.kind}s`;
        const line = svg("line", { class: "moment", x1: at, x2: at, y1: TOP - 8, y2: plot.bottom });
        const width = words.length * 6.4;
        const isLate = at + width > plot.right;
        if ((isLate ? at - width : at) < free) return [line];
        free = (isLate ? at : at + width) + 6;
        return [line, svg("text", { class: "soft", x: at, y: TOP - 12, "text-anchor": isLate ? "end" : "start" }, words)];
      }
      if (change.kind === "assign") return [];
      return change.partitions.map(([topic, partition]) => y.get(`${topic}-${partition}`)).filter((top) => top !== undefined).map((top) =>
        svg("path", { class: `gone ${change.kind}`, d: `M${at - 3.5},${top + 6.5}l7,7m0,-7l-7,7` }),
      );
    });
  }

  #lag(window, x, plot) {
    const points = this.timeline.lag().filter(([time]) => time >= window.from - 2 && time <= window.to);
    const known = points.filter(([, lag]) => lag !== null);
    const most = Math.max(1, ...known.map(([, lag]) => lag));
    const [top, base] = [plot.bottom + 14, plot.bottom + 14 + LAG];
    const y = (lag) => base - (lag / most) * (LAG - 8);
    const parts = [
      svg("line", { class: "base", x1: plot.left, x2: plot.right, y1: base, y2: base }),
      svg("text", { class: "name", x: plot.left - 8, y: base - 2, "text-anchor": "end" }, "0"),
      svg("text", { class: "name", x: plot.left - 8, y: top + 12, "text-anchor": "end" }, known.length ? counted(most) : ""),
      svg("text", { class: "soft", x: plot.left + 4, y: top + 10 }, known.length ? "lag, in offsets" : "lag is unknown: nothing is committed"),
    ];
    for (const piece of pieces(known)) {
      const line = piece.map(([time, lag]) => `${Math.max(plot.left, x(time)).toFixed(1)},${y(lag).toFixed(1)}`);
      const [first, last] = [line[0].split(",")[0], line.at(-1).split(",")[0]];
      parts.push(svg("path", { class: "lag-area", d: `M${first},${base}L${line.join("L")}L${last},${base}Z` }), svg("path", { class: "lag-line", d: `M${line.join("L")}` }));
    }
    return parts;
  }

  #axis(window, x, plot, height) {
    const span = window.to - window.from;
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800].find((each) => span / each <= Math.max(2, (plot.right - plot.left) / 90)) ?? 3600;
    const parts = [];
    for (let time = Math.ceil(window.from / step) * step; time <= window.to; time += step) {
      const isLast = x(time) > plot.right - 28;
      parts.push(
        svg("line", { class: "tick", x1: x(time), x2: x(time), y1: plot.top, y2: height - BOTTOM }),
        svg("text", { class: "soft", x: isLast ? plot.right : x(time), y: height - 8, "text-anchor": isLast ? "end" : "middle" }, clock(time)),
      );
    }
    return parts;
  }

  #cursor(x, plot) {
    const at = x(this.time);
    return svg(
      "g",
      { class: "cursor" },
      svg("line", { x1: at, x2: at, y1: plot.top - 6, y2: plot.bottom + 14 + LAG }),
      svg("circle", { cx: at, cy: plot.top - 6, r: 5 }),
    );
  }

  #drawTable(state) {
    const wanted = JSON.stringify([state.rows, this.at === null]);
    if (wanted === this.#rows) return;
    this.#rows = wanted;
    const members = this.timeline.members();
    const row = (each) => {
      const owner = each.owner ? el("bdi", { class: "swatch member" }, each.owner) : "none";
      if (each.owner) owner.style.setProperty("--hue", memberHue(members, each.owner));
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, each.topic === this.topic ? `${each.partition}` : `${each.topic} ${each.partition}`),
        el("td", {}, owner),
        ...[each.committed, each.end, each.lag].map((number) => el("td", { class: "number" }, number === null ? "–" : counted(number))),
      );
    };
    this.table.replaceChildren(
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, [["Partition"], ["Owner"], ["Committed", "number"], ["End", "number"], ["Lag", "number"]].map(([head, kind]) => el("th", { scope: "col", class: kind }, head)))),
        el("tbody", {}, state.rows.slice(0, 200).map(row)),
      ),
    );
  }

  #drawMoves() {
    if (!this.moves.closest("details").open) return;
    const moved = this.timeline.changes.filter((change) => change.time <= this.time).slice(-MOST_MOVES).reverse();
    this.moves.replaceChildren(
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, ["Time", "Member", "What", "Partitions"].map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, moved.map((change) => el("tr", {}, el("td", {}, clock(change.time, 1)), el("td", {}, el("bdi", {}, change.member)), el("td", {}, KINDS[change.kind] ?? change.kind), el("td", {}, change.partitions.map(([, partition]) => partition).join(", "))))),
      ),
    );
  }
}

const KINDS = { assign: "was given", revoke: "gave up", lost: "lost", join: "joined", leave: "left" };

function inWords(state, when) {
  const owners = new Map();
  for (const row of state.rows) {
    if (row.owner) owners.set(row.owner, [...(owners.get(row.owner) ?? []), row.partition]);
  }
  const told = [...owners].map(([owner, partitions]) => `${owner} owns ${partitions.join(", ")}`);
  const free = state.rows.filter((row) => !row.owner).length;
  if (free) told.push(`${plural(free, "partition")} without an owner`);
  const lags = state.rows.map((row) => row.lag).filter((lag) => lag !== null);
  if (lags.length) told.push(`lag ${counted(lags.reduce((sum, lag) => sum + lag, 0))}`);
  return `${when}: ${told.join("; ")}`;
}

function clock(time, digits = 0) {
  const date = new Date(time * 1000);
  const text = date.toLocaleTimeString("en-GB");
  return digits ? `${text}.${Math.floor(date.getMilliseconds() / 100)}` : text;
}

function ago(seconds) {
  const whole = Math.max(0, seconds);
  return whole < 10 ? `${whole.toFixed(1)} s ago` : whole < 120 ? `${Math.round(whole)} s ago` : `${Math.round(whole / 60)} min ago`;
}

// Without looks nothing is known: no line crosses such a time.
function pieces(points) {
  const found = [];
  for (const point of points) {
    const last = found.at(-1)?.at(-1);
    if (last && point[0] - last[0] <= LONGEST_BLINK) found.at(-1).push(point);
    else found.push([point]);
  }
  return found.filter((piece) => piece.length > 1);
}
