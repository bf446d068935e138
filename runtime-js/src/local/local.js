/** Ties a page to its local store: takes mutations, and draws what comes of them. */
import { CLASS_CONNECTED, CLASS_DISCONNECTED, MUTATE } from "../constants.js";
import { OFFLINE, REJECTED, SCOPE } from "./constants.js";
import { groups } from "./groups.js";
import { Marks } from "./marks.js";
import { mutation, typed } from "./mutation.js";
import { Notes } from "./notes.js";
import { Overlay } from "./overlay.js";
import { PATIENCE, Rows } from "./rows.js";
import { words } from "./values.js";

/** @typedef {import("../index.js").MizuLive} MizuLive */
/** @typedef {import("./groups.js").Group} Group */

/** What a person is told, by code. @type {Record<string, string>} */
const SORRY = {
  closed: "Signed out: not kept.",
  storage: "This browser keeps nothing.",
  storage_full: "This browser has no room.",
};

export class Local {
  #root;
  #live;
  #patcher;
  #overlay = new Overlay((element, next) => this.#patcher.draw(element, next), (element) => this.#patcher.copy(element));
  #marks = new Marks();
  #notes = new Notes();
  /** @type {[Group, Rows][]} */
  #groups = [];
  /** By scope and entity. @type {Map<string, Rows>} */
  #rows = new Map();
  /** Entities whose mutations are known. @type {Set<string>} */
  #entities = new Set();
  /** Undefined when it never was, since it was loaded. @type {boolean | undefined} */
  #joined;
  /** The page was opened without the server, and has not reached it since. */
  #alone = false;
  /** Mutations that were pending when that was looked at last. */
  #pending = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;

  /**
   * Takes mutations from now on: what can't be stored yet waits for that.
   *
   * @param {HTMLElement} root @param {MizuLive} live @param {import("../sync/index.js").MizuSync} sync
   */
  constructor(root, live, sync) {
    this.#root = root;
    this.#live = live.use(sync);
    this.sync = sync;
    this.#learn();
    // A document that asks for a store has a page.
    this.#patcher = /** @type {import("../patch.js").Patcher} */ (live.over(this));
    const { classList } = root;
    if (classList.contains(CLASS_CONNECTED)) this.#join();
    else if (classList.contains(CLASS_DISCONNECTED)) this.#leave();
    live.on("connected", () => this.#join());
    live.on("disconnected", () => this.#leave());
  }

  /** Opens the store, and draws what is in it. */
  async open() {
    const { sync } = this;
    sync.on("status", (status) => {
      this.#notes.status(status);
      if (status.pending === this.#pending) return;
      this.#pending = status.pending;
      this.#draw();
    });
    sync.on("error", (error) => this.#failed(error));
    sync.on("settled", (settled) => {
      const { status, code, error } = settled;
      if (status !== "rejected") return;
      this.#notes.problem(error ?? code);
      this.#root.dispatchEvent(new CustomEvent(REJECTED, { bubbles: true, detail: settled }));
    });
    await sync.open();
    for (const rows of this.#rows.values()) rows.remember();
    this.#draw();
    this.#notes.status(sync.status);
    const paths = words(this.#root, OFFLINE);
    // Where there are no workers, or none is allowed, the page works for as long as it is open.
    if (paths.length) sync.offline(paths).catch(console.warn);
  }

  /** @param {import("../index.js").Taken} taken */
  take({ element, values, fields, accepted }) {
    const scope = this.#scope(element);
    const asked = mutation(element.getAttribute(MUTATE) ?? "", values, typed(element, fields));
    if (!asked || !scope) return false;
    const { name, args } = asked;
    const [entity] = name.split(".");
    // Rows that were never fetched can't be changed here; the page's handlers can.
    if (this.#joined && this.#rows.get(JSON.stringify([scope, entity]))?.synced === false) return false;
    this.#notes.problem("");
    const { queued, done } = this.sync.mutate(name, args, { scope });
    this.#marks.begin(element, done);
    // Once somebody has signed out nothing else would tell.
    queued.then(accepted, (error) => this.#failed(error));
    return true;
  }

  /** @param {string[]} regions */
  before(regions) {
    // Only a page that is joined is patched.
    this.#meet();
    this.#safely(() => {
      this.#marks.withdraw();
      this.#notes.withdraw();
      this.#overlay.withdraw(regions);
    });
  }

  after() {
    this.#safely(() => {
      this.#overlay.patched();
      this.#learn();
      this.#notes.status(this.sync.status);
      this.#notes.problem();
    });
    this.#draw();
  }

  #meet() {
    if (this.#joined) return;
    this.#joined = true;
    this.#alone = false;
    for (const rows of this.#rows.values()) rows.settle(true);
  }

  #join() {
    this.#meet();
    this.#draw();
  }

  #leave() {
    this.#alone ||= this.#joined === undefined;
    this.#joined = false;
    this.#draw();
  }

  /** Looks for templates: a patch may have brought others. */
  #learn() {
    this.#groups = groups().map((group) => [group, this.#watch(group)]);
  }

  /** @param {Group} group */
  #watch({ first: { scope, entity } }) {
    const key = JSON.stringify([scope, entity]);
    const known = this.#rows.get(key);
    if (known) return known;
    // Once for each entity: the application may have said better since.
    if (!this.#entities.has(entity)) this.sync.entity(entity);
    this.#entities.add(entity);
    this.#live.subscribe(scope);
    const rows = new Rows(this.sync, scope, entity, () => this.#draw());
    this.#rows.set(key, rows);
    return rows;
  }

  #draw() {
    this.#patcher.during(() =>
      this.#safely(() => {
        for (const rows of this.#rows.values()) rows.settle();
        this.#marks.withdraw();
        this.#notes.withdraw();
        this.#overlay.draw(this.#groups, !!this.#joined, this.#alone);
        this.#notes.count(this.#groups, this.#alone);
        this.#marks.draw();
      }),
    );
    clearTimeout(this.#later);
    const held = this.#groups.some(([, rows]) => rows.held.size);
    if (held && this.#joined) this.#later = setTimeout(() => this.#draw(), PATIENCE);
  }

  /** What goes wrong here must not keep the server's patches from being applied. @param {() => void} work */
  #safely(work) {
    try {
      work();
    } catch (error) {
      console.error(error);
    }
  }

  /** @param {Element} element */
  #scope(element) {
    const named = element.closest(`[${SCOPE}]`)?.getAttribute(SCOPE);
    const around = this.#groups.find(([{ container }]) => container?.contains(element));
    return named ?? (around ?? this.#groups[0])?.[0].first.scope;
  }

  /** @param {{ code?: string, message: string }} error */
  #failed({ code = "", message }) {
    this.#notes.problem(SORRY[code] ?? message);
  }
}
