// Makes elements: all that comes from the cluster becomes text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: el("button", {class: "quiet", onclick: send}, "Send"). */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Make an element of a picture (SVG). */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

let fields = 0;

/** A control with its label. */
export function field(label, control) {
  fields += 1;
  control.id = `field-${fields}`;
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

/** A choice among [value, words] pairs. */
export function select(attributes, choices, chosen) {
  const element = el("select", attributes, choices.map(([value, words]) => el("option", { value }, words)));
  if (chosen !== undefined) element.value = chosen;
  return element;
}

/** A whole number as people read it: 12,345. */
export function counted(number) {
  return number.toLocaleString("en");
}

/** "1 record", "2 records". */
export function plural(number, word) {
  return `${counted(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** Set a text only if it differs: a screen reader would read out the same text again. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
