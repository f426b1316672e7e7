"use strict";
const facts = [...document.querySelectorAll("details.fact")];

function openNamed() {
  const named = document.querySelector(":target");
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

// A fact that is yet to be predicted must not give its answer away: a search looks only at its
// question, and only a click on the fact itself opens it.
function textOf(fact) {
  const more = fact.matches(".asked") ? [] : fact.querySelectorAll(".why, .controls .sentence");
  const parts = [fact.querySelector("summary"), ...more].map((part) => part.textContent);
  return [fact.id, ...parts].join(" ").toLowerCase();
}

const filter = document.querySelector(".filter");
filter.hidden = false;

function show() {
  const { left, task, text } = Object.fromEntries(new FormData(filter));
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const fact of facts) {
    const isShown = (!left || fact.dataset.left.split(" ").includes(left))
      && (!task || fact.dataset.task === task)
      && (!words.length || words.every((word) => textOf(fact).includes(word)));
    fact.hidden = !isShown;
    count += isShown;
  }
  const isAll = count === facts.length;
  for (const section of document.querySelectorAll(".task")) {
    section.hidden = !isAll && !section.querySelector("details.fact:not([hidden])");
  }
  filter.querySelector("output").textContent = isAll ? "" : `${count} of ${facts.length} facts`;
}

filter.addEventListener("input", show);
filter.addEventListener("submit", (event) => event.preventDefault());
filter.addEventListener("click", (event) => {
  const open = event.target.dataset.open;
  if (!open) return;
  for (const fact of facts) {
    if (open === "false" || !fact.matches(".asked, [hidden]")) fact.open = open === "true";
  }
});
addEventListener("load", () => { show(); openNamed(); });
addEventListener("hashchange", openNamed);
