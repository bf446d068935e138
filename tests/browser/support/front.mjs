/** A server in front of another one, which may change what it answers: other headers, another build. */
import { once } from "node:events";
import { createServer, request } from "node:http";

/** @typedef {{ status: number, headers: Record<string, string | string[] | undefined>, body: Buffer }} Answer */

export class Front {
  #target;
  #listener = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
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
    await once(front.#listener, "listening");
    return front;
  }

  get port() {
    return /** @type {import("node:net").AddressInfo} */ (this.#listener.address()).port;
  }

  async close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
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
