// @vitest-environment node
import { afterEach, beforeEach, expect, test } from "vitest";
import { SIGNED_OUT } from "../src/sync/constants.js";
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

/** @param {number} count @param {import("../src/sync/index.js").Options} [options] */
async function open(count, options) {
  const tabs = [];
  for (let n = 0; n < count; n++) {
    const tab = browser.tab(options);
    watch(tab);
    tabs.push(await tab.open());
    await settle();
  }
  return tabs;
}

test("P21 one tab talks to the server, and all show the same", async () => {
  const [first, second] = await open(2);
  expect([first.status.leader, second.status.leader]).toEqual([true, false]);
  network.requests = [];
  const { done } = second.mutate("todo.create", todo("a"), { scope: SCOPE });
  expect(await done).toMatchObject({ status: "applied" });
  await until(() => ids(first) === "a");
  expect(ids(second)).toBe("a");
  expect(network.pushed).toEqual([[1]]);
  await until(() => second.status.state === "online");
  expect(second.status.lastSync).toBe(browser.clock.now);
});

test("P21 the leader pulls what another tab looks at, and hears its pokes", async () => {
  const [, second] = await open(2);
  second.subscribe({ scope: "other" }, () => {});
  await until(() => network.of("snapshot").some(({ scope }) => scope === "other"));
  await settle();
  network.server.write("other", { op: "create", entity: "todo", id: "a", data: todo("a") });
  second.poke("other", network.server.cursor("other"));
  await until(() => ids(second, "other") === "a");
});

test("P21 the leader's death hands over, with what was queued and what is looked at", async () => {
  const [first, second, third] = await open(3);
  third.subscribe({ scope: "other" }, () => {});
  await settle();
  network.fate = () => "lost";
  const { done } = third.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => first.status.pending === 1);
  first.close();
  await until(() => second.status.leader);
  network.fate = () => "ok";
  network.requests = [];
  browser.clock.advance(70_000);
  expect(await done).toMatchObject({ status: "applied" });
  await settle();
  expect(network.of("pull").some(({ scope }) => scope === "other")).toBe(true);
  expect([second.status.leader, third.status.leader]).toEqual([true, false]);
});

test("P21 tabs that know nothing of each other push the same, and it is applied once", async () => {
  const alone = { environment: { locks: undefined, channel: undefined } };
  const [first, second] = await open(2, alone);
  expect([first.status.leader, second.status.leader]).toEqual([true, true]);
  network.fate = () => "lost";
  await first.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  await second.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  await settle();
  network.fate = () => "ok";
  await Promise.all([first.sync(), second.sync()]);
  await Promise.all([first.sync(), second.sync()]);
  expect([ids(first), ids(second)]).toEqual(["a b", "a b"]);
  expect(new Set(network.server.ran).size).toBe(network.server.ran.length);
  expect(network.server.ran).toHaveLength(2);
});

test("P21 a locking that is refused makes every tab lead", async () => {
  const locks = { request: () => Promise.reject(new DOMException("denied", "SecurityError")) };
  const [first, second] = await open(2, { environment: { locks } });
  await settle();
  expect([first.status.leader, second.status.leader]).toEqual([true, true]);
});

test("P23 signing out in one tab ends the others", async () => {
  const [first, second] = await open(2);
  await first.signOut({ discard: true });
  await settle();
  await expect(second.open()).rejects.toMatchObject({ code: "closed" });
  expect(await browser.indexedDB.databases()).toEqual([]);
});

test("P23 signing out in one tab empties the others at once, and their status says so for good", async () => {
  network.server.write(SCOPE, { op: "create", entity: "todo", id: "a", data: todo("a") });
  const [first, second] = await open(2);
  const told = watch(second);
  await until(() => ids(second) === "a");
  network.fate = () => "lost";
  await second.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  await until(() => ids(first) === "a b*");
  await first.signOut();
  await until(() => second.status.state === "ended");
  expect([ids(first), ids(second)]).toEqual(["", ""]);
  expect(told.at(-1)).toMatchObject({ rows: [], synced: false });
  for (const tab of [first, second]) {
    expect(tab.status).toMatchObject({ state: "ended", leader: false });
    expect(tab.inspect()).toMatchObject({ scopes: [], queue: [], stranded: [] });
  }
  // What was under way comes to its end.
  await settle();
  network.fate = () => "ok";
  network.requests = [];
  browser.clock.advance(70_000);
  second.poke(SCOPE);
  await settle();
  expect(network.requests).toEqual([]);
  expect([second.status.state, ids(second)]).toEqual(["ended", ""]);
  const again = await browser.open();
  watch(again);
  await until(() => network.server.ran.length);
  await until(() => ids(again) === "a b");
});

test("P23 what a tab was reading when it ended is not shown", async () => {
  const [first, second] = await open(2);
  network.server.write("other", { op: "create", entity: "todo", id: "a", data: todo("a") });
  await first.pull("other");
  const channel = browser.environment().channel?.(`mizu ${JSON.stringify(["/_sync", "ann"])}`);
  channel?.postMessage({ kind: SIGNED_OUT });
  // It begins to read now, and hears of the end in a later turn.
  second.subscribe({ scope: "other" }, () => {});
  await settle();
  expect([second.status.state, ids(second, "other")]).toEqual(["ended", ""]);
  expect(second.inspect().scopes).toEqual([]);
});

test("P23 the tab that signs out doesn't take over from the others", async () => {
  const [first, second] = await open(2);
  /** @type {boolean[]} */
  const leads = [];
  second.on("status", ({ leader }) => leads.push(leader));
  await second.signOut();
  await until(() => first.status.state === "ended");
  expect([second.status.state, leads.includes(true)]).toEqual(["ended", false]);
});

test("P21 an answer that another tab has overtaken is not stored", async () => {
  const alone = { environment: { locks: undefined, channel: undefined } };
  const [first, second] = await open(2, alone);
  const answered = network.fetch.bind(network);
  /** @type {() => void} */
  let go = () => {};
  const held = new Promise((done) => (go = () => done(undefined)));
  /** @param {string} title */
  const write = (title) => network.server.write(SCOPE, { op: "update", entity: "todo", id: "a", data: { id: "a", title } });
  write("old");
  let arrived = false;
  network.fetch = async (url, init) => {
    const response = await answered(url, init);
    arrived = true;
    await held;
    return response;
  };
  const slow = first.pull(SCOPE);
  await until(() => arrived);
  network.fetch = answered;
  write("new");
  await second.pull(SCOPE);
  const before = network.requests.length;
  go();
  expect(await slow).toBe(true);
  expect(network.requests.length).toBeGreaterThan(before);
  for (const tab of [first, second]) expect(tab.rows({ scope: SCOPE })[0].data).toEqual({ id: "a", title: "new" });
});
