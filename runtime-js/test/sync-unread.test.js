// @vitest-environment node
/** Pushes that the server doesn't even read: too large for it, or nothing that it would call a push. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Browser, ids, Network, SCOPE, settle, until } from "./support/sync.js";

/** @type {Network} */
let network;
/** @type {Browser} */
let browser;

beforeEach(() => {
  network = new Network();
  browser = new Browser(network);
});
afterEach(() => browser.quit());

/** @param {string} id @param {string} [title] */
const todo = (id, title = id) => ({ id, title });

/** Queues without a network. @param {import("../src/sync/index.js").MizuSync} sync @param {object[]} todos */
async function queue(sync, todos) {
  network.fate = () => "lost";
  const made = todos.map((todo) => sync.mutate("todo.create", todo, { scope: SCOPE }));
  await Promise.all(made.map(({ queued }) => queued));
  await until(() => sync.status.state === "offline");
  network.requests = [];
  network.fate = () => "ok";
  return made.map(({ done }) => done);
}

/** Numbers up to `count`. @param {number} count */
const upTo = (count) => Array.from({ length: count }, (_, n) => n + 1);

test("P22 a server that takes fewer mutations at once gets fewer, in order, each once", async () => {
  network.server.limits.mutations = 10;
  const sync = await browser.open();
  const done = await queue(sync, upTo(50).map((n) => todo(`t${n}`)));
  expect(await sync.sync()).toBe(true);
  expect((await Promise.all(done)).every(({ status }) => status === "applied")).toBe(true);
  const lengths = network.pushed.map(({ length }) => length);
  expect(lengths).toEqual([50, 25, 12, 6, 6, 6, 6, 6, 6, 6, 6, 2]);
  expect(network.server.ran.map((ran) => Number(ran.split(" ")[1]))).toEqual(upTo(50));
});

test("P25 a mutation that alone is more than the server reads is rejected, with the server's word, and blocks nothing", async () => {
  network.server.limits.bytes = 1_000;
  const sync = await browser.open();
  /** @type {unknown[]} */
  const settled = [];
  sync.on("settled", ({ name, code }) => settled.push([name, code]));
  const [a, big, c] = await queue(sync, [todo("a"), todo("b", "x".repeat(2_000)), todo("c")]);
  expect(ids(sync)).toBe("a* b* c*");
  expect(await sync.sync()).toBe(true);
  expect(await big).toEqual({ status: "rejected", code: "too_large", error: "refused: too_large" });
  expect([await a, await c]).toEqual([expect.objectContaining({ status: "applied" }), expect.objectContaining({ status: "applied" })]);
  expect(ids(sync)).toBe("a c");
  expect(sync.status).toMatchObject({ pending: 0, state: "online", error: undefined });
  expect(settled).toContainEqual(["todo.create", "too_large"]);
  // The number is taken, so that what comes later has no gap before it.
  expect([...network.server.clients.values()].map(({ last }) => last)).toEqual([3]);
});

test("P2 what takes the place of an unread mutation is the same in every retry", async () => {
  network.server.limits.bytes = 1_000;
  const sync = await browser.open();
  await queue(sync, [todo("b", "x".repeat(2_000)), todo("c")]);
  network.fate = ({ path, body }) => (path === "push" && !body.mutations[0].name ? "unheard" : "ok");
  expect(await sync.push()).toBe(false);
  browser.quit();
  network.fate = () => "twice";
  const again = await browser.open();
  expect(await again.sync()).toBe(true);
  expect(again.status).toMatchObject({ pending: 0, stranded: 0 });
  expect(ids(again)).toBe("c");
  const empty = network.of("push").flatMap(({ mutations }) => mutations.filter(({ name }) => !name));
  expect(new Set(empty.map((mutation) => JSON.stringify(mutation))).size).toBe(1);
  expect(empty.length).toBeGreaterThan(1);
  expect(network.server.ran).toHaveLength(1);
});

test("P24 an app that refuses every request as invalid costs no mutation", async () => {
  const sync = await browser.open();
  const done = await queue(sync, [todo("a"), todo("b"), todo("c")]);
  network.server.broken = true;
  for (let n = 0; n < 4; n++) expect(await sync.push()).toBe(false);
  expect(sync.status).toMatchObject({ pending: 3, state: "error", error: { code: "invalid" } });
  network.server.broken = false;
  await sync.sync();
  expect((await Promise.all(done)).map(({ status }) => status)).toEqual(["applied", "applied", "applied"]);
  expect(ids(sync)).toBe("a b c");
});

test("P25 a mutation that the server can't read doesn't hold up the others", async () => {
  const sync = await browser.open();
  const title = "the server finds a fault in this";
  const done = await queue(sync, [todo("a"), todo("b"), todo("c", title), todo("d"), todo("e")]);
  const { fetch } = network;
  network.fetch = (url, init) => {
    if (!String(init.body).includes(title)) return fetch.call(network, url, init);
    return Promise.resolve(new Response(JSON.stringify({ code: "invalid", error: "unreadable" }), { status: 400 }));
  };
  expect(await sync.sync()).toBe(true);
  expect((await Promise.all(done)).map(({ code }) => code)).toEqual([undefined, undefined, "invalid", undefined, undefined]);
  expect(ids(sync)).toBe("a b d e");
});

test.each(["", "\ud800", "a\udc00b", "!system", "a\nb", "ä".repeat(101)])("%j is no scope, and is refused right there", async (scope) => {
  const sync = await browser.open();
  const invalid = expect.objectContaining({ code: "invalid", message: expect.stringContaining(JSON.stringify(scope)) });
  await expect(sync.mutate("todo.create", todo("a"), { scope }).queued).rejects.toEqual(scope ? invalid : expect.objectContaining({ code: "invalid" }));
  expect(() => sync.subscribe({ scope }, () => {})).toThrow(invalid);
  await expect(sync.pull(scope)).rejects.toEqual(invalid);
  await settle();
  expect(sync.status.pending).toBe(0);
  expect(network.requests).toEqual([]);
});

test("a mutation without a scope says what is missing", async () => {
  const sync = await browser.open();
  for (const options of [undefined, {}]) {
    // @ts-expect-error as from a script without types
    await expect(sync.mutate("todo.create", todo("a"), options).queued).rejects.toThrow("mutate needs { scope }");
  }
  // @ts-expect-error the same
  await expect(sync.mutate("todo.create", todo("a"), { scope: 5 }).queued).rejects.toThrow("5 is no name");
});
