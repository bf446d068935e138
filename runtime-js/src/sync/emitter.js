/** Listeners by name. One that throws doesn't keep the others from hearing. */

/** @template {Record<string, unknown>} Events */
export class Emitter {
  /** @type {{ [N in keyof Events]?: Set<(detail: Events[N]) => void> }} */
  #listeners = {};

  /** @template {keyof Events} N @param {N} name @param {(detail: Events[N]) => void} listener @returns {() => void} stops hearing */
  on(name, listener) {
    const listeners = (this.#listeners[name] ??= new Set()).add(listener);
    return () => listeners.delete(listener);
  }

  /** @template {keyof Events} N @param {N} name @param {Events[N]} detail */
  emit(name, detail) {
    for (const listener of this.#listeners[name] ?? []) {
      try {
        listener(detail);
      } catch (error) {
        console.error(error);
      }
    }
  }
}
