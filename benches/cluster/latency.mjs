/**
 * From one person's submit to another person's changed page: an event over a session, the mutation, its commit, the poke, the
 * rendering and the patch, as the other page's session has applied it.
 *
 *     cargo build --examples --all-features && npm ci --prefix runtime-js
 *     node benches/cluster/latency.mjs [--quick]
 *
 * Release binaries are measured when `MIZU_EXAMPLES` names their folder: `cargo build --release --examples --all-features`, then
 * `MIZU_EXAMPLES=target/release/examples`. Both pages are on one node of the example `todo` (SQLite), on one node of `cluster`
 * (PostgreSQL, NATS), and on two of its nodes. Beside them stand, in the same run, what crossing nodes can't do without: an INSERT
 * with its commit and a message through NATS, both by the bare protocol. One of each in each round; the list holds one todo and is
 * empty again before the next. PostgreSQL runs with `fsync=off`, for all alike. The clients are this process, and its time is part of each
 * figure.
 */
import { setTimeout as pass } from "node:timers/promises";
import { Server } from "../../tests/browser/support/server.mjs";
import { Cluster } from "../../tests/cluster/support/cluster.mjs";
import { Person } from "../../tests/cluster/support/person.mjs";
import { NatsRound, PostgresInsert } from "./bare.mjs";

const quick = process.argv.includes("--quick");
const SUBMITS = quick ? 20 : 1_000;
/** Before the first that counts: caches and pools are filled, programs are compiled. */
const WARMING = quick ? 5 : 50;
/** Between one round and the next, in milliseconds: people don't hurry. */
const PACE = 20;

/** @typedef {{ what: string, times: number[], once: (number: number) => Promise<number> }} Measured `once` gives milliseconds */

/**
 * A submit of one page until it shows on the other, and the todo's removal after that.
 *
 * @param {string} what @param {Person} from @param {Person} to @param {Person[]} everybody who sees it
 * @returns {Measured}
 */
function submits(what, from, to, everybody) {
  return {
    what,
    times: [],
    async once(number) {
      const title = `${what} ${number}`;
      const shown = when(to, () => to.sees(title));
      const start = performance.now();
      const added = from.add(title);
      const end = await shown;
      await Promise.all([added, ...everybody.map((person) => when(person, () => person.sees(title)))]);
      const gone = everybody.map((person) => when(person, () => person.todos().length === 0));
      await from.delete(to.todos()[0].id);
      await Promise.all(gone);
      return end - start;
    },
  };
}

/** The time at which a patch makes it so. @param {Person} person @param {() => boolean} ask @returns {Promise<number>} */
function when(person, ask) {
  return new Promise((resolve) => {
    const look = () => ask() && resolve(performance.now());
    person.screen.changed = look;
    look();
  });
}

/** @param {Server} server */
const visit = (server) => new Person(server.url).open();

const cluster = await Cluster.start(2);
const alone = await new Server("todo").start();
const [first, second] = cluster.nodes;
const people = await Promise.all([alone, alone, first, first, second].map(visit));
const [a, b, c, d, e] = people;
const insert = await PostgresInsert.open(cluster.database);
const message = await NatsRound.open(cluster.nats.port);
try {
  /** @type {Measured[]} */
  const all = [
    submits("one node, SQLite", a, b, [a, b]),
    submits("one node, PostgreSQL and NATS", c, d, [c, d, e]),
    submits("two nodes, PostgreSQL and NATS", c, e, [c, d, e]),
    { what: "bare: INSERT and commit", times: [], once: () => insert.once() },
    { what: "bare: a message through NATS", times: [], once: () => message.once() },
  ];
  for (let number = -WARMING; number < SUBMITS; number++) {
    // What comes after what is chance, so that nothing profits from what was before it.
    for (const { once, times } of all.toSorted(() => Math.random() - 0.5)) {
      const time = await once(number);
      if (number >= 0) times.push(time);
    }
    await pass(PACE);
  }
  console.log(`| ${SUBMITS} times, in milliseconds | p50 | p99 |\n|---|---|---|`);
  for (const { what, times } of all) console.log(`| ${what} | ${share(times, 0.5)} | ${share(times, 0.99)} |`);
} finally {
  people.forEach((person) => person.close());
  insert.close();
  message.close();
  await Promise.all([alone.stop(), cluster.stop()]);
}

/** The time that a share of all does not exceed. @param {number[]} times @param {number} part */
function share(times, part) {
  return times.toSorted((a, b) => a - b)[Math.ceil(times.length * part) - 1].toFixed(2);
}
