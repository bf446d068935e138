/**
 * What the engine needs of the world around it. All of it can be replaced, so that the engine runs in a test or under
 * Node; nothing is looked up before a `MizuSync` is made.
 */

/**
 * @typedef {object} Channel between the tabs of one browser
 * @property {(message: unknown) => void} postMessage
 * @property {((event: MessageEvent) => void) | null} onmessage
 * @property {() => void} close
 */

/**
 * @typedef {object} Locks what is used of `navigator.locks`
 * @property {(name: string, options: { signal: AbortSignal }, held: () => Promise<unknown>) => Promise<unknown>} request
 */

/**
 * @typedef {object} Environment
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {IDBFactory | undefined} indexedDB without it, everything is kept in memory only
 * @property {Locks | undefined} locks without them, every tab talks to the server
 * @property {((name: string) => Channel) | undefined} channel without it, every tab talks to the server
 * @property {(work: () => void, delay: number) => unknown} setTimeout
 * @property {(timer: unknown) => void} clearTimeout
 * @property {() => number} now milliseconds, for show only
 * @property {() => number} random from 0 up to 1, for jitter only
 * @property {EventTarget | undefined} page hears `online`, `focus`, `visibilitychange`, `pagehide` and `pageshow`
 */

/** @param {Partial<Environment>} [replaced] @returns {Environment} */
export function complete(replaced) {
  const { navigator, window } = globalThis;
  return {
    fetch: (url, init) => fetch(url, init),
    // Merely asking for it may be forbidden.
    get indexedDB() {
      return globalThis.indexedDB;
    },
    locks: navigator?.locks,
    channel: globalThis.BroadcastChannel && ((name) => new BroadcastChannel(name)),
    setTimeout: (work, delay) => setTimeout(work, delay),
    clearTimeout: (timer) => clearTimeout(/** @type {number} */ (timer)),
    now: Date.now,
    random: Math.random,
    page: window,
    ...replaced,
  };
}

/** 128 random bits, as an id of a client has. */
export const hex = () => crypto.getRandomValues(new Uint8Array(16)).reduce((text, byte) => text + (byte + 256).toString(16).slice(1), "");

/** A UUID; in contexts that are not secure, which have none to give, as many random bits without its dashes. */
export const uuid = () => crypto.randomUUID?.() ?? hex();
