/**
 * Many nodes are one: the example `cluster` on two and three nodes behind a proxy without sticky sessions. What is written on
 * one shows on all; nodes, NATS and PostgreSQL are killed, and pages go on.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, heard, joined, stamp, texts, visit } from "../browser/support/browser.mjs";
import { becomes, until } from "../browser/support/wait.mjs";
import { call } from "./support/call.mjs";
import { Cluster } from "./support/cluster.mjs";

/** @typedef {import("./support/person.mjs").Person} Person */

const scene = browser();

/** A test that takes longer than this hangs, in milliseconds. */
const TIMEOUT = 60_000;

/** The ways in: each writes a todo on a node. @type {Record<string, (url: string, title: string, person: Person) => Promise<void>>} */
const WAYS = {
  REST: write,
  push,
  event: (_, title, person) => person.add(title),
  async "plain form"(url, title) {
    await post(url, url, title);
  },
};

/** @param {string} name @param {number} nodes @param {(cluster: Cluster) => Promise<void>} run */
function clustered(name, nodes, run) {
  test(name, { timeout: TIMEOUT }, async (t) => {
    const cluster = await Cluster.start(nodes);
    t.after(() => cluster.stop());
    await run(cluster);
  });
}

for (const count of [2, 3]) {
  clustered(`what is written on one of ${count} nodes shows on all, whichever way it came`, count, async (cluster) => {
    const people = await Promise.all(cluster.nodes.map((node) => cluster.person(node.url)));
    const titles = [];
    for (const [way, run] of Object.entries(WAYS)) {
      for (const [at, node] of cluster.nodes.entries()) {
        const title = `by ${way} on node ${at}`;
        titles.push(title);
        await run(node.url, title, people[at]);
        await all(people, title);
      }
    }
    const stored = await cluster.todos();
    assert.deepEqual(stored.map(({ title }) => title).sort(), titles.sort(), "each was written once");
    for (const person of people) assert.deepEqual(person.todos(), stored);
    assert.deepEqual(people.flatMap(({ failures }) => failures), []);
    assert.deepEqual(people.map(({ joins }) => joins), people.map(() => 1), "nobody was joined a second time");
  });
}

clustered("a page of one node is posted to another one and shown by a third, without scripts", 3, async (cluster) => {
  const [first, second, third] = cluster.nodes;
  const shown = await post(first.url, second.url, "wandering", third.url);
  assert.match(shown, />wandering<\/span>/);
  assert.deepEqual((await cluster.todos()).map(({ title }) => title), ["wandering"]);
});

clustered("the pages of a node that is killed come back on others, and nothing that was stored is lost", 3, async (cluster) => {
  const [first] = cluster.nodes;
  cluster.onlyTo(first);
  const people = await Promise.all(Array.from({ length: 10 }, () => cluster.person()));
  cluster.anywhere();
  await Promise.all(people.map((person, at) => person.add(`of person ${at}`)));
  await first.kill();
  await write(cluster.url, "after the crash");
  await all(people, "after the crash");
  const stored = await cluster.todos();
  assert.equal(stored.length, people.length + 1);
  for (const person of people) {
    assert.deepEqual(person.todos(), stored);
    assert.deepEqual([person.joins, person.mounts, person.failures], [2, 1, []], "mounted anew, once, without an error");
  }
  await Promise.all(people.map((person, at) => person.add(`again of person ${at}`)));
  await first.start();
  const late = await cluster.person(first.url);
  assert.equal(late.todos().length, 2 * people.length + 1, "the node that is back knows everything");
  await write(cluster.nodes[1].url, "to the node that is back");
  await all([late, ...people], "to the node that is back");
});

clustered("an event that was sent to a node as it died is answered or told as lost", 2, async (cluster) => {
  const [first] = cluster.nodes;
  cluster.onlyTo(first);
  const person = await cluster.person();
  cluster.anywhere();
  const [added] = await Promise.all([person.add("perhaps").then(() => true, () => false), first.kill()]);
  await until(() => person.joined, "the page on the other node");
  const stored = (await cluster.todos()).map(({ title }) => title);
  assert.ok(!added || stored.length === 1, "what was answered is stored");
  assert.ok(stored.length <= 1);
  await person.add("certainly");
  await all([person], "certainly");
});

clustered("what is written while NATS is away shows on all nodes when it is back", 3, async (cluster) => {
  const people = await Promise.all(cluster.nodes.map((node) => cluster.person(node.url)));
  await write(cluster.nodes[0].url, "before");
  await all(people, "before");
  await cluster.nats.kill();
  for (const [at, node] of cluster.nodes.entries()) {
    await write(node.url, `meanwhile on node ${at}`);
    await all([people[at]], `meanwhile on node ${at}`);
  }
  await cluster.nats.start();
  // Nothing is written any more: what was missed comes by itself.
  for (const at of cluster.nodes.keys()) await all(people, `meanwhile on node ${at}`);
  await write(cluster.nodes[2].url, "after");
  await all(people, "after");
  assert.deepEqual(people.map(({ joins, failures }) => [joins, failures]), people.map(() => [1, []]), "no page noticed");
});

clustered("while PostgreSQL is away writes are refused, and afterwards everything works on the same nodes and pages", 3, async (cluster) => {
  const people = await Promise.all(cluster.nodes.map((node) => cluster.person(node.url)));
  await people[0].add("before");
  await all(people, "before");
  await cluster.postgres.kill();
  for (const node of cluster.nodes) {
    const refused = await call(`${node.url}/api/todos`, { json: { title: "refused" } });
    assert.deepEqual([refused.status, refused.json().code], [503, "unavailable"]);
  }
  await assert.rejects(people[0].add("refused"), "the page says that it was not done");
  assert.ok(people[0].sees("before"), "the page still shows what it showed");
  await cluster.postgres.start();
  for (const [at, node] of cluster.nodes.entries()) {
    await until(async () => (await call(`${node.url}/api/todos`)).status === 200, `node ${at}`);
    await write(node.url, `after on node ${at}`);
    await people[at].add(`after by person ${at}`);
    await all(people, `after on node ${at}`);
    await all(people, `after by person ${at}`);
  }
  const stored = await cluster.todos();
  assert.ok(!stored.some(({ title }) => title === "refused"), "what was refused was not done");
  for (const person of people) assert.deepEqual([person.todos(), person.joins], [stored, 1]);
});

clustered("a write that PostgreSQL's end interrupted is done once, when it is sent again", 2, async (cluster) => {
  const send = (/** @type {number} */ at) =>
    call(`${cluster.url}/api/todos`, { json: { title: `todo ${at}` }, headers: { "idempotency-key": `key-${at}` } });
  const person = await cluster.person();
  const first = Array.from({ length: 40 }, (_, at) => send(at).then(({ status }) => status, () => 0));
  await Promise.race(first);
  await cluster.postgres.kill();
  const statuses = await Promise.all(first);
  assert.ok(statuses.every((status) => status === 201 || status === 503), `${statuses}`);
  await cluster.postgres.start();
  for (const at of first.keys()) await until(async () => (await send(at)).status === 201, `todo ${at}`);
  const stored = await cluster.todos();
  assert.deepEqual(stored.map(({ title }) => title).sort(), Array.from(first.keys(), (at) => `todo ${at}`).sort());
  await becomes(async () => person.todos(), stored);
});

clustered("a node that is stopped in good order sends its pages to others", 3, async (cluster) => {
  const [first] = cluster.nodes;
  cluster.onlyTo(first);
  const people = await Promise.all(Array.from({ length: 10 }, () => cluster.person()));
  cluster.anywhere();
  await Promise.all([first.kill("SIGTERM"), write(cluster.nodes[1].url, "meanwhile")]);
  await all(people, "meanwhile");
  await until(() => people.every((person) => person.joined), "everybody on another node");
  for (const person of people) assert.deepEqual([person.joins, person.failures], [2, []]);
});

for (const { what, signal } of /** @type {const} */ ([
  { what: "is killed", signal: "SIGKILL" },
  { what: "is stopped in good order", signal: "SIGTERM" },
])) {
  scene(`a browser keeps what was typed while its node ${what}, and the list follows`, async ({ page, later }) => {
    const cluster = await Cluster.start(2);
    later(() => cluster.stop());
    const [first, second] = cluster.nodes;
    cluster.onlyTo(first);
    await visit(page, `${cluster.url}/todos`);
    cluster.anywhere();
    const same = await stamp(page);
    await write(first.url, "before");
    await becomes(() => texts(page, "#todos .title"), ["before"]);
    await page.focus("#new-todo input[name=title]");
    await page.keyboard.type("half a todo");
    for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowLeft");

    await first.kill(signal);
    await write(second.url, "meanwhile");
    await until(async () => (await texts(page, "#todos .title")).includes("meanwhile"), "the list");
    await joined(page);
    await page.keyboard.type("new ");

    assert.equal(await page.inputValue("#new-todo input[name=title]"), "half a new todo");
    await page.keyboard.press("Enter");
    await until(async () => (await cluster.todos(second.url)).some(({ title }) => title === "half a new todo"), "the todo in the store");
    await becomes(async () => (await texts(page, "#todos .title")).sort(), ["before", "half a new todo", "meanwhile"]);
    await same();
    assert.deepEqual((await heard(page)).map(({ event }) => event), ["connected", "disconnected", "connected"], "no error was shown");
  });
}

/** Waits until everybody sees a todo. @param {Person[]} people @param {string} title */
async function all(people, title) {
  await until(() => people.every((person) => person.sees(title)), `${JSON.stringify(title)} on all pages`);
}

/** As a script does. @param {string} url @param {string} title */
async function write(url, title) {
  const { status } = await call(`${url}/api/todos`, { json: { title } });
  assert.equal(status, 201);
}

/** As a sync client does: its first mutation. @param {string} url @param {string} title */
async function push(url, title) {
  const id = crypto.randomUUID();
  const mutation = { seq: 1, id: `m-${id}`, name: "todo.create", scope: "todos", args: { id, title } };
  const { status, json } = await call(`${url}/_sync/push`, { json: { client: id, mutations: [mutation] } });
  assert.equal(status, 200);
  assert.equal(json().results[0].status, "applied");
}

/**
 * As a browser without scripts does: loads the page, posts its form and follows the answer.
 *
 * @param {string} from where the page comes from @param {string} to where its form goes @param {string} title @param {string} [then] where the answer leads
 */
async function post(from, to, title, then = to) {
  const { text } = await call(`${from}/todos`);
  const token = /name="lv-token"[^>]* value="([^"]*)"/.exec(text)?.[1] ?? "";
  const form = { lv: "Add", "lv-token": token, title };
  const answer = await call(`${to}/todos`, { form, headers: { "sec-fetch-site": "same-origin" } });
  assert.equal(answer.status, 303);
  const cookie = answer.headers["set-cookie"]?.map((line) => line.split(";")[0]).join("; ") ?? "";
  const shown = await call(then + answer.headers.location, { headers: { cookie } });
  assert.equal(shown.status, 200);
  return shown.text;
}
