/** What an element with `data-lv-mutate` asks for. */
import { json } from "./values.js";

/** @typedef {import("./values.js").Json} Json */

/**
 * @param {string} text a mutation's name; then, perhaps, a space and arguments as JSON
 * @param {[string, string][]} values @param {[string, Json][]} fields go over those
 * @returns {{ name: string, args: Record<string, Json> } | undefined} nothing when it can't be read
 */
export function mutation(text, values, fields) {
  const [name] = text.trim().split(/\s+/);
  const given = json(text.trim().slice(name.length));
  if (!name || !given) return;
  /** @type {Record<string, Json>} */
  const all = {
    ...given,
    ...Object.fromEntries(values.map(([key, value]) => [key, value === "true" || (value !== "false" && value)])),
    ...Object.fromEntries(fields),
  };
  return { name, args: name.endsWith(".create") ? { id: uuid(), ...all } : all };
}

/**
 * A form's fields as their controls mean them: a number, or a yes; all else is text.
 *
 * @param {Element} form @param {[string, string][]} fields @returns {[string, Json][]}
 */
export function typed(form, fields) {
  return fields.map(([name, value]) => {
    const control = form.querySelector(`input[name=${CSS.escape(name)}]`);
    const type = control?.getAttribute("type");
    if (type === "checkbox" && !control?.hasAttribute("value")) return [name, true];
    return [name, value && (type === "number" || type === "range") ? Number(value) : value];
  });
}

/** Of the newest id, in milliseconds. */
let last = 0;

/** A UUID of version 7: later ones sort behind earlier ones. */
function uuid() {
  last = Math.max(Date.now(), last + 1);
  const time = last.toString(16).padStart(12, "0");
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const all = `${time}7${random.slice(0, 3)}${"89ab"[bytes[9] & 3]}${random.slice(3, 18)}`;
  return all.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
