/** Kills what the cluster is made of, and starts it again a moment later. */
import { setTimeout as pass } from "node:timers/promises";

/** Between one kill and the next, in milliseconds. */
const BETWEEN = [300, 2_500];
/** How long something stays dead, in milliseconds. */
const DEAD = [50, 2_000];
/** How often each is chosen; PostgreSQL is, when neither of these. */
const NODE = 0.7;
const NATS = 0.22;

export class Chaos {
  #cluster;
  #random;
  /** What is dead or on its way back. @type {Map<object, Promise<void>>} */
  #down = new Map();
  kills = { node: 0, nats: 0, postgres: 0 };

  /** @param {import("./cluster.mjs").Cluster} cluster @param {() => number} random */
  constructor(cluster, random) {
    this.#cluster = cluster;
    this.#random = random;
  }

  /** Goes on until a time, then waits until everything is up. @param {number} ends */
  async run(ends) {
    while (Date.now() < ends) {
      await pass(this.#between(BETWEEN));
      const [kind, victim] = this.#choose();
      const dead = this.#between(DEAD);
      if (this.#down.has(victim)) continue;
      this.kills[kind]++;
      this.#down.set(victim, this.#strike(victim, dead));
    }
    while (this.#down.size) await Promise.all(this.#down.values());
  }

  /** @returns {["node" | "nats" | "postgres", { kill(): Promise<void>, start(): Promise<unknown> }]} */
  #choose() {
    const { nodes, nats, postgres } = this.#cluster;
    const [what, which] = [this.#random(), this.#random()];
    if (what < NODE) return ["node", nodes[Math.floor(which * nodes.length)]];
    return what < NODE + NATS ? ["nats", nats] : ["postgres", postgres];
  }

  /** @param {{ kill(): Promise<void>, start(): Promise<unknown> }} victim @param {number} dead in milliseconds */
  async #strike(victim, dead) {
    await victim.kill();
    await pass(dead);
    // A node can't start without its database, nor without NATS; whoever supervises it tries again.
    for (let tries = 1; ; tries++) {
      try {
        await victim.start();
        break;
      } catch (error) {
        if (tries === 20) throw error;
        await victim.kill();
        await pass(250);
      }
    }
    this.#down.delete(victim);
  }

  /** @param {number[]} range */
  #between([least, most]) {
    return least + this.#random() * (most - least);
  }
}
