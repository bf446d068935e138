/** What went wrong, with a code for programs and a sentence for people. */
import { INVALID } from "./constants.js";

export class SyncError extends Error {
  /** @override */
  name = "SyncError";

  /**
   * @param {string} code @param {string} message
   * @param {number} [wait] milliseconds that the server asked for @param {Record<string, unknown>} [answer] of the server
   */
  constructor(code, message, wait = 0, answer = {}) {
    super(message);
    this.code = code;
    this.wait = wait;
    this.answer = answer;
  }
}

/** @param {any} error @param {string} [code] by default its own, as that of a mutator may have @returns {SyncError} */
export const syncError = (error, code = error?.code ?? INVALID) => (error instanceof SyncError ? error : new SyncError(code, String(error)));
