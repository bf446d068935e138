/**
 * Two hundred open pages on three nodes, people and scripts that write, and things that die: at random a node, NATS or, more
 * rarely, PostgreSQL is killed with SIGKILL and started again a moment later. Afterwards every page shows exactly what the
 * store holds, and everything that was acknowledged was done once.
 *
 * ```sh
 * cargo build --examples --all-features
 * CHAOS_SECONDS=300 node --test tests/cluster/chaos.test.mjs     # the full run; 60 seconds are the default
 * CHAOS_SEED=7 node --test tests/cluster/chaos.test.mjs          # what is killed when, though not how it interleaves
 * ```
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { until } from "../browser/support/wait.mjs";
import { call } from "./support/call.mjs";
import { Chaos } from "./support/chaos.mjs";
import { Cluster } from "./support/cluster.mjs";
import { generator } from "./support/random.mjs";
import { PushWriter, RestWriter, SessionWriter } from "./support/writers.mjs";

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 60);
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1e9));
const NODES = 3;
const PEOPLE = 200;
/** Pages are opened so many at a time. */
const TOGETHER = 10;
/** How soon everybody has to agree when all is well again, in milliseconds. */
const SOON = 30_000;
/** What the run may take besides its chaos, in milliseconds. */
const REST = 180_000;

test(`${PEOPLE} pages on ${NODES} nodes, ${SECONDS} seconds of chaos, CHAOS_SEED=${SEED}`, { timeout: SECONDS * 1000 + REST }, async (t) => {
  const random = generator(SEED);
  const cluster = await Cluster.start(NODES, generator(SEED + 1));
  t.after(() => cluster.stop());
  for (let at = 0; at < PEOPLE; at += TOGETHER) {
    await Promise.all(Array.from({ length: TOGETHER }, () => cluster.person()));
  }
  const writers = [
    ...Array.from({ length: 3 }, (_, at) => new RestWriter(`rest${at}`, cluster, generator(SEED + 10 + at))),
    ...Array.from({ length: 3 }, (_, at) => new PushWriter(`push${at}`, cluster, generator(SEED + 20 + at))),
    ...Array.from({ length: 2 }, (_, at) => new SessionWriter(`page${at}`, cluster, generator(SEED + 30 + at))),
  ];
  const chaos = new Chaos(cluster, random);
  const ends = Date.now() + SECONDS * 1000;
  const writing = writers.map((writer) => writer.run(ends));
  await chaos.run(ends);
  await Promise.all(writing);
  assert.ok(chaos.kills.node > 0, "the run is long enough for something to be killed");

  const well = Date.now();
  const stored = await until(() => cluster.todos(), "the store", SOON);
  const behind = () => cluster.people.filter((person) => !person.joined || !isDeepStrictEqual(person.todos(), stored));
  await until(() => behind().length === 0, "every page to show what the store holds", SOON).catch(() => {});
  const late = behind();
  const some = late.slice(0, 5).map((person) => JSON.stringify(describe(person, stored)));
  assert.equal(late.length, 0, `pages that don't show what the store holds, the first of them:\n${some.join("\n")}`);
  const converged = Date.now() - well;

  const { status } = await call(`${cluster.nodes[0].url}/api/todos`, { json: { title: "the last word" } });
  assert.equal(status, 201);
  await until(() => cluster.people.every((person) => person.sees("the last word")), "news on every page: none is stuck", SOON);
  assert.deepEqual(cluster.people.filter((person) => person.stopped).map(({ failures }) => failures), [], "no page gave up");

  const log = await history(cluster.url);
  for (const writer of writers) writer.check(stored, log);

  const sum = (/** @type {(person: import("./support/person.mjs").Person) => number} */ count) =>
    cluster.people.reduce((sum, person) => sum + count(person), 0);
  const codes = tally(cluster.people.flatMap(({ failures }) => failures.map(({ code }) => code)));
  t.diagnostic(`killed: ${words(chaos.kills)}`);
  t.diagnostic(`${sum(({ joins }) => joins)} joins by ${cluster.people.length} pages, ${sum(({ mounts }) => mounts)} of them mounted anew`);
  t.diagnostic(`failures that pages told: ${words(codes)}; regions asked for whole: ${sum(({ screen }) => screen.asks)}`);
  for (const { name, acknowledged, attempts } of writers) t.diagnostic(`${name}: ${acknowledged} writes acknowledged, ${attempts} attempts`);
  t.diagnostic(`${stored.length} todos on each page, ${converged} ms after all was well`);
});

/** @param {Record<string, number>} counts */
function words(counts) {
  return Object.entries(counts).map(([name, count]) => `${count} ${name}`).join(", ") || "none";
}

/**
 * Every change of the log from its beginning.
 *
 * @param {string} url
 * @returns {Promise<import("./support/writers.mjs").Change[]>}
 */
async function history(url) {
  const changes = [];
  let cursor;
  for (;;) {
    const { status, text, json } = await call(`${url}/_sync/pull`, { json: { scope: "todos", cursor } });
    assert.equal(status, 200, text);
    const pulled = json();
    changes.push(...pulled.changes);
    if (!pulled.has_more) return changes;
    cursor = pulled.cursor;
  }
}

/** What is wrong with a page. @param {import("./support/person.mjs").Person} person @param {import("./support/screen.mjs").Todo[]} stored */
function describe(person, stored) {
  const shown = person.todos();
  const has = (/** @type {any[]} */ rows, /** @type {any} */ row) => rows.some((other) => isDeepStrictEqual(other, row));
  return {
    joined: person.joined,
    stopped: person.stopped,
    joins: person.joins,
    failures: person.failures.slice(-3),
    missing: stored.filter((todo) => !has(shown, todo)).length,
    extra: shown.filter((todo) => !has(stored, todo)).length,
  };
}

/** @param {string[]} names */
function tally(names) {
  /** @type {Record<string, number>} */
  const counts = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
