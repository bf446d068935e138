/** A server in front of another one, which may change what it answers: other headers, another build. */
import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";

/** @typedef {{ status: number, headers: Record<string, string | string[] | undefined>, body: Buffer }} Answer */

export class Front {
  #target;
  #listener = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
  /** Both ends of what was upgraded; the listener doesn't count them any more. @type {Set<import("node:stream").Duplex>} */
  #upgraded = new Set();
  /** Under which path the server has what is asked for. @type {(path: string) => string} */
  path = (path) => path;
  /** What the browser gets. @type {(answer: Answer, path: string) => void} */
  change = () => {};

  /** @param {import("./server.mjs").Server} target */
  constructor(target) {
    this.#target = target;
  }

  /** @param {import("./server.mjs").Server} target */
  static async open(target) {
    const front = new Front(target);
    front.#listener.listen(0, "127.0.0.1");
    // What is upgraded is passed on as it is.
    front.#listener.on("upgrade", (incoming, client, head) => front.#upgrade(incoming, client, head));
    await once(front.#listener, "listening");
    return front;
  }

  get port() {
    return /** @type {import("node:net").AddressInfo} */ (this.#listener.address()).port;
  }

  async close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
    for (const end of this.#upgraded) end.destroy();
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:stream").Duplex} client @param {Buffer} head */
  #upgrade({ method, url, rawHeaders }, client, head) {
    const server = connect(this.#target.port, "127.0.0.1");
    const lines = Array.from({ length: rawHeaders.length / 2 }, (_, n) => `${rawHeaders[2 * n]}: ${rawHeaders[2 * n + 1]}\r\n`);
    server.write(`${method} ${this.path(url ?? "/")} HTTP/1.1\r\n${lines.join("")}\r\n`);
    server.write(head);
    for (const [end, other] of [[client, server], [server, client]]) {
      this.#upgraded.add(end);
      end.pipe(other);
      end.on("error", () => other.destroy());
      end.on("close", () => {
        this.#upgraded.delete(end);
        other.destroy();
      });
    }
  }

  /** @param {import("node:http").IncomingMessage} incoming @param {import("node:http").ServerResponse} outgoing */
  #pass(incoming, outgoing) {
    const asked = incoming.url ?? "/";
    const headers = { ...incoming.headers, "accept-encoding": "identity" };
    const inner = request({ port: this.#target.port, path: this.path(asked), method: incoming.method, headers });
    inner.on("error", () => outgoing.destroy());
    inner.on("response", async (response) => {
      const { statusCode = 500, headers } = response;
      const answer = { status: statusCode, headers, body: Buffer.concat(await response.toArray()) };
      this.change(answer, asked);
      outgoing.writeHead(answer.status, { ...answer.headers, "content-length": answer.body.length });
      outgoing.end(answer.body);
    });
    incoming.pipe(inner);
  }
}
