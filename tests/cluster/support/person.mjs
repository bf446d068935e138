/**
 * A person with the page of todos open: the runtime's own session and socket over the `ws` package, and a screen without a
 * DOM, so that hundreds live in one process.
 */
import { createRequire } from "node:module";
import { Session } from "../../../runtime-js/src/session.js";
import { Socket } from "../../../runtime-js/src/socket.js";
import { until } from "../../browser/support/wait.mjs";
import { call } from "./call.mjs";
import { Screen } from "./screen.mjs";

const require = createRequire(new URL("../../../runtime-js/package.json", import.meta.url));
const { WebSocket } = require("ws");

/** A socket as a browser's: it says where its page comes from, and its errors are heard of by the end of the connection. */
class QuietSocket extends WebSocket {
  /** @param {string} url @param {string} protocol */
  constructor(url, protocol) {
    super(url, protocol, { perMessageDeflate: false, origin: new URL(url.replace(/^ws/, "http")).origin });
    this.on("error", () => {});
  }
}
globalThis.WebSocket = /** @type {any} */ (QuietSocket);

const PAGE = "/todos";
const NO_DEBUG = /** @type {any} */ ({ frame() {}, error() {}, note() {} });

/** An event that nobody will answer, or that was refused. */
export class EventError extends Error {
  /** @override */
  name = "EventError";
}

export class Person {
  #url;
  #token = "";
  /** @type {Session | undefined} */
  #session;
  /** The events that have no answer, by what rejects them. @type {Set<(why: Error) => void>} */
  #waiting = new Set();
  screen = new Screen();
  /** How often the page was joined, and how often of these it was mounted anew. */
  joins = 0;
  mounts = 0;
  /** Failures that were told, as the page would tell them. @type {import("../../../runtime-js/src/status.js").Failure[]} */
  failures = [];

  /** @param {string} url of a node, or of what stands before them */
  constructor(url) {
    this.#url = url;
  }

  /** Loads the page, as often as it takes, and joins it. */
  async open() {
    let html = "";
    await until(async () => {
      const { status, text } = await call(this.#url + PAGE);
      html = text;
      return status === 200;
    }, "the page");
    this.#token = /<form id="lv".*?name="lv-token"[^>]* value="([^"]*)"/.exec(html)?.[1] ?? "";
    this.screen.show(html);
    this.#session = this.#make();
    this.#session.start();
    await until(() => this.#session?.joined, "the page to be joined");
    return this;
  }

  close() {
    this.#session?.stop();
  }

  get joined() {
    return this.#session?.joined === true;
  }

  /** The page has given up, until somebody loads it anew. */
  get stopped() {
    return this.failures.some(({ stopped }) => stopped);
  }

  todos() {
    return this.screen.todos();
  }

  /** Whether a todo of this title shows. @param {string} title */
  sees(title) {
    return this.todos().some((todo) => todo.title === title);
  }

  /** Sends the form. @param {string} title @returns {Promise<void>} ends when the answer was applied */
  add(title) {
    return this.#event("submit", "Add", [["title", title]]);
  }

  /** Clicks on a todo's cross. @param {string} id @returns {Promise<void>} */
  delete(id) {
    return this.#event("click", `Delete?id=${id}`, null);
  }

  /** @param {string} type @param {string} name @param {[string, string][] | null} form @returns {Promise<void>} */
  #event(type, name, form) {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      this.#session?.send({
        name,
        body: [name, null, [], form, null, new Map([["type", type]])],
        accepted: () => {
          this.#waiting.delete(reject);
          resolve();
        },
      });
    });
  }

  #make() {
    const address = this.#url.replace(/^http/, "ws") + "/_live";
    const host = {
      token: () => this.#token,
      joined: () => this.joins++,
      mounting: (/** @type {boolean} */ fresh, /** @type {() => void} */ apply) => {
        this.mounts += Number(fresh);
        this.screen.begin();
        apply();
      },
      connected: () => {},
      user: null,
      syncs: () => false,
    };
    const navigator = { url: PAGE, forced: false, reload: () => false, go: () => false, flash() {} };
    const status = {
      set() {},
      emit: () => true,
      error: (/** @type {any} */ failure) => {
        this.failures.push(failure);
        this.#reject(`${failure.code}: ${failure.message}`);
      },
      lost: () => this.#reject("lost"),
    };
    const open = (/** @type {any} */ owner) => new Socket(address, owner, NO_DEBUG);
    const parts = /** @type {any[]} */ ([host, this.screen, navigator, status, NO_DEBUG]);
    // @ts-expect-error the parts stand in for what needs a document
    return new Session(open, ...parts);
  }

  /** @param {string} why */
  #reject(why) {
    for (const reject of this.#waiting) reject(new EventError(why));
    this.#waiting.clear();
  }
}
