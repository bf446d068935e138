/**
 * The patches of a session, which are numbered. One that was applied before is passed over. One that leaves a gap, or
 * that can't be applied, makes the client ask for regions whole; when that doesn't help either, it gives up.
 *
 * Streams are sent once: the server keeps their steps for a resume until it hears how far the client has come.
 */
import { ROOT_ID, STREAM } from "./constants.js";
import { list } from "./frame.js";

/** @typedef {import("./msgpack.js").Value} Value */

/** Questions for whole regions in a row. */
const MAX_ASKED = 3;

/** The server hears of streams this much later, in milliseconds. */
const TELLING = 2_000;

export class Sequence {
  #patcher;
  #debug;
  #ask;
  #giveUp;
  #tell;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #telling;
  #asked = 0;
  /** The number of the patch that was applied last. */
  seen = 0;
  /** How often regions were asked for whole. */
  resyncs = 0;

  /**
   * @param {import("./patch.js").Patcher} patcher @param {import("./debug.js").Debug} debug
   * @param {(ids: string[]) => void} ask for regions @param {(ids: string[]) => void} giveUp
   * @param {(seq: number) => void} tell the server how far the client has come
   */
  constructor(patcher, debug, ask, giveUp, tell) {
    this.#patcher = patcher;
    this.#debug = debug;
    this.#ask = ask;
    this.#giveUp = giveUp;
    this.#tell = tell;
  }

  /** The patch of a join, whatever its number: from here on the server counts from `seq`. @param {Value | undefined} patch @param {number} seq */
  begin(patch, seq) {
    this.#asked = 0;
    if (Array.isArray(patch)) this.#apply(patch, false);
    this.seen = seq;
  }

  /** The next patch, if it is one. @param {Value | undefined} patch */
  next(patch) {
    if (!Array.isArray(patch)) return;
    const seq = Number(patch[0]);
    if (seq <= this.seen) return;
    const gap = seq !== this.seen + 1;
    this.seen = seq;
    this.#apply(patch, gap);
  }

  /** Tells the server how far the client has come. */
  tell() {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#tell(this.seen);
  }

  /** @param {Value[]} patch @param {boolean} gap before it */
  #apply([, regions, title, commands], gap) {
    let missing = [ROOT_ID];
    try {
      const unknown = this.#patcher.apply(regions, title, commands);
      if (!gap) missing = unknown;
    } catch (error) {
      this.#debug.error("patch", error);
    }
    if (list(regions).some((region) => list(region)[1] === STREAM)) this.#telling ??= setTimeout(() => this.tell(), TELLING);
    if (!missing.length) this.#asked = 0;
    else if (++this.#asked > MAX_ASKED) this.#giveUp(missing);
    else {
      this.resyncs++;
      this.#ask(missing);
    }
  }
}
