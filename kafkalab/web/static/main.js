// The explorer: it draws the state in the address, and sends the user's actions to the API.

import { Address } from "./address.js";
import { call, onTokenDemanded } from "./api.js";
import { tell } from "./dom.js";
import { Guide } from "./guide.js";
import { Rail } from "./rail.js";
import { demandToken } from "./session.js";
import { Status } from "./status.js";
import { Stream } from "./stream.js";
import { TopicView } from "./topic_view.js";
import { Welcome } from "./welcome.js";

const main = document.getElementById("main");
const said = document.getElementById("said");

/** The state that all parts share. */
class Explorer {
  cluster = { title: "", may_change: "all", protocols: ["eager", "cooperative", "kip848"] };
  topics = [];
  scenarios = [];
  address = new Address();
  stream = new Stream();

  /** Announce the result of an action, for screen readers. */
  say(text) {
    tell(said, text);
  }

  /** A name that this server may change: on a cluster that is not the lab's it has a prefix. */
  named(name) {
    const { may_change: prefix } = this.cluster;
    return prefix === "all" || !prefix || name.startsWith(prefix) ? name : `${prefix}${name}`;
  }

  topic(name) {
    return this.topics.find((topic) => topic.name === name);
  }

  scenario(task) {
    return this.scenarios.find((scenario) => scenario.task === task);
  }

  /** Read the list of topics again, now. */
  async readTopics() {
    this.topics = await call("GET", "/api/kafka/topics");
    rail.topicsChanged();
    draw();
  }
}

const explorer = new Explorer();
const rail = new Rail(document.getElementById("rail"), explorer);
const guide = new Guide(document.getElementById("guide"), explorer);
const status = new Status(document.getElementById("status"), explorer.stream);
const welcome = new Welcome(explorer);
let shown = null;

function draw(state = explorer.address.state, before = state) {
  document.body.classList.toggle("has-topic", state.topic !== "");
  document.title = [state.topic, state.task && `task ${state.task}`, "kafkalab explorer"].filter(Boolean).join(" · ");
  rail.draw(state);
  guide.draw(state);
  const scenario = explorer.scenario(state.task);
  if (!state.topic && scenario) {
    explorer.address.go({ topic: explorer.named(scenario.topic.name) }, { replace: true });
    return;
  }
  if (!state.topic) {
    shown?.close();
    shown = null;
    explorer.stream.want([], []);
    welcome.draw(main);
    return;
  }
  if (shown?.name !== state.topic) {
    shown?.close();
    shown = new TopicView(explorer, state.topic);
    main.replaceChildren(shown.element);
    if (state.topic !== before.topic) scrollTo(0, 0);
  }
  shown.draw(state);
  explorer.stream.want([state.topic], [shown.group]);
}

async function begin() {
  onTokenDemanded(async () => {
    await demandToken(document.getElementById("session"));
    explorer.stream.retry();
  });
  const scenarios = call("GET", "/api/kafka/scenarios");
  [explorer.cluster, explorer.topics] = await Promise.all([call("GET", "/api/kafka/cluster"), call("GET", "/api/kafka/topics")]);
  // Without a task the page need not wait for the scenarios.
  if (explorer.address.state.task) explorer.scenarios = await scenarios;
  const { title, version } = explorer.cluster;
  tell(document.getElementById("cluster"), [title, version && `Kafka ${version}`].filter(Boolean).join(" · "));
  explorer.address.follow(draw);
  explorer.stream.on("topics", (topics) => {
    explorer.topics = topics;
    rail.topicsChanged();
    draw();
  });
  rail.topicsChanged();
  draw();
  explorer.scenarios = await scenarios;
  draw();
  document.body.classList.add("ready");
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// Try again until the broker and the server answer.
function beginUntilItCan(attempt = 1) {
  begin().catch((error) => {
    status.cannotBegin(error);
    setTimeout(() => beginUntilItCan(attempt + 1), Math.min(10000, 1000 * attempt));
  });
}

beginUntilItCan();
