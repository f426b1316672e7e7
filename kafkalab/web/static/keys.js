// Keys and values in the API's shape (null, {text} or {base64}): their words and colours.

import { murmur2, utf8 } from "./hashes.js";

const NO_KEY = new Uint8Array(0);
const MOST_KNOWN = 5000;
// The same limits as in kafkalab/web/stream.py.
const LONGEST = 200;
const MOST_HEADERS = 20;
const hues = new Map();

/** The bytes of a key or value in the API's shape; empty for null. */
export function bytesOf(told) {
  if (told === null || told === undefined) return NO_KEY;
  if (told.text !== undefined) return utf8(told.text);
  return Uint8Array.from(atob(told.base64), (letter) => letter.charCodeAt(0));
}

/** Bytes in words: the text; hexadecimal digits if it is no text; a word for null. */
export function wordsOf(told, nothing = "no key") {
  if (told === null || told === undefined) return nothing;
  if (told.text !== undefined) return told.text === "" ? "empty" : visible(told.text);
  return `0x${[...bytesOf(told)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

// Invisible characters would make two keys look alike.
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${sign.codePointAt(0).toString(16)}}`);
}

/** Whether a key is complete: only complete keys can be hashed or compared. */
export function isWhole(told) {
  return (told?.text ?? told?.base64 ?? "").length < LONGEST;
}

/** A record as the page keeps it: keys and values are cut to the same length as in the stream. */
export function kept(record) {
  const cut = (told) => {
    if (isWhole(told)) return told;
    const [[kind, content]] = Object.entries(told);
    return { [kind]: content.slice(0, LONGEST) };
  };
  const [key, value] = [cut(record.key), cut(record.value)];
  const headers = record.headers.slice(0, MOST_HEADERS).map(([name, content]) => [name.slice(0, LONGEST), cut(content)]);
  return { ...record, key, value, headers, cut: record.cut || !isWhole(record.value) || undefined };
}

/** A name for a key; different keys have different names. */
export function idOf(told) {
  if (told === null || told === undefined) return "null";
  return told.text !== undefined ? `text:${told.text}` : `base64:${told.base64}`;
}

/** The colour of a key, from its bytes alone: a hue from 0 to 359; null for a record without a key.
 *  The stylesheet makes shades of it on which text is readable, in light and dark. */
export function hueOf(told) {
  if (told === null || told === undefined) return null;
  const id = idOf(told);
  if (!hues.has(id)) {
    if (hues.size >= MOST_KNOWN) hues.clear();
    hues.set(id, murmur2(bytesOf(told)) % 360);
  }
  return hues.get(id);
}

/** Give an element the colour of a key. */
export function paint(element, told) {
  const hue = hueOf(told);
  element.classList.toggle("keyless", hue === null);
  if (hue === null) element.style.removeProperty("--hue");
  else element.style.setProperty("--hue", hue);
}
