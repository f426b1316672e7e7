"use strict";
const facts = document.querySelectorAll("details.fact");

function openNamed() {
  const named = document.querySelector(":target");
  if (named instanceof HTMLDetailsElement) {
    named.open = true;
    named.scrollIntoView();
  }
}

const bar = document.querySelector(".unfold");
bar.hidden = false;
bar.addEventListener("click", (event) => {
  const open = event.target.dataset.open;
  if (open) facts.forEach((fact) => { fact.open = open === "true"; });
});
addEventListener("load", openNamed);
addEventListener("hashchange", openNamed);
