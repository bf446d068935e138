/** The log: frames in a readable form when it is on, and notes of the server for the developer. */
import { DEBUG_KEY, DEV, KIND_NAMES } from "./constants.js";
import { bodyOf } from "./frame.js";

export class Debug {
  /** Frames are logged. */
  #frames = false;

  /** @param {string | null} mode value of the root's attribute */
  constructor(mode) {
    try {
      this.#frames = mode === DEV || localStorage.getItem(DEBUG_KEY) === "1";
    } catch {
      // Storage may be forbidden; then the attribute alone decides.
      this.#frames = mode === DEV;
    }
  }

  /** @param {string} way @param {number} kind @param {string} topic @param {number} ref @param {Uint8Array} body */
  frame(way, kind, topic, ref, body) {
    if (!this.#frames) return;
    let readable;
    try {
      readable = bodyOf(body);
    } catch {
      readable = body;
    }
    console.debug(`mizu ${way} ${KIND_NAMES[kind] ?? kind} ${topic}#${ref} ${body.length} B`, readable);
  }

  /** What the server wants the developer to know. @param {unknown} note */
  note(note) {
    console.warn("mizu:", note);
  }

  /** @param {string} what @param {unknown} error */
  error(what, error) {
    console.error(`mizu: ${what}:`, error);
  }
}
