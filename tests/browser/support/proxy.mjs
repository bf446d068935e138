/** A network between browser and server that can fail: it drops, refuses, stalls, and comes back. */
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** @typedef {import("node:net").Socket} Socket */

/** The two ends of one connection through the proxy. @typedef {{ client: Socket, server: Socket }} Pair */

export class Proxy {
  #target;
  #listener = createServer((client) => this.#accept(client));
  /** @type {Set<Pair>} */
  #pairs = new Set();
  /** Connections that have not said yet what they want. @type {Set<Socket>} */
  #fresh = new Set();
  #refusing = false;
  #sockets = true;
  /** What is not passed on: requests, answers. */
  #held = { requests: false, answers: false };

  /** @param {{ port: number }} target */
  constructor(target) {
    this.#target = target;
  }

  /** @param {{ port: number }} target */
  static async open(target) {
    const proxy = new Proxy(target);
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  /** Between the browser and a server, for one test. @param {{ port: number }} target @param {import("./browser.mjs").Scene["later"]} later */
  static async before(target, later) {
    const proxy = await Proxy.open(target);
    later(() => proxy.close());
    return proxy;
  }

  get url() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#listener.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /** Breaks all connections; new ones work. */
  drop() {
    for (const client of this.#fresh) reset(client);
    for (const { client, server } of this.#pairs) {
      reset(client);
      server.destroy();
    }
  }

  /** Breaks all connections and refuses new ones. */
  cut() {
    this.#refusing = true;
    this.drop();
  }

  /** Lets HTTP through, and no WebSocket: open ones break. */
  cutSockets() {
    this.#sockets = false;
    this.drop();
  }

  /** Keeps connections open and passes nothing on: half-open, as after a lost network. */
  stall() {
    this.#hold({ requests: true, answers: true });
  }

  /** Requests arrive, answers don't. */
  holdAnswers() {
    this.#hold({ requests: false, answers: true });
  }

  /** Everything works again; what was held is passed on. */
  restore() {
    this.#refusing = false;
    this.#sockets = true;
    this.#hold({ requests: false, answers: false });
  }

  async close() {
    this.cut();
    this.#listener.close();
    await once(this.#listener, "close");
  }

  /** @param {{ requests: boolean, answers: boolean }} held */
  #hold(held) {
    this.#held = held;
    for (const pair of this.#pairs) this.#flow(pair);
  }

  /** @param {Pair} pair */
  #flow({ client, server }) {
    flow(client, server, !this.#held.requests);
    flow(server, client, !this.#held.answers);
  }

  /** @param {Socket} client */
  #accept(client) {
    client.on("error", () => {});
    if (this.#refusing) return reset(client);
    client.setNoDelay();
    this.#fresh.add(client);
    client.on("close", () => this.#fresh.delete(client));
    client.once("data", (first) => {
      this.#fresh.delete(client);
      if (!this.#sockets && first.toString("latin1").startsWith("GET /_live")) return reset(client);
      client.pause();
      this.#pass(client, first);
    });
  }

  /** @param {Socket} client @param {Buffer} first */
  #pass(client, first) {
    const server = connect(this.#target.port, "127.0.0.1");
    server.setNoDelay();
    server.on("error", () => client.destroy());
    const pair = { client, server };
    this.#pairs.add(pair);
    for (const end of [client, server]) {
      end.on("close", () => {
        this.#pairs.delete(pair);
        client.destroy();
        server.destroy();
      });
    }
    if (this.#held.requests) client.unshift(first);
    else server.write(first);
    this.#flow(pair);
  }
}

/** @param {Socket} from @param {Socket} to @param {boolean} on */
function flow(from, to, on) {
  from.unpipe(to);
  if (on) from.pipe(to);
  else from.pause();
}

/**
 * Breaks a connection. One that is ending already is merely let go of: Node 20 never closes a socket whose reset fails
 * because it was shut down before, and then spins for ever when the process exits.
 *
 * @param {Socket} socket
 */
function reset(socket) {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
