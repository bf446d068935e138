/**
 * The JavaScript client as it is shipped against a real server process: browsers with a tab or two each, a network that
 * loses, repeats, delays and tears (`faults.mjs`), a server that is killed with SIGKILL, browsers that crash, clocks that
 * are years apart. In the end the network is well: everybody has to show what the server has, and every mutation that was
 * accepted has to have been applied once.
 *
 * ```sh
 * cargo build --examples --features postgres
 * node --test tests/sync_client/
 * ```
 *
 * A seed decides what happens, though not how it interleaves. `SEED=7 STORE=sqlite node --test tests/sync_client/` runs one of
 * them, `SEEDS=50` as many for each store.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MizuSync } from "../../runtime-js/dist/mizu-sync.js";
import { Browser, Network } from "../../runtime-js/test/support/sync.js";
import { Server } from "../browser/support/server.mjs";
import { until } from "../browser/support/wait.mjs";
import { Faults } from "./faults.mjs";
import { Postgres } from "./postgres.mjs";

/** @typedef {{ name: string, by: number, written?: boolean, outcome?: string }} Sent what became of a mutation, as far as its browser knows */
/** @typedef {{ scope: string, rows: { entity: string, id: string, data: any }[] }} State */

const { SEED, SEEDS = "3", STORE } = process.env;
const STEPS = 150;
const SCOPES = ["s1", "s2"];
/** How much faster time passes for the clients, so that they need not wait long between attempts. */
const SPEED = 20;
/** Ten years, in milliseconds. */
const DECADE = 3.2e11;
/** How soon everybody has to agree when all is well again, in milliseconds. */
const SOON = 20_000;

/** A generator of numbers from 0 up to 1 (mulberry32). @param {number} seed */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The mutators of `server.rs`. @param {MizuSync} sync */
function mutators(sync) {
  /** @typedef {import("../../runtime-js/src/transaction.js").Transaction} Tx */
  const bump = (/** @type {any} */ tx, /** @type {string} */ entity, /** @type {string} */ id, /** @type {string} */ field, by = 1) =>
    tx.put(entity, id, { [field]: (tx.get(entity, id)?.[field] ?? 0) + by });
  const add = (/** @type {string} */ name, /** @type {(tx: any, args: any) => void} */ run, options = {}) =>
    sync.mutator(name, (tx, /** @type {any} */ args) => {
      bump(tx, "mark", args.token, "times");
      run(tx, args);
    }, options);
  add("count", (tx, { by }) => bump(tx, "counter", "all", "count", by));
  add("move", (tx, { by, to }) => {
    bump(tx, "counter", "moved", "count", -by);
    bump(tx.scope(to), "counter", "moved", "count", by);
  }, { scopes: ({ to }) => [to] });
  add("append", (tx, { token }) => tx.put("list", "all", { items: [...(tx.get("list", "all")?.items ?? []), token] }));
  add("todo.create", (tx, { id }) => tx.put("todo", id, { done: false }));
  add("todo.toggle", (tx, { id }) => {
    const todo = tx.get("todo", id);
    if (todo) tx.put("todo", id, { done: !todo.done });
  });
  add("todo.delete", (tx, { id }) => tx.delete("todo", id));
  add("refuse", (tx) => bump(tx, "counter", "all", "count", 1_000_000));
  return sync;
}

class World {
  random;
  server;
  faults;
  postgres;
  /** @type {Browser[]} */
  browsers = [];
  /** Numbers of the tabs. @type {Map<unknown, number>} */
  #tabs = new Map();
  /** By token. @type {Map<string, Sent>} */
  sent = new Map();
  /** Tokens by the id of the mutation. @type {Map<string, string>} */
  #tokens = new Map();
  /** Restarts, one after the other. @type {Promise<unknown>} */
  restarts = Promise.resolve();

  /** @param {() => number} random @param {Server} server @param {Faults} faults @param {Postgres} [postgres] */
  constructor(random, server, faults, postgres) {
    this.random = random;
    this.server = server;
    this.faults = faults;
    this.postgres = postgres;
    for (let browser = 0; browser < 3; browser++) {
      this.browsers.push(new Browser(new Network(), random));
      this.open(browser);
    }
  }

  /** @param {number} below */
  number(below) {
    return Math.floor(this.random() * below);
  }

  /** A new tab. @param {number} number of the browser */
  open(number) {
    const browser = this.browsers[number];
    const off = (number - 1) * DECADE;
    const environment = browser.environment({
      fetch: (url, init) => fetch(url, init),
      setTimeout: (work, delay) => setTimeout(work, delay / SPEED),
      clearTimeout: (timer) => clearTimeout(/** @type {any} */ (timer)),
      now: () => Date.now() + off,
    });
    const tab = mutators(new MizuSync({ baseUrl: `${this.faults.url}/_sync`, environment }));
    tab.on("settled", ({ id, status }) => this.#settled(id, status));
    for (const scope of SCOPES) tab.subscribe({ scope }, () => {});
    browser.tabs.add(/** @type {any} */ (tab));
    this.#tabs.set(tab, this.#tabs.size);
    void tab.open();
    return tab;
  }

  /** @param {string} id @param {string} status */
  #settled(id, status) {
    const sent = this.sent.get(this.#tokens.get(id) ?? "");
    if (!sent) return;
    assert.ok(!sent.outcome || sent.outcome === status, `mutation ${id} was ${sent.outcome} and is ${status}`);
    sent.outcome = status;
  }

  /** @param {MizuSync} tab */
  mutate(tab) {
    const names = ["count", "count", "move", "append", "append", "todo.create", "todo.toggle", "todo.toggle", "todo.delete", "refuse"];
    const name = names[this.number(names.length)];
    const scope = SCOPES[this.number(2)];
    const token = `${this.#tabs.get(tab)} ${String(this.sent.size).padStart(4, "0")}`;
    const by = 1 + this.number(9);
    /** @type {Sent} */
    const sent = { name, by };
    this.sent.set(token, sent);
    const to = SCOPES.find((other) => other !== scope);
    const { id, queued, done } = tab.mutate(name, { token, by, to, id: `t${this.number(6)}` }, { scope });
    this.#tokens.set(id, token);
    queued.then(() => (sent.written = true), () => (sent.written = false));
    done.then(({ status }) => this.#settled(id, status), () => {});
  }

  async step() {
    const browser = this.number(this.browsers.length);
    const { tabs } = this.browsers[browser];
    const tab = [...tabs][this.number(tabs.size)];
    const dice = this.random();
    if (!tab) this.open(browser);
    else if (dice < 0.74) this.mutate(/** @type {any} */ (tab));
    else if (dice < 0.8) tab.poke(SCOPES[this.number(2)]);
    else if (dice < 0.84 && tabs.size < 3) this.open(browser);
    else if (dice < 0.89) {
      tab.close();
      tabs.delete(tab);
    } else if (dice < 0.94) this.browsers[browser].quit();
    else if (dice < 0.97) this.restarts = this.restarts.then(() => this.server.restart());
    else if (dice < 0.98) this.restarts = this.restarts.then(() => this.postgres?.restart());
    // How far apart things happen is a part of what happens.
    await new Promise((resolve) => setTimeout(resolve, this.random() * 25));
  }

  /** What the server has, asked for by nobody in particular. @returns {Promise<State[]>} */
  async state() {
    return Promise.all(SCOPES.map(async (scope) => {
      const rows = [];
      for (let page; ; ) {
        const body = JSON.stringify({ client: "a-reader-of-everything", scope, page, limit: 100 });
        const response = await fetch(`${this.server.url}/_sync/snapshot`, { method: "POST", headers: { "content-type": "application/json" }, body });
        const answer = await response.json();
        assert.equal(response.status, 200, JSON.stringify(answer));
        rows.push(...answer.rows);
        if (!(page = answer.next)) return { scope, rows };
      }
    }));
  }

  /** Everybody is done, and shows what the server has. @param {State[]} state */
  agree(state) {
    for (const [browser, { tabs }] of this.browsers.entries()) {
      for (const tab of tabs) {
        const { pending, failing, stranded, storage, error } = tab.status;
        const status = { pending, failing, stranded, storage, error };
        assert.deepEqual(status, { pending: 0, failing: 0, stranded: 0, storage: "indexeddb", error: undefined }, `status of browser ${browser}`);
        for (const { scope, rows } of state) {
          const shown = tab.rows({ scope }).map(({ entity, id, data, pending }) => ({ entity, id, data, ...(pending && { pending }) }));
          assert.deepEqual(sorted(shown), sorted(rows), `${scope} in browser ${browser}`);
        }
      }
    }
    return true;
  }

  /** Nothing is lost, nothing is there twice. @param {State[]} state */
  check(state) {
    const rows = (/** @type {string} */ entity) => state.flatMap((scope) => scope.rows.filter((row) => row.entity === entity));
    const times = new Map();
    // A token is used in one scope.
    for (const { id, data } of rows("mark")) {
      assert.equal(data.times, 1, `mutation ${id} was applied ${data.times} times`);
      assert.ok(!times.has(id) && this.sent.has(id), `mutation ${id}`);
      times.set(id, data.times);
    }
    let counted = 0;
    for (const [token, { name, by, written, outcome }] of this.sent) {
      const there = times.has(token);
      const told = `${name} ${token}: written ${written}, told ${outcome}, ${there ? "applied" : "not applied"}`;
      // One whose browser crashed before it was written may be there or not; any other has been answered.
      assert.ok(written !== false || !there, told);
      if (outcome === "applied") assert.ok(there, told);
      if (outcome === "rejected") assert.ok(!there, told);
      assert.ok(outcome === undefined || ["applied", "rejected", "expired"].includes(outcome), told);
      const refusable = ["todo.create", "todo.toggle", "refuse"].includes(name);
      if (written && !refusable) assert.ok(there, told);
      if (name === "refuse") assert.ok(!there, told);
      if (name === "count" && there) counted += by;
    }
    const sum = (/** @type {string} */ id) => rows("counter").filter((row) => row.id === id).reduce((all, { data }) => all + data.count, 0);
    assert.equal(sum("all"), counted, "the sum of what was counted");
    assert.equal(sum("moved"), 0, "what is taken from one scope is given to the other");
    const lists = rows("list").map(({ data }) => data.items);
    const items = lists.flat();
    assert.deepEqual([...items].sort(), [...times.keys()].filter((token) => this.sent.get(token)?.name === "append").sort(), "the items of the lists");
    // What was done in a tab stays in its order.
    for (const list of lists) {
      for (const number of this.#tabs.values()) {
        const own = list.filter((/** @type {string} */ token) => token.startsWith(`${number} `));
        assert.deepEqual(own, [...own].sort(), `the order of what tab ${number} appended`);
      }
    }
    const outcomes = [...this.sent.values()].map(({ outcome }) => outcome);
    return { sent: this.sent.size, applied: times.size, rejected: outcomes.filter((outcome) => outcome === "rejected").length };
  }
}

/** @template {{ entity: string, id: string }} R @param {R[]} rows */
const sorted = (rows) => [...rows].sort((a, b) => (`${a.entity} ${a.id}` < `${b.entity} ${b.id}` ? -1 : 1));

/** @param {number} seed @param {string} place where the server keeps its data @param {Postgres} [postgres] */
async function run(seed, place, postgres) {
  const server = await new Server("sync_server", {}, [place]).start();
  const faults = await Faults.open(server, generator(seed + 1_000_000));
  const world = new World(generator(seed), server, faults, postgres);
  try {
    for (let step = 0; step < STEPS; step++) await world.step();
    await world.restarts;
    await faults.heal();
    for (const [number, { tabs }] of world.browsers.entries()) if (!tabs.size) world.open(number);
    const state = await until(async () => {
      const state = await world.state();
      return world.agree(state) && state;
    }, "everybody to agree", SOON);
    return { ...world.check(state), ...faults.seen };
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new Error(`seed ${seed} fails: ${message}\nthe server said:\n${server.output}`, { cause: error });
  } finally {
    for (const browser of world.browsers) browser.quit();
    faults.close();
    await server.stop();
  }
}

const seeds = SEED ? [Number(SEED)] : Array.from({ length: Number(SEEDS) }, (_, n) => n + 1);

for (const seed of seeds) {
  test(`on SQLite everybody agrees in the end, seed ${seed}`, { skip: STORE === "postgres", timeout: 60_000 }, async (t) => {
    t.diagnostic(JSON.stringify(await run(seed, "sync.db")));
  });
}

test("on PostgreSQL, which crashes as well,", { skip: STORE === "sqlite", timeout: 60_000 + seeds.length * 60_000 }, async (t) => {
  const postgres = new Postgres();
  t.after(() => postgres.stop());
  await postgres.start();
  for (const seed of seeds) {
    await t.test(`everybody agrees in the end, seed ${seed}`, { timeout: 60_000 }, async (t) => {
      t.diagnostic(JSON.stringify(await run(seed, postgres.database(`seed_${seed}`), postgres)));
    });
  }
});
