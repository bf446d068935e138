// @vitest-environment node
import { afterEach, beforeEach, expect, test } from "vitest";
import { Browser, ids, Network, SCOPE, settle, until, watch } from "./support/sync.js";

/** @type {Network} */
let network;
/** @type {Browser} */
let browser;

beforeEach(() => {
  network = new Network();
  browser = new Browser(network);
});
afterEach(() => browser.quit());

/** @param {string} id */
const todo = (id) => ({ id, title: `Title of ${id}` });

test("P18 a mutation is shown at once, and stays in the queue until a pull acks it", async () => {
  const sync = await browser.open();
  const told = watch(sync);
  await until(() => told.at(-1)?.synced);
  /** @type {() => void} */
  let go = () => {};
  const held = new Promise((/** @type {(fate: "ok") => void} */ done) => (go = () => done("ok")));
  network.fate = ({ path }) => (path === "pull" ? held : "ok");
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  expect(ids(sync)).toBe("a*");
  await until(() => network.pushed.length);
  await settle();
  // The server has said `applied`; that alone changes nothing.
  expect(sync.status.pending).toBe(1);
  expect(ids(sync)).toBe("a*");
  go();
  expect(await done).toMatchObject({ status: "applied" });
  expect(ids(sync)).toBe("a");
  expect(sync.status.pending).toBe(0);
  expect(network.server.ran).toHaveLength(1);
});

test("P25 a rejection reaches the mutation's promise with its code, and its effect goes", async () => {
  const sync = await browser.open();
  watch(sync);
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  network.server.mutator("todo.rename", () => {
    throw new Error("no");
  });
  sync.mutator("todo.rename", (tx, /** @type {{ id: string, title: string }} */ { id, title }) => tx.put("todo", id, { id, title }));
  /** @type {unknown[]} */
  const settled = [];
  sync.on("settled", (detail) => settled.push(detail));
  const { id, done } = sync.mutate("todo.rename", { id: "a", title: "B" }, { scope: SCOPE });
  expect(sync.rows({ scope: SCOPE })[0].data).toEqual({ id: "a", title: "B" });
  expect(await done).toMatchObject({ status: "rejected", code: "failed" });
  expect(sync.rows({ scope: SCOPE })[0].data).toEqual(todo("a"));
  expect(settled).toEqual([expect.objectContaining({ id, name: "todo.rename", status: "rejected", code: "failed" })]);
});

test("P18 a mutation of two scopes waits for both acks, and is replayed only where there is none", async () => {
  const other = "user:ann:log";
  /** @param {string} scope */
  const scopes = (scope) => [scope, other];
  network.server.mutator("todo.log", (tx, scope, { id }) => {
    tx.set(scope, "todo", id, { id });
    tx.set(other, "line", id, { id });
  }, scopes);
  const sync = await browser.open();
  sync.mutator("todo.log", (tx, /** @type {{ id: string }} */ { id }) => {
    tx.put("todo", id, { id });
    tx.scope(other).put("line", id, { id });
  }, { scopes: () => [other] });
  network.fate = ({ path, body }) => (path !== "push" && body.scope === other ? "lost" : "ok");
  const { done } = sync.mutate("todo.log", { id: "a" }, { scope: SCOPE });
  await until(() => ids(sync) === "a");
  expect(ids(sync, other)).toBe("a*");
  expect(sync.inspect().queue).toEqual([expect.objectContaining({ acked: [SCOPE], scopes: [other, SCOPE] })]);
  network.fate = () => "ok";
  await sync.sync();
  expect(await done).toMatchObject({ status: "applied" });
  expect(ids(sync, other)).toBe("a");
});

test("P12 a mutation of two scopes that is rejected leaves the queue with the first ack", async () => {
  const other = "user:ann:log";
  // The server refuses it before it knows what it would have touched, so only its own scope has the ack.
  network.server.mutator("todo.log", () => {
    throw new Error("no");
  });
  const sync = await browser.open();
  sync.mutator("todo.log", (tx, /** @type {{ id: string }} */ { id }) => tx.scope(other).put("line", id, { id }), { scopes: () => [other] });
  const { done } = sync.mutate("todo.log", { id: "a" }, { scope: SCOPE });
  expect(await done).toMatchObject({ status: "rejected" });
  expect(ids(sync, other)).toBe("");
  expect(sync.status.pending).toBe(0);
});

test("P18 a mutator may not write to a scope that it didn't declare", async () => {
  const sync = await browser.open();
  sync.mutator("x", (tx) => tx.scope("elsewhere").put("todo", "a", {}));
  await expect(sync.mutate("x", {}, { scope: SCOPE }).queued).rejects.toThrow("undeclared scope elsewhere");
});

test("a mutator's own code is told by both promises and by the event; without one, the event says `invalid`", async () => {
  const sync = await browser.open();
  /** @type {unknown[]} */
  const heard = [];
  sync.on("error", ({ code, message }) => heard.push([code, message]));
  sync.mutator("list.add", () => {
    throw Object.assign(new Error("it is full"), { code: "list_full" });
  });
  sync.mutator("list.clear", () => {
    throw new Error("never");
  });
  const { queued, done } = sync.mutate("list.add", {}, { scope: SCOPE });
  await expect(queued).rejects.toMatchObject({ code: "list_full", message: "it is full" });
  await expect(done).rejects.toMatchObject({ code: "list_full", message: "it is full" });
  await expect(sync.mutate("list.clear", {}, { scope: SCOPE }).done).rejects.toThrow("never");
  expect(heard).toEqual([
    ["list_full", "Error: it is full"],
    ["invalid", "Error: never"],
  ]);
});

test("P19 a mutator that throws in replay is skipped and flagged, and blocks nothing", async () => {
  const sync = await browser.open();
  const told = watch(sync);
  await until(() => told.at(-1)?.synced);
  network.server.write(SCOPE, { op: "create", entity: "todo", id: "a", data: todo("a") });
  await sync.pull(SCOPE);
  network.fate = ({ path }) => (path === "push" ? "lost" : "ok");
  await sync.mutate("todo.merge", { id: "a", title: "B" }, { scope: SCOPE }).queued;
  await sync.mutate("todo.create", todo("c"), { scope: SCOPE }).queued;
  network.server.write(SCOPE, { op: "delete", entity: "todo", id: "a" });
  network.server.write(SCOPE, { op: "create", entity: "todo", id: "b", data: todo("b") });
  expect(await sync.pull(SCOPE)).toBe(true);
  expect(ids(sync)).toBe("b c*");
  expect(sync.status).toMatchObject({ pending: 2, failing: 1 });
  expect(sync.inspect().queue[0]).toMatchObject({ name: "todo.merge", failed: expect.stringContaining("no todo a") });
  network.fate = () => "ok";
  await sync.sync();
  expect(sync.status).toMatchObject({ pending: 0, failing: 0 });
  expect(ids(sync)).toBe("b c");
});

test("P19 what a mutator did before it threw is undone", async () => {
  const sync = await browser.open();
  sync.mutator("half", (tx) => {
    tx.put("todo", "a", {});
    throw new Error("half way");
  });
  const { queued, done } = sync.mutate("half", {}, { scope: SCOPE });
  await expect(queued).rejects.toThrow("half way");
  await expect(done).rejects.toThrow("half way");
  expect(ids(sync)).toBe("");
  expect(sync.status.pending).toBe(0);
});

test("P19 a mutator that writes into a row that it got changes nothing by that", async () => {
  const sync = await browser.open();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  sync.mutator("careless", (tx) => {
    for (const { data } of tx.scan("todo")) Object.assign(data ?? {}, { title: "X" });
    Object.assign(tx.get("todo", "a") ?? {}, { title: "X" });
  });
  await sync.mutate("careless", {}, { scope: SCOPE }).queued;
  expect(sync.rows({ scope: SCOPE })[0].data).toEqual(todo("a"));
});

test("P20 what was queued is there after a crash, with its effect, and is sent", async () => {
  network.fate = () => "lost";
  const first = await browser.open();
  await first.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  // Nobody waits for this one.
  first.mutate("todo.create", todo("b"), { scope: SCOPE });
  browser.quit();
  const second = await browser.open();
  const told = watch(second);
  await until(() => told.length);
  expect(ids(second)).toBe("a* b*");
  expect(second.status).toMatchObject({ pending: 2, state: expect.stringMatching("offline|syncing") });
  network.fate = () => "ok";
  expect(await second.sync()).toBe(true);
  expect(ids(second)).toBe("a b");
  expect(network.server.ran).toHaveLength(2);
});

test("P20 mutations keep the order of the calls, whatever they wait for", async () => {
  const sync = browser.tab();
  const made = ["a", "b", "c"].map((id) => sync.mutate("todo.create", todo(id), { scope: id === "b" ? "other" : SCOPE }));
  await Promise.all(made.map(({ done }) => done));
  expect(network.of("push").flatMap(({ mutations }) => mutations.map(({ args }) => /** @type {{ id: string }} */ (args).id))).toEqual(["a", "b", "c"]);
});

test("P2 a number is given once, and sent again as it was", async () => {
  const sync = await browser.open();
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  await until(() => sync.status.state === "offline" && network.pushed.length);
  browser.quit();
  const again = await browser.open();
  await until(() => network.pushed.length > 1);
  await settle();
  network.fate = () => "twice";
  await again.sync();
  const pushes = network.of("push");
  expect(new Set(pushes.map((push) => JSON.stringify([push.client, push.mutations])))).toHaveProperty("size", 1);
  expect(network.server.ran).toHaveLength(1);
  expect(again.status.pending).toBe(0);
});

test("P22 after an uncertain push nothing later is sent until a resend is answered", async () => {
  const sync = await browser.open();
  await settle();
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  await until(() => network.pushed.length === 1);
  await settle();
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  await sync.push();
  await sync.push();
  expect(network.pushed).toEqual([[1], [1], [1]]);
  network.fate = () => "ok";
  await sync.push();
  expect(network.pushed.slice(3)).toEqual([[1], [2]]);
});

test("P22 a pull settles an uncertain push, too", async () => {
  const sync = await browser.open();
  await settle();
  network.fate = ({ path }) => (path === "push" ? "unheard" : "ok");
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => network.pushed.length === 1);
  await settle();
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  network.fate = () => "ok";
  await sync.pull(SCOPE);
  expect(await done).toMatchObject({ status: "applied" });
  await sync.push();
  expect(network.pushed).toEqual([[1], [2]]);
});

test("P22 a push that is never answered times out, and is tried again after a backoff", async () => {
  const sync = await browser.open();
  await settle();
  network.fate = ({ path }) => (path === "push" ? new Promise(() => {}) : "ok");
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  await until(() => network.pushed.length === 1);
  expect(sync.status.state).toBe("syncing");
  browser.clock.advance(20_000);
  await until(() => sync.status.error?.code === "timeout");
  network.fate = () => "ok";
  browser.clock.advance(1_000);
  await until(() => sync.status.pending === 0);
  expect(network.pushed).toEqual([[1], [1]]);
  expect(network.server.ran).toHaveLength(1);
});

test("P22 a server that is busy is left alone for as long as it asks, and keeps the prefix", async () => {
  const sync = await browser.open();
  await settle();
  network.fate = () => "lost";
  for (const id of ["a", "b", "c"]) await sync.mutate("todo.create", todo(id), { scope: SCOPE }).queued;
  await settle();
  network.fate = () => "ok";
  network.server.unavailable = 1;
  expect(await sync.push()).toBe(false);
  expect(sync.status.error).toMatchObject({ code: "unavailable" });
  const before = network.pushed.length;
  browser.clock.advance(999);
  await settle();
  expect(network.pushed).toHaveLength(before);
  browser.clock.advance(60_000);
  await until(() => sync.status.pending === 0);
  expect(ids(sync)).toBe("a b c");
});

test("P22 a hundred at a time, whatever waits", async () => {
  const sync = await browser.open();
  network.fate = () => "lost";
  const made = Array.from({ length: 250 }, (_, n) => sync.mutate("todo.create", todo(`t${n}`), { scope: SCOPE }));
  await Promise.all(made.map(({ queued }) => queued));
  await until(() => sync.status.state === "offline");
  network.fate = () => "ok";
  network.requests = [];
  await sync.sync();
  const outcomes = await Promise.all(made.map(({ done }) => done));
  expect(outcomes.every(({ status }) => status === "applied")).toBe(true);
  expect(network.pushed.map(({ length }) => length)).toEqual([100, 100, 50]);
});

test("P22 a long queue is drained without running every mutation again for each push", async () => {
  const count = 2_000;
  let ran = 0;
  network.fate = () => "lost";
  const sync = await browser.open({ environment: { indexedDB: undefined } });
  sync.mutator("todo.create", (tx, /** @type {{ id: string }} */ row) => {
    ran++;
    tx.put("todo", row.id, row);
  });
  const made = Array.from({ length: count }, (_, n) => sync.mutate("todo.create", todo(`t${n}`), { scope: SCOPE }));
  await Promise.all(made.map(({ queued }) => queued));
  await until(() => sync.status.state === "offline");
  network.fate = () => "ok";
  // The server tells of each push at once, as it does over a socket.
  network.server.poke = (scope, cursor) => sync.poke(scope, cursor);
  expect(await sync.sync()).toBe(true);
  const outcomes = await Promise.all(made.map(({ done }) => done));
  expect(outcomes.every(({ status }) => status === "applied")).toBe(true);
  expect(network.server.ran).toHaveLength(count);
  expect(sync.status.pending).toBe(0);
  expect(ran).toBeLessThan(5 * count);
}, 60_000);

test("P25 status tells offline, syncing, online, pending and the last sync", async () => {
  network.fate = () => "lost";
  const sync = browser.tab();
  /** @type {string[]} */
  const states = [];
  sync.on("status", ({ state }) => states.at(-1) !== state && states.push(state));
  watch(sync);
  await sync.open();
  await until(() => sync.status.error);
  await settle();
  expect(sync.status).toMatchObject({ state: "offline", pending: 0, storage: "indexeddb", leader: true });
  network.fate = () => "ok";
  await sync.sync();
  expect(sync.status).toMatchObject({ state: "online", lastSync: browser.clock.now, error: undefined });
  const others = states.filter((state) => state !== "syncing");
  expect(others.filter((state, n) => state !== others[n - 1])).toEqual(["offline", "online"]);
  expect(states).toContain("syncing");
});

test("P25 an outcome that the server doesn't keep is told as expired once a pull is complete", async () => {
  const sync = await browser.open();
  await settle();
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => sync.status.state === "offline" && network.pushed.length);
  await settle();
  for (const { results } of network.server.clients.values()) results.clear();
  for (const { log } of network.server.scopes.values()) for (const transaction of log) delete transaction.ack;
  network.fate = () => "ok";
  await sync.sync();
  expect(await done).toEqual({ status: "expired" });
  expect(ids(sync)).toBe("a");
});

test("a mutation is refused right there when it can't travel", async () => {
  const sync = await browser.open();
  /** @type {string[]} */
  const errors = [];
  sync.on("error", ({ code }) => errors.push(code));
  /** @param {unknown} args @param {string} [name] @param {string} [scope] */
  const refused = (args, name = "x", scope = SCOPE) => expect(sync.mutate(name, args, { scope }).queued).rejects.toMatchObject({ code: "invalid" });
  await refused({ n: Number.NaN });
  await refused({}, "two words");
  await refused({}, "x", "");
  await refused({}, "x", "!system");
  await refused({}, "x", "a\nb");
  await refused({}, "x", "ä".repeat(101));
  sync.mutator("slow", async () => {});
  await refused({}, "slow");
  expect(sync.status.pending).toBe(0);
  expect(errors).toHaveLength(7);
});
