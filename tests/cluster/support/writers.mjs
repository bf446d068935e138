/**
 * Those who write while things die: scripts over REST, sync clients, people on pages. Each does one thing after the other
 * and tries again until it is acknowledged, or, on a page, until it knows what became of it. Titles are never used twice.
 */
import assert from "node:assert/strict";
import { setTimeout as pass } from "node:timers/promises";
import { until } from "../../browser/support/wait.mjs";
import { call } from "./call.mjs";

/** @typedef {import("./cluster.mjs").Cluster} Cluster */
/** @typedef {import("./screen.mjs").Todo} Todo */
/** @typedef {{ op: "create" | "update" | "delete", entity: string, id: string, data?: Todo }} Change of the log */

/** Between one write and the next of a writer, in milliseconds: people and scripts don't hurry. */
const PACE = 800;
/** Before something is tried again, in milliseconds. */
const AGAIN = 100;
/** A writer keeps no more todos than this. */
const KEPT = 6;
/** Something that can't be written for so long never will be, in milliseconds. */
const ENOUGH = 60_000;

/** @typedef {{ id: string, title: string, done: boolean, toggles: number, deleted: boolean }} Fate of a todo, by what was acknowledged */

class Writer {
  cluster;
  random;
  name;
  /** @type {Fate[]} */
  fates = [];
  acknowledged = 0;
  attempts = 0;

  /** @param {string} name @param {Cluster} cluster @param {() => number} random */
  constructor(name, cluster, random) {
    this.name = name;
    this.cluster = cluster;
    this.random = random;
  }

  /** @param {number} ends */
  async run(ends) {
    for (let number = 0; Date.now() < ends; number++) {
      await this.step(number);
      await pass(this.random() * PACE);
    }
  }

  /** @param {number} number of the step */
  async step(number) {
    const kept = this.fates.filter(({ deleted }) => !deleted);
    const fate = kept[Math.floor(this.random() * kept.length)];
    const what = kept.length >= KEPT ? "delete" : !fate || this.random() < 0.5 ? "create" : this.random() < 0.7 ? "toggle" : "delete";
    if (what === "create") {
      this.fates.push({ ...(await this.create(`${this.name} ${number}`)), done: false, toggles: 0, deleted: false });
    } else if (what === "toggle") {
      await this.toggle(fate.id, !fate.done);
      fate.done = !fate.done;
      fate.toggles++;
    } else {
      await this.delete(fate.id);
      fate.deleted = true;
    }
    this.acknowledged++;
  }

  /** Tries until it is so. @template T @param {() => Promise<T | undefined>} attempt @returns {Promise<T>} */
  async insist(attempt) {
    for (const until = Date.now() + ENOUGH; ; ) {
      this.attempts++;
      const done = await attempt();
      if (done !== undefined) return done;
      assert.ok(Date.now() < until, `${this.name} could not write`);
      await pass(AGAIN);
    }
  }

  /** The store and its log have what was acknowledged, once. @param {Todo[]} stored @param {Change[]} log */
  check(stored, log) {
    for (const { id, title, done, toggles, deleted } of this.fates) {
      const rows = stored.filter((todo) => todo.title === title);
      assert.deepEqual(rows, deleted ? [] : [{ id, title, done }], `${title} in the store`);
      const count = (/** @type {string} */ op) => log.filter((change) => change.id === id && change.op === op).length;
      assert.deepEqual([count("create"), count("update"), count("delete")], [1, toggles, Number(deleted)], `${title} in the log`);
    }
    const mine = stored.filter(({ title }) => title.startsWith(`${this.name} `));
    assert.equal(mine.length, this.fates.filter(({ deleted }) => !deleted).length, `${this.name} wrote nothing else`);
  }

  /** @param {string} title @returns {Promise<{ id: string, title: string }>} */
  async create(title) {
    throw new Error(`${this.name} can't create ${title}`);
  }

  /** @param {string} id @param {boolean} done */
  async toggle(id, done) {
    throw new Error(`${this.name} can't toggle ${id} to ${done}`);
  }

  /** @param {string} id */
  async delete(id) {
    throw new Error(`${this.name} can't delete ${id}`);
  }
}

/** A script: REST with a key for each write. */
export class RestWriter extends Writer {
  #keys = 0;

  /** @override @param {string} title */
  async create(title) {
    const { id } = await this.#send("POST", "", { title });
    return { id, title };
  }

  /** @override @param {string} id @param {boolean} done */
  async toggle(id, done) {
    await this.#send("PUT", `/${id}`, { done });
  }

  /** @override @param {string} id */
  async delete(id) {
    await this.#send("DELETE", `/${id}`);
  }

  /** @param {string} method @param {string} path @param {object} [json] @returns {Promise<Todo>} */
  #send(method, path, json) {
    const headers = { "idempotency-key": `${this.name}-${++this.#keys}` };
    return this.insist(async () => {
      const answer = await call(`${this.cluster.url}/api/todos${path}`, { method, json, headers }).catch(() => undefined);
      if (!answer || answer.status === 503) return undefined;
      assert.ok(answer.status < 300, `${this.name}: ${method} ${path}: ${answer.status} ${answer.text}`);
      return answer.status === 204 ? {} : answer.json();
    });
  }
}

/** A sync client: pushes with numbers. */
export class PushWriter extends Writer {
  #client = crypto.randomUUID();
  #seq = 0;

  /** @override @param {string} title */
  async create(title) {
    const id = crypto.randomUUID();
    await this.#push("todo.create", { id, title });
    return { id, title };
  }

  /** @override @param {string} id @param {boolean} done */
  async toggle(id, done) {
    await this.#push("todo.merge", { id, done });
  }

  /** @override @param {string} id */
  async delete(id) {
    await this.#push("todo.delete", { id });
  }

  /** @param {string} name @param {object} args */
  #push(name, args) {
    const seq = ++this.#seq;
    const json = { client: this.#client, mutations: [{ seq, id: crypto.randomUUID(), name, scope: "todos", args }] };
    return this.insist(async () => {
      const answer = await call(`${this.cluster.url}/_sync/push`, { json }).catch(() => undefined);
      if (!answer || answer.status === 503) return undefined;
      assert.equal(answer.status, 200, `${this.name}: ${answer.text}`);
      const { results } = answer.json();
      assert.deepEqual(results.map((/** @type {any} */ result) => [result.seq, result.status]), [[seq, "applied"]]);
      return true;
    });
  }
}

/** A person: adds by events of a page. One whose answer was lost may have been done or not; it is not sent again. */
export class SessionWriter extends RestWriter {
  /** @type {import("./person.mjs").Person | undefined} */
  #person;
  /** Titles of what may have been done, once. @type {string[]} */
  #uncertain = [];

  /** @override @param {number} ends */
  async run(ends) {
    this.#person = await this.cluster.person();
    await super.run(ends);
  }

  /** @override @param {string} title */
  async create(title) {
    for (let again = 1; ; again++) {
      const person = /** @type {import("./person.mjs").Person} */ (this.#person);
      await until(() => person.joined, `the page of ${this.name}`, ENOUGH);
      this.attempts++;
      const name = `${title}.${again}`;
      if (await person.add(name).then(() => true, () => false)) {
        const id = await until(() => person.todos().find(({ title }) => title === name)?.id, `${name} on its own page`, ENOUGH);
        return { id: String(id), title: name };
      }
      this.#uncertain.push(name);
      await pass(AGAIN);
    }
  }

  /** @override @param {Todo[]} stored @param {Change[]} log */
  check(stored, log) {
    const count = (/** @type {string} */ name) => stored.filter(({ title }) => title === name).length;
    for (const name of this.#uncertain) assert.ok(count(name) <= 1, `${name} was done twice`);
    const others = stored.filter(({ title }) => !this.#uncertain.includes(title));
    super.check(others, log);
  }
}
