// Asks once for the server's token, and sends it in a body, never in an address.

import { openSession } from "./api.js";
import { el, field } from "./dom.js";

let pending = null;

/** Ask for the token; resolves when the server has accepted it. */
export function demandToken(dialog) {
  pending ??= new Promise((resolve) => show(dialog, resolve)).finally(() => {
    pending = null;
  });
  return pending;
}

function show(dialog, resolve) {
  const token = el("input", { type: "password", autocomplete: "off", required: true, name: "token" });
  const told = el("p", { class: "problem", role: "alert" });
  const form = el(
    "form",
    {
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          await openSession(token.value);
          dialog.close();
          resolve();
        } catch (error) {
          told.textContent = error.message;
          token.select();
        }
      },
    },
    el("h2", { id: "session-title" }, "This server asks for its token"),
    el("p", {}, "It is in the file, or the variable KAFKALAB_TOKEN, that ", el("code", {}, "kafkalab serve"), " was started with."),
    field("Token", token),
    told,
    el("p", {}, el("button", { class: "main" }, "Open the explorer")),
  );
  dialog.replaceChildren(form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
}
