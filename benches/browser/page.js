/** What is measured in the page: the client, and plain IndexedDB that stores and reads the same. Times are in milliseconds. */
import { openDB } from "/idb.js";
import { MizuSync } from "/mizu-sync.js";

const SCOPE = "todos";
const ENTITY = "todo";

/** @typedef {{ entity: string, id: string, data: { id: string, title: string, done: boolean } }} Row */

/** @param {() => Promise<unknown>} work */
async function time(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** The client of this page. @type {MizuSync} */
let sync;
/** Who waits for the view, and what for. @type {Map<(rows: { id: string, data: { title: string } }[]) => boolean, () => void>} */
const waiting = new Map();

/** Resolves when the view is as wanted. @param {(rows: { id: string, data: { title: string } }[]) => boolean} wanted */
function view(wanted) {
  return new Promise((resolve) => waiting.set(wanted, () => resolve(undefined)));
}

/** Opens the client, until all rows are in the view: from the server in a new profile, else from the store. @param {number} rows */
async function open(rows) {
  sync = new MizuSync().entity(ENTITY);
  sync.subscribe({ scope: SCOPE, entity: ENTITY }, (rows) => {
    for (const [wanted, done] of waiting) if (wanted(rows) && waiting.delete(wanted)) done();
  });
  const all = view((shown) => shown.length === rows);
  await sync.open();
  await all;
}

/** So many changes that the server does not take for now. @param {number} count */
async function mutate(count) {
  const queued = [];
  for (let n = 0; n < count; n++) {
    const merge = { id: `row-${String(n).padStart(6, "0")}`, done: true };
    queued.push(sync.mutate(`${ENTITY}.merge`, merge, { scope: SCOPE }).queued);
  }
  await Promise.all(queued);
}

window.mizu = {
  open: (rows) => time(() => open(rows)),
  mutate: (count) => time(() => mutate(count)),
  /** From a poke until the view shows what the server changed. */
  poke: ({ cursor, title }) =>
    time(async () => {
      const shown = view((rows) => rows.some(({ data }) => data.title === title));
      sync.poke(SCOPE, cursor);
      await shown;
    }),
};

// The baseline: the same requests and the same rows, one transaction for each step, nothing else.

/** @type {import("idb").IDBPDatabase} */
let db;

async function openBare() {
  db = await openDB("bare", 1, {
    upgrade(db) {
      db.createObjectStore("rows", { keyPath: ["scope", "entity", "id"] });
      db.createObjectStore("scopes", { keyPath: "scope" });
      db.createObjectStore("queue", { keyPath: "order", autoIncrement: true });
    },
  });
}

/** @param {string} path @param {object} body */
async function post(path, body) {
  const headers = { "content-type": "application/json" };
  return (await fetch(path, { method: "POST", headers, body: JSON.stringify({ scope: SCOPE, ...body }) })).json();
}

/** @param {(tx: import("idb").IDBPTransaction<unknown, string[], "readwrite">) => Promise<unknown>[]} work */
async function write(work) {
  const tx = db.transaction(["rows", "scopes", "queue"], "readwrite", { durability: "strict" });
  await Promise.all([...work(tx), tx.done]);
}

/** @param {string} cursor @param {Row[]} rows */
const store = (cursor, rows) =>
  write((tx) => [
    ...rows.map((row) => tx.objectStore("rows").put({ scope: SCOPE, ...row })),
    tx.objectStore("scopes").put({ scope: SCOPE, cursor }),
  ]);

window.bare = {
  /** Fetches all pages and stores them, then reads all rows. */
  populate: () =>
    time(async () => {
      await openBare();
      const rows = [];
      let page, cursor;
      do {
        const answer = await post("/_sync/snapshot", { page });
        rows.push(...answer.rows);
        page = answer.next;
        cursor = answer.cursor;
      } while (page);
      await store(cursor, rows);
      return db.getAll("rows");
    }),
  /** Opens the store and reads all rows. */
  open: () =>
    time(async () => {
      await openBare();
      return db.getAll("rows");
    }),
  /** Stores changes, a transaction each as they are made. @param {number} count */
  mutate: (count) =>
    time(async () => {
      const queued = [];
      for (let n = 0; n < count; n++) queued.push(write((tx) => [tx.objectStore("queue").add({ name: "merge", args: { id: String(n) } })]));
      await Promise.all(queued);
    }),
  /** Fetches what changed, stores it, and reads the changed row and the queue. */
  pull: (cursor) =>
    time(async () => {
      const { changes, cursor: next } = await post("/_sync/pull", { cursor });
      await store(next, changes.map(({ entity, id, data }) => ({ entity, id, data })));
      const tx = db.transaction(["rows", "queue"]);
      await Promise.all([
        ...changes.map(({ entity, id }) => tx.objectStore("rows").get([SCOPE, entity, id])),
        tx.objectStore("queue").getAll(),
      ]);
    }),
};
window.ready = true;
