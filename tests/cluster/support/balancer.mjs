/** A proxy in front of the nodes: each new connection goes to any one that takes it. No session sticks to a node. */
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** @typedef {import("node:net").Socket} Socket */

export class Balancer {
  #nodes;
  #random;
  #listener = createServer((client) => this.#accept(client));
  /** @type {Set<Socket>} */
  #clients = new Set();
  /** Nodes that new connections don't go to. @type {Set<{ port: number }>} */
  avoided = new Set();

  /** @param {{ port: number }[]} nodes as they are when a connection comes @param {() => number} random from 0 up to 1 */
  constructor(nodes, random) {
    this.#nodes = nodes;
    this.#random = random;
  }

  async start() {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
  }

  get url() {
    const address = /** @type {import("node:net").AddressInfo} */ (this.#listener.address());
    return `http://127.0.0.1:${address.port}`;
  }

  async close() {
    this.#listener.close();
    for (const client of this.#clients) client.destroy();
    await once(this.#listener, "close");
  }

  /** @param {Socket} client */
  async #accept(client) {
    this.#clients.add(client);
    client.on("error", () => {});
    client.on("close", () => this.#clients.delete(client));
    client.setNoDelay();
    const server = await this.#reach();
    if (!server) return client.destroy();
    server.setNoDelay();
    server.on("error", () => client.destroy());
    server.on("close", () => client.destroy());
    client.on("close", () => server.destroy());
    if (client.destroyed) server.destroy();
    client.pipe(server).pipe(client);
  }

  /** A connection to a node: those that refuse are skipped. @returns {Promise<Socket | undefined>} */
  async #reach() {
    const left = this.#nodes.filter((node) => !this.avoided.has(node));
    while (left.length) {
      const [node] = left.splice(Math.floor(this.#random() * left.length), 1);
      const server = connect(node.port, "127.0.0.1");
      try {
        await once(server, "connect");
        return server;
      } catch {
        server.destroy();
      }
    }
    return undefined;
  }
}
