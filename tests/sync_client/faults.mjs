/** A network that loses, repeats, delays and tears requests and answers, as a seed says. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";

/** @typedef {{ method?: string, path?: string, headers: import("node:http").IncomingHttpHeaders, body: Buffer }} Asked */

/** What becomes of a request that is not passed on and answered in order. */
const FATES = /** @type {const} */ (["lost", "torn", "unheard", "half", "twice", "again", "slow", "cut"]);
/** The longest delay, in milliseconds. */
const SLOW = 400;

export class Faults {
  #target;
  #random;
  #listener = createServer((incoming, outgoing) => this.#pass(incoming, outgoing).catch(() => outgoing.destroy()));
  /** Requests that arrive once more, later. @type {Set<Promise<unknown>>} */
  #late = new Set();
  /** How many of the requests meet with something. */
  share = 0.4;
  /** How often each happened. @type {Record<string, number>} */
  seen = {};

  /** @param {{ port: number }} target @param {() => number} random from 0 up to 1 */
  constructor(target, random) {
    this.#target = target;
    this.#random = random;
  }

  /** @param {{ port: number }} target @param {() => number} random */
  static async open(target, random) {
    const faults = new Faults(target, random);
    faults.#listener.listen(0, "127.0.0.1");
    await once(faults.#listener, "listening");
    return faults;
  }

  get url() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#listener.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /** From now on all is well; what was still to arrive has arrived when this returns. */
  async heal() {
    this.share = 0;
    await Promise.allSettled(this.#late);
  }

  close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} outgoing */
  async #pass(incoming, outgoing) {
    const { method, url: path, headers } = incoming;
    const asked = { method, path, headers, body: Buffer.concat(await incoming.toArray()) };
    const fate = this.#random() < this.share ? FATES[Math.floor(this.#random() * FATES.length)] : "ok";
    this.seen[fate] = (this.seen[fate] ?? 0) + 1;
    if (fate === "lost") return outgoing.destroy();
    if (fate === "torn") return this.#tear(asked).finally(() => outgoing.destroy());
    if (fate === "slow") await this.#pause();
    if (fate === "again") this.#repeat(asked);
    const [answer] = await Promise.all([this.#forward(asked), fate === "twice" && this.#forward(asked).catch(() => {})]);
    if (fate === "slow") await this.#pause();
    if (fate === "unheard") return outgoing.destroy();
    // Everything that is under way is lost.
    if (fate === "cut") return this.#listener.closeAllConnections();
    outgoing.writeHead(answer.status, { ...answer.headers, "content-length": answer.body.length });
    if (fate !== "half") return outgoing.end(answer.body);
    outgoing.write(answer.body.subarray(0, answer.body.length / 2), () => outgoing.destroy());
  }

  /** @param {Asked} asked @returns {Promise<{ status: number, headers: import("node:http").IncomingHttpHeaders, body: Buffer }>} */
  #forward({ method, path, headers, body }) {
    return new Promise((resolve, reject) => {
      const inner = request({ port: this.#target.port, host: "127.0.0.1", agent: false, method, path, headers });
      inner.on("error", reject);
      inner.on("response", async (response) => {
        try {
          const body = Buffer.concat(await response.toArray());
          resolve({ status: response.statusCode ?? 500, headers: response.headers, body });
        } catch (error) {
          reject(error);
        }
      });
      inner.end(body);
    });
  }

  /** The server gets the beginning of a request. @param {Asked} asked */
  async #tear({ method, path, body }) {
    const socket = connect(this.#target.port, "127.0.0.1");
    socket.on("error", () => {});
    const head = `${method} ${path} HTTP/1.1\r\nhost: torn\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    const end = Math.floor(this.#random() * body.length);
    socket.write(Buffer.concat([Buffer.from(head), body.subarray(0, end)]), () => socket.destroy());
    await once(socket, "close");
  }

  /** It arrives now, and once more when others have. @param {Asked} asked */
  #repeat(asked) {
    const late = this.#pause().then(() => this.#forward(asked)).catch(() => {});
    this.#late.add(late);
    void late.then(() => this.#late.delete(late));
  }

  #pause() {
    return new Promise((resolve) => setTimeout(resolve, this.#random() * SLOW));
  }
}
