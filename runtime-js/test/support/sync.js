/**
 * Browsers that live in a test: each has its own IndexedDB, locks and channels, and any number of tabs. Time stands
 * still until a test moves it, and the network does what the test says. Nothing sleeps: `until` waits for what is
 * expected.
 */
import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { MizuSync } from "../../src/sync/index.js";
import { SyncServer } from "./sync-server.js";

/** @typedef {import("../../src/sync/environment.js").Environment} Environment */
/** @typedef {import("./sync-server.js").Body} Body */
/** @typedef {{ path: string, body: Body }} Request */
/** `lost`: it never arrives; `unheard`: it arrives, its answer doesn't; `twice`: it arrives twice. @typedef {"ok" | "lost" | "unheard" | "twice"} Fate */

export const SCOPE = "user:ann:todos";

/** A clock that a test moves. */
export class Clock {
  now = 1_000_000;
  /** @type {Map<number, { at: number, work: () => void }>} */
  #timers = new Map();
  #id = 0;

  /** @param {() => void} work @param {number} delay */
  set(work, delay) {
    this.#timers.set(++this.#id, { at: this.now + delay, work });
    return this.#id;
  }

  /** @param {unknown} id */
  clear(id) {
    this.#timers.delete(/** @type {number} */ (id));
  }

  /** @param {number} milliseconds */
  advance(milliseconds) {
    const end = this.now + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].filter(([, { at }]) => at <= end).sort((one, other) => one[1].at - other[1].at);
      if (!next) break;
      const [id, { at, work }] = next;
      this.#timers.delete(id);
      this.now = at;
      work();
    }
    this.now = end;
  }
}

/** The way to a server. */
export class Network {
  server = new SyncServer();
  /** Every request that left. @type {Request[]} */
  requests = [];
  /** What becomes of a request. @type {(request: Request) => Fate | Promise<Fate>} */
  fate = () => "ok";

  /** @param {string} url @param {RequestInit} init @returns {Promise<Response>} */
  async fetch(url, init) {
    const path = url.split("/").at(-1) ?? "";
    /** @type {Body} */
    const body = JSON.parse(String(init.body));
    this.requests.push({ path, body });
    const aborted = new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))));
    aborted.catch(() => {});
    const fate = await Promise.race([this.fate({ path, body }), aborted]);
    if (fate === "lost") throw new TypeError("network error");
    if (fate === "twice") this.server.answer(path, body);
    const answer = this.server.answer(path, body);
    if (fate === "unheard") throw new TypeError("network error");
    const headers = answer.retry ? { "retry-after": String(answer.retry) } : undefined;
    return new Response(JSON.stringify(answer.body), { status: answer.status, headers });
  }

  /** @param {string} path */
  of(path) {
    return this.requests.filter((request) => request.path === path).map(({ body }) => body);
  }

  /** Numbers of the mutations in each push. */
  get pushed() {
    return this.of("push").map(({ mutations }) => mutations.map(({ seq }) => seq));
  }
}

/** Channels and locks of one browser. */
class Between {
  /** @type {Map<string, Set<FakeChannel>>} */
  channels = new Map();
  /** @type {Map<string, (() => void)[]>} */
  #waiting = new Map();

  /** @param {string} name */
  channel(name) {
    const all = this.channels.get(name) ?? new Set();
    this.channels.set(name, all);
    const channel = new FakeChannel(all);
    all.add(channel);
    return channel;
  }

  /** @param {string} name @param {{ signal: AbortSignal }} options @param {() => Promise<unknown>} held */
  async request(name, { signal }, held) {
    const waiting = this.#waiting.get(name);
    if (waiting) {
      await new Promise((granted, reject) => {
        const grant = () => granted(undefined);
        waiting.push(grant);
        signal.addEventListener("abort", () => {
          if (waiting.includes(grant)) waiting.splice(waiting.indexOf(grant), 1);
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    } else this.#waiting.set(name, []);
    try {
      if (!signal.aborted) await held();
    } finally {
      const next = this.#waiting.get(name)?.shift();
      if (next) next();
      else this.#waiting.delete(name);
    }
  }
}

class FakeChannel {
  #all;
  /** @type {((event: MessageEvent) => void) | null} */
  onmessage = null;

  /** @param {Set<FakeChannel>} all */
  constructor(all) {
    this.#all = all;
  }

  /** @param {unknown} data */
  postMessage(data) {
    const message = structuredClone(data);
    for (const other of this.#all) {
      if (other !== this) setImmediate(() => this.#all.has(other) && other.onmessage?.(new MessageEvent("message", { data: message })));
    }
  }

  close() {
    this.#all.delete(this);
  }
}

export class Browser {
  clock = new Clock();
  indexedDB = new IDBFactory();
  #between = new Between();
  #random;
  /** @type {Set<MizuSync>} */
  tabs = new Set();

  /** @param {Network} network @param {() => number} [random] */
  constructor(network, random = () => 0.5) {
    this.network = network;
    this.#random = random;
  }

  /** @param {Partial<Environment>} [replaced] @returns {Environment} */
  environment(replaced) {
    return {
      fetch: (url, init) => this.network.fetch(url, init),
      indexedDB: this.indexedDB,
      locks: this.#between,
      channel: (name) => this.#between.channel(name),
      setTimeout: (work, delay) => this.clock.set(work, delay),
      clearTimeout: (timer) => this.clock.clear(timer),
      now: () => this.clock.now,
      random: this.#random,
      page: undefined,
      ...replaced,
    };
  }

  /** A tab that is not open yet. @param {import("../../src/sync/index.js").Options} [options] */
  tab({ environment, ...options } = {}) {
    const sync = new MizuSync({ user: "ann", ...options, environment: this.environment(environment) });
    this.tabs.add(sync);
    return sync.entity("todo");
  }

  /** @param {import("../../src/sync/index.js").Options} [options] */
  open(options) {
    return this.tab(options).open();
  }

  /** The browser crashes, or is quit. */
  quit() {
    for (const tab of this.tabs) tab.close();
    this.tabs.clear();
  }
}

/** What a subscription was told, newest last. @param {MizuSync} sync @param {import("../../src/sync/index.js").Query} [query] */
export function watch(sync, query = { scope: SCOPE, entity: "todo" }) {
  /** @type {{ rows: import("../../src/sync/index.js").Row[], changes: import("../../src/sync/subscriptions.js").RowChange[], synced: boolean }[]} */
  const told = [];
  sync.subscribe(query, (rows, what) => told.push({ rows, ...what }));
  return told;
}

/** Ids of the rows of a scope, with a star when pending. @param {MizuSync} sync @param {string} [scope] */
export const ids = (sync, scope = SCOPE) => sync.rows({ scope }).map(({ id, pending }) => id + (pending ? "*" : "")).join(" ");

/**
 * Waits until `probe` gives something true, and returns it.
 *
 * @template T
 * @param {() => T | Promise<T>} probe
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(probe) {
  const end = Date.now() + 5_000;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${probe}`);
    await turn();
  }
}

/** Lets everything run that is ready. */
export const turn = () => new Promise((next) => setImmediate(next));

/** Lets everything run until nothing happens any more. */
export async function settle() {
  for (let n = 0; n < 60; n++) await turn();
}
