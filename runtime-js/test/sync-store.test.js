// @vitest-environment node
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Memory } from "../src/sync/memory.js";
import { Store } from "../src/sync/store.js";
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

test("P23 a 401 keeps the queue, and a poll finds out that somebody signed in again", async () => {
  const sync = await browser.open();
  watch(sync);
  await settle();
  network.server.user = undefined;
  const { done } = sync.mutate("todo.create", todo("a"), { scope: SCOPE });
  await until(() => sync.status.error?.code === "unauthorized");
  expect(sync.status).toMatchObject({ state: "error", pending: 1 });
  await settle();
  const pushes = network.pushed.length;
  browser.clock.advance(120_000);
  await settle();
  expect(network.pushed).toHaveLength(pushes);
  network.server.user = "ann";
  browser.clock.advance(33_000);
  expect(await done).toMatchObject({ status: "applied" });
  expect(sync.status.error).toBe(undefined);
});

test("P23 what wakes the page resumes at once after a 401", async () => {
  const page = new EventTarget();
  const sync = await browser.open({ environment: { page } });
  network.server.user = undefined;
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  await until(() => sync.status.error?.code === "unauthorized");
  network.server.user = "ann";
  page.dispatchEvent(new Event("focus"));
  await until(() => sync.status.pending === 0);
});

test("P23 another user of the same browser never sees or pushes it", async () => {
  network.fate = () => "lost";
  const ann = await browser.open({ user: "ann" });
  await ann.mutate("todo.create", todo("secret"), { scope: SCOPE }).queued;
  network.fate = () => "ok";
  network.server.user = "bob";
  await ann.sync();
  expect(ann.status).toMatchObject({ pending: 1, error: { code: "other_user" } });
  ann.close();
  const bob = await browser.open({ user: "bob" });
  watch(bob);
  await bob.sync();
  expect(ids(bob)).toBe("");
  expect(bob.inspect().queue).toEqual([]);
  expect(network.server.ran).toEqual([]);
  bob.close();
  network.server.user = "ann";
  const again = await browser.open({ user: "ann" });
  await again.sync();
  expect(network.server.rows(SCOPE).size).toBe(1);
});

test("P23 a client of another user isn't pushed under a new name", async () => {
  const sync = await browser.open({ user: "" });
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  network.server.user = "bob";
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  await sync.push();
  expect(sync.status).toMatchObject({ pending: 1, stranded: 0, error: { code: "client_foreign" } });
});

test("P23 signing out drops the rows and keeps the queue, or drops both", async () => {
  const sync = await browser.open();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  network.fate = () => "lost";
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  await sync.signOut();
  await expect(sync.mutate("todo.create", todo("c"), { scope: SCOPE }).queued).rejects.toMatchObject({ code: "closed" });
  const again = await browser.open();
  watch(again);
  await settle();
  expect(ids(again)).toBe("b*");
  await again.signOut({ discard: true });
  expect(await browser.indexedDB.databases()).toEqual([]);
});

test("P23 an answer that comes after the sign-out is not stored", async () => {
  const sync = await browser.open();
  await sync.pull(SCOPE);
  /** @type {() => void} */
  let answer = () => {};
  network.fate = () => new Promise((done) => (answer = () => done("ok")));
  const pulling = sync.pull(SCOPE);
  await until(() => network.requests.length > 2);
  await settle();
  await sync.signOut({ discard: true });
  network.server.write(SCOPE, { op: "create", entity: "todo", id: "a", data: todo("a") });
  answer();
  expect(await pulling).toBe(false);
  await settle();
  expect(await browser.indexedDB.databases()).toEqual([]);
});

test("a new schema version fetches the rows anew, and keeps the queue", async () => {
  network.server.write(SCOPE, { op: "create", entity: "todo", id: "a", data: todo("a") });
  const old = await browser.open({ schema: 1 });
  await old.pull(SCOPE);
  network.fate = () => "lost";
  await old.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  await settle();
  old.close();
  const fresh = browser.tab({ schema: 2 });
  const told = watch(fresh);
  await fresh.open();
  await until(() => told.length);
  expect(ids(fresh)).toBe("b*");
  expect(told.at(-1)?.synced).toBe(false);
  network.fate = () => "ok";
  await fresh.sync();
  expect(ids(fresh)).toBe("a b");
  expect(network.of("snapshot")).toHaveLength(2);
});

test.each([
  ["there is none", () => undefined],
  [
    "it is refused",
    () => {
      const factory = browser.indexedDB;
      factory.open = () => {
        throw new DOMException("denied", "SecurityError");
      };
      return factory;
    },
  ],
])("P26 memory does when there is no storage: %s", async (_, indexedDB) => {
  const sync = browser.tab({ environment: { indexedDB: indexedDB() } });
  /** @type {string[]} */
  const errors = [];
  sync.on("error", ({ code }) => errors.push(code));
  watch(sync);
  await sync.open();
  expect(errors).toEqual(["storage"]);
  expect(sync.status.storage).toBe("memory");
  expect(await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done).toMatchObject({ status: "applied" });
  await sync.mutate("todo.merge", { id: "a", title: "B" }, { scope: SCOPE }).done;
  expect(sync.rows({ scope: SCOPE })).toEqual([{ entity: "todo", id: "a", data: { id: "a", title: "B" }, pending: false }]);
  expect(network.server.ran).toHaveLength(2);
});

/** Writes of mutations fail from now on, as they do when the disk is full. */
function fill() {
  const put = IDBObjectStore.prototype.put;
  return vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(/** @this {IDBObjectStore} @param {unknown} value */ function (value) {
    if (this.name === "queue" || this.name === "rows") throw new DOMException("full", "QuotaExceededError");
    return put.call(this, value);
  });
}

test("P26 a full disk refuses the mutation, and loses nothing that was there", async () => {
  const sync = await browser.open();
  watch(sync);
  await settle();
  network.fate = () => "lost";
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).queued;
  await settle();
  /** @type {string[]} */
  const errors = [];
  sync.on("error", ({ code }) => errors.push(code));
  const full = fill();
  const { queued, done } = sync.mutate("todo.create", todo("b"), { scope: SCOPE });
  expect(ids(sync)).toBe("a* b*");
  await expect(queued).rejects.toMatchObject({ code: "storage_full" });
  await expect(done).rejects.toMatchObject({ code: "storage_full" });
  expect(ids(sync)).toBe("a*");
  expect(errors).toEqual(["storage_full"]);
  full.mockRestore();
  network.fate = () => "ok";
  await sync.sync();
  await sync.mutate("todo.create", todo("c"), { scope: SCOPE }).done;
  expect(ids(sync)).toBe("a c");
  expect(network.pushed.at(-1)).toEqual([2]);
});

test("P26 rows that don't fit are not half there, and come when there is room", async () => {
  const sync = await browser.open();
  network.server.write(SCOPE, { op: "create", entity: "todo", id: "a", data: todo("a") });
  const full = fill();
  expect(await sync.pull(SCOPE)).toBe(false);
  expect(sync.status.error).toMatchObject({ code: "storage_full" });
  expect(ids(sync)).toBe("");
  full.mockRestore();
  expect(await sync.pull(SCOPE)).toBe(true);
  expect(ids(sync)).toBe("a");
  expect(sync.status.error).toBe(undefined);
});

test("P20 a connection that the browser closed is opened again", async () => {
  const sync = await browser.open();
  await sync.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  // Somebody wants to delete the database: everyone has to let go.
  const transaction = IDBDatabase.prototype.transaction;
  let failed = false;
  vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(/** @this {IDBDatabase} @param {Parameters<IDBDatabase["transaction"]>} args */ function (...args) {
    if (!failed) {
      failed = true;
      throw new DOMException("the connection is closing", "InvalidStateError");
    }
    return transaction.apply(this, args);
  });
  await sync.mutate("todo.create", todo("b"), { scope: SCOPE }).queued;
  expect(failed).toBe(true);
});

test("a page in the back/forward cache holds on to nothing, and comes back", async () => {
  const page = new EventTarget();
  const sync = await browser.open({ environment: { page } });
  watch(sync);
  await settle();
  page.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
  expect(sync.status.leader).toBe(false);
  const other = await browser.open();
  await until(() => other.status.leader);
  await other.mutate("todo.create", todo("a"), { scope: SCOPE }).done;
  await settle();
  expect(ids(sync)).toBe("");
  const before = network.requests.length;
  browser.clock.advance(100);
  expect(network.requests).toHaveLength(before);
  page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await until(() => ids(sync) === "a");
});

test("a hint counts only for the version that follows on ours", async () => {
  /** @type {import("../src/sync/records.js").Hint[]} */
  const hints = [];
  const store = new Store(1, async (more) => void hints.push(...more));
  await store.open(new Memory());
  for (const id of ["a", "b", "c"]) {
    const changes = [{ op: /** @type {const} */ ("create"), entity: "todo", id, data: todo(id) }];
    await store.change((ledger) => ledger.pulled(SCOPE, { changes, cursor: id, has_more: false }, 0));
  }
  /** @param {number} mine @param {typeof hints} told */
  const loaded = async (mine, told) => (await store.load(new Map([[SCOPE, mine]]), told)).rows.map(({ rows, keys }) => [rows.map(({ id }) => id).join(""), keys?.length]);
  expect(await loaded(3, hints)).toEqual([]);
  expect(await loaded(2, hints)).toEqual([["c", 1]]);
  expect(await loaded(1, hints)).toEqual([["abc", undefined]]);
  expect(await loaded(2, hints.slice(0, 1))).toEqual([["abc", undefined]]);
});
