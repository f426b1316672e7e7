// The address holds what the page shows: so back, forward and links work.

const NAMES = ["topic", "group", "task", "step", "fact", "at"];

/** The state in an address: #topic=orders&group=demo&task=1.4&step=2&at=12.5 */
export function read(hash) {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  const state = Object.fromEntries(NAMES.map((name) => [name, told.get(name) || ""]));
  const step = Number.parseInt(state.step, 10);
  const at = Number.parseFloat(state.at);
  return { ...state, step: step > 0 ? step : 1, at: Number.isFinite(at) ? at : null };
}

/** The address of a state; it leaves out defaults. */
export function write(state) {
  const told = new URLSearchParams();
  for (const name of NAMES) {
    const value = state[name];
    if (value === "" || value === null || value === undefined) continue;
    if (name === "step" && (value === 1 || !state.task)) continue;
    told.set(name, name === "at" ? String(Math.round(value * 10) / 10) : String(value));
  }
  return `#${told}`;
}

/** The state of this page, and its followers. */
export class Address {
  #followers = [];

  constructor(target = window) {
    this.target = target;
    this.state = read(target.location.hash);
    target.addEventListener("hashchange", () => this.#tell(read(target.location.hash)));
  }

  /** Call a follower with (state, before) at each change. */
  follow(follower) {
    this.#followers.push(follower);
  }

  /** Change some of the state; `replace` changes the history's last entry, as a drag needs it. */
  go(changes, { replace = false } = {}) {
    const state = { ...this.state, ...changes };
    const hash = write(state);
    if (hash === write(this.state)) return;
    if (replace) this.target.history.replaceState(null, "", hash);
    else this.target.history.pushState(null, "", hash);
    this.#tell(read(hash));
  }

  #tell(state) {
    const before = this.state;
    this.state = state;
    for (const follower of this.#followers) follower(state, before);
  }
}
