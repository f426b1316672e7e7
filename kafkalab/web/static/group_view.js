// A consumer group on this topic: start and stop its members, and see their partitions.

import { call, groupPath } from "./api.js";
import { counted, el, field, plural, select, tell } from "./dom.js";
import { Timeline } from "./timeline.js";
import { TimelineView, memberHue } from "./timeline_view.js";

const PROTOCOLS = {
  eager: "classic, eager",
  cooperative: "classic, cooperative",
  kip848: "KIP-848",
};
const PACES = [
  ["", "at full speed"],
  ["20", "20 records a second"],
  ["2", "2 records a second"],
];

const STATES = { DEAD: "there is no such group yet", EMPTY: "the group has no member" };

export class GroupView {
  #members = "";
  #isClosed = false;

  constructor(explorer, view) {
    this.explorer = explorer;
    this.view = view;
    this.names = el("datalist", { id: "groups" });
    this.name = el("input", { name: "group", list: "groups", maxlength: 200, required: true, autocomplete: "off", spellcheck: "false", onchange: () => this.#choose() });
    this.protocol = select({ name: "protocol" }, explorer.cluster.protocols.map((each) => [each, PROTOCOLS[each] ?? each]));
    this.pace = select({ name: "pace" }, PACES);
    this.button = el("button", { class: "main" }, "Add a consumer");
    this.problem = el("p", { class: "problem", role: "alert" });
    this.state = el("p", { class: "group-state" });
    this.members = el("ul", { class: "members", "aria-label": "Members of the group" });
    this.timeline = new Timeline();
    this.timelineView = new TimelineView(this.timeline, view.name, (at) => explorer.address.go({ at, group: this.group }, { replace: true }));
    this.element = el(
      "section",
      { class: "group", id: "group", "aria-labelledby": "group-title" },
      el("h2", { id: "group-title" }, "Consumers"),
      el("form", { class: "fields", onsubmit: (event) => this.#add(event) }, field("Group", this.name), this.names, field("Protocol", this.protocol), field("Reads", this.pace), this.button),
      this.problem,
      this.state,
      this.members,
      this.timelineView.element,
    );
  }

  get group() {
    return this.explorer.address.state.group || this.explorer.named(`${this.view.name}-readers`);
  }

  close() {
    this.#isClosed = true;
    this.timelineView.close();
  }

  /** The address has changed. */
  drawState(state) {
    if (this.shown !== this.group) {
      this.shown = this.group;
      this.name.value = this.group;
      this.timeline.clear();
      this.#members = "";
      this.members.replaceChildren();
      tell(this.state, "");
      this.readPast();
      this.#readGroups();
    }
    this.timelineView.show(state.at);
    this.#drawLogs();
  }

  /** A look at the group, from the stream. */
  look(look) {
    if (look.group !== this.group) return;
    this.timeline.look(look);
    this.#drawMembers(look);
    this.#drawLogs();
    this.timelineView.draw();
  }

  /** A change of a member, from the stream. */
  change(change) {
    if (change.group !== this.group) return;
    this.timeline.change(change);
    this.#drawLogs();
    this.timelineView.draw();
  }

  #choose() {
    this.explorer.address.go({ group: this.name.value.trim(), at: null });
  }

  /** Read the group's past: from before, and from while the stream was not connected. */
  async readPast() {
    const group = this.group;
    try {
      const past = await call("GET", `${groupPath(group)}/timeline`);
      if (this.#isClosed || group !== this.group) return;
      for (const look of past.looks) this.timeline.look(look);
      for (const change of past.events) this.timeline.change(change);
      this.timelineView.draw();
      this.#drawLogs();
    } catch {
      // A group that was never watched has no past; new looks are drawn as they come.
    }
  }

  async #readGroups() {
    try {
      const groups = await call("GET", "/api/kafka/groups");
      this.names.replaceChildren(...groups.map((each) => el("option", { value: each.group })));
    } catch {
      // Names are only proposals: a name can be typed.
    }
  }

  async #add(event) {
    event.preventDefault();
    const group = this.name.value.trim();
    if (group !== this.group) this.#choose();
    const body = { topics: [this.view.name], protocol: this.protocol.value };
    if (this.pace.value) body.pace = Number(this.pace.value);
    await this.#ask(this.button, async () => {
      const member = await call("POST", `${groupPath(group)}/members`, body);
      this.explorer.say(`Consumer ${member.name} joins ${group}.`);
    });
  }

  async #remove(name, button) {
    await this.#ask(button, async () => {
      await call("DELETE", `${groupPath(this.group)}/members/${encodeURIComponent(name)}`);
      this.explorer.say(`Consumer ${name} leaves.`);
    });
  }

  async #ask(button, what) {
    tell(this.problem, "");
    button.disabled = true;
    try {
      await what();
    } catch (error) {
      tell(this.problem, error.message);
    } finally {
      button.disabled = false;
    }
  }

  #drawMembers(look) {
    const lags = look.partitions.map((each) => each.lag).filter((lag) => lag !== null);
    const lag = lags.length ? `lag ${counted(lags.reduce((sum, each) => sum + each, 0))}` : "lag unknown: nothing is committed";
    const words = [STATES[look.state] ?? look.state.toLowerCase().replaceAll("_", " "), look.members.length ? protocolOf(look) : "", look.members.length ? plural(look.members.length, "member") : "", look.state === "DEAD" ? "" : lag];
    tell(this.state, words.filter(Boolean).join(" · "));
    // All members of a group use one protocol.
    const protocol = look.members.length ? kindOf(look) : "";
    if (protocol) this.protocol.value = protocol;
    this.protocol.disabled = Boolean(protocol);
    const wanted = JSON.stringify(look.members);
    if (wanted === this.#members) return;
    this.#members = wanted;
    const had = this.members.contains(document.activeElement);
    const all = this.timeline.members();
    const inOrder = [...look.members].sort((a, b) => all.indexOf(a.name) - all.indexOf(b.name));
    this.members.replaceChildren(...inOrder.map((member) => this.#member(member, all)));
    if (had) (this.members.querySelector("button") ?? this.button).focus();
  }

  #member(member, all) {
    const name = el("bdi", { class: "swatch member" }, member.name);
    name.style.setProperty("--hue", memberHue(all, member.name));
    const owned = member.partitions.length ? `reads ${member.partitions.map(([, partition]) => partition).join(", ")}` : "reads nothing";
    const isOurs = this.timeline.changes.some((change) => change.member === member.name);
    const remove = !isOurs ? null : el("button", { type: "button", "aria-label": `Remove ${member.name}`, onclick: (event) => this.#remove(member.name, event.currentTarget) }, "Remove");
    return el("li", {}, name, el("span", {}, owned), remove);
  }

  // The logs show each partition's owner and the group's commit, at the time of the timeline.
  #drawLogs() {
    const { logs, name } = this.view;
    const members = this.timeline.members();
    logs.owners.clear();
    logs.committed.clear();
    if (!this.timeline.isEmpty) {
      for (const row of this.timeline.at(this.timelineView.time).rows) {
        if (row.topic !== name) continue;
        if (row.owner) logs.owners.set(row.partition, { name: row.owner, hue: memberHue(members, row.owner) });
        logs.committed.set(row.partition, row.committed);
      }
    }
    logs.draw();
  }
}

function kindOf(look) {
  if (look.protocol === "consumer") return "kip848";
  return { range: "eager", "cooperative-sticky": "cooperative" }[look.assignor] ?? "";
}

// As the broker names it: the assignor decides whether the classic protocol is eager.
function protocolOf(look) {
  return [look.protocol === "consumer" ? "KIP-848" : look.protocol, look.assignor].filter(Boolean).join(", ");
}
