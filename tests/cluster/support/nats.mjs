/** A NATS server of a test's own: on a free port, the same one after it was killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { until } from "../../browser/support/wait.mjs";

/** Debian puts it where only root looks. */
const PROGRAM = ["/usr/sbin/nats-server", "/usr/local/bin/nats-server"].find(existsSync) ?? "nats-server";

export class Nats {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #kill = () => this.#process?.kill("SIGKILL");
  port = 0;

  get url() {
    return `nats://127.0.0.1:${this.port}`;
  }

  async start() {
    this.port ||= await freePort();
    const options = ["--port", String(this.port), "--addr", "127.0.0.1"];
    // It ends with the tests, also when they are killed.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", PROGRAM, ...options], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (data) => (said += data));
    this.#process = child;
    process.on("exit", this.#kill);
    await until(() => {
      if (child.exitCode !== null) throw new Error(said);
      return greets(this.port);
    }, "NATS (Debian's package `nats-server`)");
    return this;
  }

  async kill() {
    const child = this.#process;
    this.#process = undefined;
    process.off("exit", this.#kill);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

/** Whether a NATS server listens on the port. @param {number} port @returns {Promise<boolean>} */
function greets(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (/** @type {boolean} */ greeted) => {
      socket.destroy();
      resolve(greeted);
    };
    socket.once("data", (data) => end(data.toString("latin1").startsWith("INFO ")));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}

/** Below the ports that systems give to outgoing connections, so that it stays free while a server restarts. */
async function freePort() {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    const listener = createServer().listen(port, "127.0.0.1");
    const free = await Promise.race([once(listener, "listening").then(() => true), once(listener, "error").then(() => false)]);
    listener.close();
    if (free) return port;
  }
}
