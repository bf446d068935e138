// @vitest-environment node
import { afterEach, beforeEach, expect, test } from "vitest";
import { Browser, ids, Network, SCOPE, settle, turn, until, watch } from "./support/sync.js";

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
const todo = (id, title = `Title of ${id}`) => ({ id, title });
/** Somebody else creates rows. @param {...string} ids */
const others = (...ids) => ids.forEach((id) => network.server.write(SCOPE, { op: "create", entity: "todo", id, data: todo(id) }));

/** A tab that has pulled the scope. @param {import("../src/sync/index.js").Options} [options] */
async function looking(options) {
  const sync = browser.tab(options);
  const told = watch(sync);
  await sync.open();
  await until(() => told.at(-1)?.synced);
  await settle();
  return { sync, told };
}

test("a scope begins with a snapshot of any size, and goes on with pages", async () => {
  others(...Array.from({ length: 2_300 }, (_, n) => `t${n}`));
  const { sync } = await looking();
  expect(sync.rows({ scope: SCOPE })).toHaveLength(2_300);
  expect(network.of("snapshot").map(({ page }) => page)).toEqual([undefined, "e1.2300.1000", "e1.2300.2000"]);
  others(...Array.from({ length: 1_500 }, (_, n) => `u${n}`));
  network.requests = [];
  await sync.pull(SCOPE);
  expect(sync.rows({ scope: SCOPE })).toHaveLength(3_800);
  expect(network.of("pull").map(({ cursor }) => cursor)).toEqual(["e1.2300", "e1.3300"]);
});

test("P17 polling alone converges within one interval", async () => {
  const { sync } = await looking({ poll: 30_000 });
  others("a");
  browser.clock.advance(26_000);
  await settle();
  expect(ids(sync)).toBe("");
  browser.clock.advance(7_000);
  await until(() => ids(sync) === "a");
});

test("P17 a poke pulls from our own cursor, unless it tells what we have", async () => {
  const { sync } = await looking();
  const before = network.requests.length;
  sync.poke(SCOPE, network.server.cursor(SCOPE));
  await settle();
  expect(network.requests).toHaveLength(before);
  others("a", "b");
  sync.poke(SCOPE, "e9.12345");
  await until(() => ids(sync) === "a b");
  expect(network.of("pull").at(-1)?.cursor).toBe("e1.0");
  sync.poke(SCOPE);
  await settle();
  expect(network.requests.length).toBe(before + 2);
});

test("P17 every poke twice, or in another order, changes nothing", async () => {
  const { sync, told } = await looking();
  /** @type {string[]} */
  const cursors = [];
  network.server.poke = (_, cursor) => cursors.push(cursor);
  others("a", "b", "c");
  for (const cursor of [...cursors, ...cursors].reverse()) sync.poke(SCOPE, cursor);
  await until(() => ids(sync) === "a b c");
  await settle();
  expect(told.slice(-1)[0].changes).toHaveLength(3);
});

test("P9 a cursor that is too old gets a snapshot, and what is pending stays", async () => {
  const { sync, told } = await looking();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  network.fate = ({ path }) => (path === "push" ? "lost" : "ok");
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  others("c");
  network.server.compact(SCOPE);
  network.requests = [];
  expect(await sync.pull(SCOPE)).toBe(true);
  expect(network.requests.map(({ path }) => path).filter((path) => path !== "push")).toEqual(["pull", "snapshot", "pull"]);
  expect(ids(sync)).toBe("a b* c");
  expect(told.at(-1)?.changes).toEqual([expect.objectContaining({ id: "c" })]);
});

test("P9 a snapshot that grows too old between its pages begins again", async () => {
  others(...Array.from({ length: 1_500 }, (_, n) => `t${n}`));
  let compacted = false;
  network.fate = ({ body }) => {
    if (body.page && !compacted) {
      compacted = true;
      others("z");
      network.server.compact(SCOPE);
    }
    return "ok";
  };
  const sync = browser.tab();
  watch(sync);
  await sync.open();
  await until(() => sync.status.error?.code === "cursor_too_old");
  browser.clock.advance(1_000);
  await until(() => sync.rows({ scope: SCOPE }).length === 1_501);
  expect(network.of("snapshot").map(({ page }) => page)).toEqual([undefined, "e1.1500.1000", undefined, "e1.1501.1000"]);
});

test("P11 P24 another epoch drops the rows, and offers what may have been lost", async () => {
  const { sync } = await looking();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  const backup = network.server.backup();
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).done;
  // This one arrives, but nobody ever hears of that.
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  const { id, done } = sync.mutate("todo.create", todo("c"), { scope: SCOPE });
  await until(() => sync.status.state === "offline");
  await settle();
  const client = sync.inspect().client;
  network.server.restore(backup, "e2");
  network.fate = () => "ok";
  await sync.pull(SCOPE);
  expect(await done).toMatchObject({ status: "stranded", code: "epoch_changed" });
  expect(ids(sync)).toBe("a");
  expect(sync.status).toMatchObject({ pending: 0, stranded: 1 });
  expect(sync.stranded()).toEqual([expect.objectContaining({ id, name: "todo.create", args: todo("c"), code: "epoch_changed" })]);
  expect(JSON.parse(sync.export())).toMatchObject({ user: "ann", mutations: [{ id, args: todo("c") }] });
  expect(sync.inspect().client).not.toBe(client);
  const heard = new Promise((settled) => sync.on("settled", settled));
  await sync.replay();
  expect(await heard).toMatchObject({ id, name: "todo.create", status: "applied" });
  expect(ids(sync)).toBe("a c");
  expect(sync.stranded()).toEqual([]);
});

test("P24 scopes that learn of another epoch at the same time begin anew once", async () => {
  const { sync } = await looking();
  await sync.pull("other");
  const old = sync.inspect().client;
  network.server.restore(network.server.backup(), "e2");
  network.requests = [];
  expect(await sync.sync()).toBe(true);
  const clients = new Set(network.requests.map(({ body }) => body.client));
  expect([...clients]).toEqual([old, sync.inspect().client]);
});

test("P24 what was surely never processed goes on under a new client, without asking", async () => {
  const { sync } = await looking();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  // The server forgot all clients, as it may after a long time.
  network.server.clients.clear();
  const { done } = sync.mutate("todo.create", todo("b"), { scope: SCOPE });
  expect(await done).toMatchObject({ status: "applied" });
  expect(ids(sync)).toBe("a b");
  expect(sync.status.stranded).toBe(0);
});

test("P24 a gap that can be filled is filled", async () => {
  const { sync } = await looking();
  await sync.mutate("todo.create", todo("z"), { scope: SCOPE }).done;
  const backup = network.server.backup();
  network.fate = ({ path }) => (path === "push" ? "ok" : "lost");
  const one = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => network.server.ran.length === 2);
  await settle();
  network.server.restore(backup, "e1");
  const two = sync.mutate("todo.create", todo("b"), { scope: SCOPE });
  await until(() => network.server.ran.length === 4);
  network.fate = () => "ok";
  await sync.sync();
  expect(await Promise.all([one.done, two.done])).toEqual([expect.objectContaining({ status: "applied" }), expect.objectContaining({ status: "applied" })]);
  expect(network.pushed).toEqual([[1], [2], [3], [2, 3]]);
});

test("P24 a client that the server forgot sends everything again when it still can", async () => {
  const { sync } = await looking();
  const backup = network.server.backup();
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => network.server.ran.length === 1);
  await settle();
  network.server.restore(backup, "e1");
  network.fate = () => "ok";
  await sync.sync();
  expect(await done).toMatchObject({ status: "applied" });
  expect(ids(sync)).toBe("a");
});

test("P24 a gap that can't be filled strands what may have been processed; discarding forgets it", async () => {
  const { sync } = await looking();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  const { done } = sync.mutate("todo.create", todo("b"), { scope: SCOPE });
  await until(() => network.server.ran.length === 2);
  for (const client of network.server.clients.values()) client.last = 0;
  network.fate = () => "ok";
  await sync.sync();
  expect(await done).toMatchObject({ status: "stranded", code: "gap" });
  await sync.discard();
  expect(sync.stranded()).toEqual([]);
  expect(sync.status.stranded).toBe(0);
});

test("P24 a revoked scope loses its rows; what was queued for it is offered, the rest goes on", async () => {
  const { sync } = await looking();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  network.fate = () => "lost";
  const kept = sync.mutate("todo.create", todo("b"), { scope: SCOPE });
  const other = sync.mutate("todo.create", todo("c"), { scope: "other" });
  await Promise.all([kept.queued, other.queued]);
  await until(() => sync.status.state === "offline");
  network.server.forbidden.add(SCOPE);
  network.fate = () => "ok";
  await sync.sync();
  expect(ids(sync)).toBe("");
  expect(sync.status.forbidden).toEqual([SCOPE]);
  expect(await kept.done).toMatchObject({ status: "stranded", code: "scope_forbidden" });
  expect(await other.done).toMatchObject({ status: "applied" });
  network.server.forbidden.clear();
  await sync.pull(SCOPE);
  expect(sync.status.forbidden).toEqual([]);
  await sync.replay([kept.id]);
  await until(() => ids(sync) === "a b");
});

test("P24 a mutation that was applied before its scope was revoked counts as applied", async () => {
  const { sync } = await looking();
  network.fate = ({ path }) => (path === "push" ? "unheard" : "lost");
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => network.server.ran.length === 1);
  await settle();
  network.server.forbidden.add(SCOPE);
  network.fate = () => "ok";
  await sync.sync();
  expect(await done).toMatchObject({ status: "applied" });
  expect(sync.status).toMatchObject({ pending: 0, stranded: 0 });
});

test("subscribers hear once a turn, of what really changed, and unchanged rows stay the same objects", async () => {
  others("a", "b");
  const { sync, told } = await looking();
  const one = watch(sync, { scope: SCOPE, entity: "todo", id: "a" });
  const titled = watch(sync, { scope: SCOPE, where: ({ data }) => /** @type {{ title: string }} */ (data).title === "X", sort: (one, other) => (one.id < other.id ? 1 : -1) });
  await settle();
  const before = told.length;
  expect([one.length, titled.length]).toEqual([1, 1]);
  network.fate = () => "lost";
  sync.mutate("todo.merge", { id: "b", title: "X" }, { scope: SCOPE });
  sync.mutate("todo.create", todo("c", "X"), { scope: SCOPE });
  await settle();
  expect(told).toHaveLength(before + 1);
  expect(told.at(-1)?.changes.map(({ id, old, row }) => [id, !!old, row?.pending])).toEqual([["b", true, true], ["c", false, true]]);
  expect(told.at(-1)?.rows[0]).toBe(told.at(-2)?.rows[0]);
  expect(titled.at(-1)?.rows.map(({ id }) => id)).toEqual(["c", "b"]);
  expect(one).toHaveLength(1);
  network.fate = () => "ok";
  await sync.sync();
  await settle();
  // The server's rows are the same: only `pending` went, and that at once or mutation by mutation.
  expect(told.at(-1)?.rows.map(({ id, pending }) => [id, pending])).toEqual([["a", false], ["b", false], ["c", false]]);
  expect(one).toHaveLength(1);
  const quiet = told.length;
  network.server.write(SCOPE, { op: "update", entity: "todo", id: "a", data: { title: "Title of a", id: "a" } });
  await sync.pull(SCOPE);
  await turn();
  expect(told).toHaveLength(quiet);
});

test("an answer that isn't the server's changes nothing", async () => {
  const { sync } = await looking();
  const real = network.fetch.bind(network);
  network.fetch = async () => new Response("<html>Sign in to the hotel's network</html>");
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  expect(await sync.sync()).toBe(false);
  expect(sync.status).toMatchObject({ state: "error", error: { code: "bad_answer" }, pending: 1 });
  network.fetch = real;
  expect(await sync.sync()).toBe(true);
  expect(ids(sync)).toBe("a");
});

/** A tab that hears of the network, over one that has just begun to swallow what is asked. */
async function hanging() {
  const page = new EventTarget();
  const { sync } = await looking({ environment: { page } });
  network.fate = () => new Promise(() => {});
  network.requests = [];
  return { sync, page };
}

test("P17 a network that is back is used at once, whatever hangs in the one before", async () => {
  const { sync, page } = await hanging();
  others("a");
  const pulled = sync.pull(SCOPE);
  await until(() => network.of("pull").length);
  page.dispatchEvent(new Event("online"));
  // It was not back for long.
  const before = network.of("pull").length;
  await until(() => network.of("pull").length > before);
  network.fate = () => "ok";
  page.dispatchEvent(new Event("online"));
  await until(() => ids(sync) === "a");
  expect(await pulled).toBe(false);
  await settle();
  expect(sync.status).toMatchObject({ state: "online", error: undefined });
  network.requests = [];
  browser.clock.advance(20_000);
  await settle();
  expect(network.requests).toEqual([]);
});

test("P23 a push that hangs in a lost network is sent again, as it was, and counts once", async () => {
  const { sync, page } = await hanging();
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => network.pushed.length);
  network.fate = () => "ok";
  page.dispatchEvent(new Event("online"));
  expect(await done).toMatchObject({ status: "applied" });
  expect(network.pushed).toEqual([[1], [1]]);
});

test("a page that is merely looked at again breaks nothing off", async () => {
  const { sync, page } = await hanging();
  /** @type {(fate: "ok") => void} */
  let answer = () => {};
  network.fate = () => new Promise((resolve) => (answer = resolve));
  others("a");
  const pulled = sync.pull(SCOPE);
  await until(() => network.of("pull").length);
  for (const name of ["focus", "visibilitychange", "focus"]) page.dispatchEvent(new Event(name));
  await settle();
  network.fate = () => "ok";
  answer("ok");
  expect(await pulled).toBe(true);
  await until(() => ids(sync) === "a");
  await settle();
  // The one that was under way, and one for all who asked meanwhile.
  expect(network.of("pull")).toHaveLength(2);
});

test("what wakes the page forgets how often it failed before", async () => {
  const page = new EventTarget();
  const { sync } = await looking({ poll: 10_000_000, environment: { page } });
  network.fate = () => "lost";
  await sync.pull(SCOPE);
  for (let n = 0; n < 6; n++) {
    browser.clock.advance(15_000);
    await settle();
  }
  const tried = () => network.of("pull").length;
  let before = tried();
  browser.clock.advance(14_000);
  await settle();
  expect(tried()).toBe(before);
  page.dispatchEvent(new Event("focus"));
  await until(() => tried() === before + 1);
  await settle();
  // Half of a second is what chance gives here.
  before = tried();
  browser.clock.advance(500);
  await until(() => tried() === before + 1);
});
