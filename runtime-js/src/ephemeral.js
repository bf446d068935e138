/**
 * Messages that are true for a moment: who types, where a pointer is. Of each name at most one is sent in a while, and the
 * last one always, at its end; what can't be sent is dropped, for it would be false by then.
 */

/** How far apart two messages of a name are, in milliseconds. */
const APART = 50;

/** @typedef {import("./msgpack.js").Value} Value */

export class Ephemeral {
  #page;
  /** What waits, by the names of those that were sent a moment ago. @type {Map<string, (() => void) | undefined>} */
  #waiting = new Map();

  /** @param {import("./session.js").Session} page */
  constructor(page) {
    this.#page = page;
  }

  /** @param {string} name @param {unknown} payload JSON */
  send(name, payload) {
    if (!this.#page.joined) return;
    const value = packed(payload);
    const send = () => {
      this.#waiting.set(name, undefined);
      this.#page.ephemeral(name, value);
      setTimeout(() => {
        const next = this.#waiting.get(name);
        this.#waiting.delete(name);
        next?.();
      }, APART);
    };
    if (this.#waiting.has(name)) this.#waiting.set(name, send);
    else send();
  }
}

/** JSON as it is written on the wire. @param {unknown} payload @returns {Value} */
function packed(payload) {
  return JSON.parse(JSON.stringify(payload ?? null), (_, value) =>
    value && typeof value === "object" && !Array.isArray(value) ? new Map(Object.entries(value)) : value,
  );
}

/** What was read from the wire, as JSON. @param {Value} value @returns {unknown} */
export function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof Map ? Object.fromEntries(Array.from(value, ([key, item]) => [key, plain(item)])) : value;
}
