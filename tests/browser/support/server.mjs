/** An example as a process of its own, on a port of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../../target", import.meta.url));
const EXAMPLES = process.env.MIZU_EXAMPLES ?? join(TARGET, "debug/examples");

/** Where an example was built. @param {string} name */
export function example(name) {
  const binary = join(EXAMPLES, name);
  if (!existsSync(binary)) throw new Error(`${binary} is missing; build it with: cargo build --examples`);
  return binary;
}

/** How long a server may take to listen, in milliseconds. */
const PATIENCE = 20_000;

export class Server {
  #name;
  #env;
  #args;
  #folder = mkdtempSync(join(tmpdir(), "mizu-server-"));
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #kill = () => this.#process?.kill("SIGKILL");
  /** What it has said. */
  output = "";
  port = 0;

  /** @param {string} name of the example @param {Record<string, string>} [env] @param {string[]} [args] */
  constructor(name, env = {}, args = []) {
    this.#name = name;
    this.#env = env;
    this.#args = args;
  }

  /** Whether the example was built. @param {string} name */
  static exists(name) {
    return existsSync(join(EXAMPLES, name));
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it: on any port the first time, on the same one after that. */
  async start() {
    const binary = example(this.#name);
    const env = { PATH: process.env.PATH, RUST_BACKTRACE: "0", ...this.#env, ADDR: `127.0.0.1:${this.port}` };
    const child = spawn(binary, this.#args, { cwd: this.#folder, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    // Nothing of it outlives the tests, whatever ends them.
    process.on("exit", this.#kill);
    this.port = await new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ why) => reject(new Error(`${this.#name} ${why}:\n${this.output}`));
      const timer = setTimeout(() => fail("does not listen"), PATIENCE);
      const hear = (/** @type {Buffer} */ data) => {
        this.output += data;
        const said = /http:\/\/127\.0\.0\.1:(\d+)[/\s]/.exec(this.output.slice(start));
        if (!said) return;
        clearTimeout(timer);
        resolve(Number(said[1]));
      };
      const start = this.output.length;
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code) => fail(`ended with ${code}`));
    });
    return this;
  }

  /** Ends it without a warning, as a crash would. */
  async kill(/** @type {NodeJS.Signals} */ signal = "SIGKILL") {
    const child = this.#process;
    this.#process = undefined;
    process.off("exit", this.#kill);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  async restart() {
    await this.kill();
    return this.start();
  }

  async stop() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * A server for one test, with data of its own.
 *
 * @param {string} name of the example @param {import("./browser.mjs").Scene["later"]} later @param {Record<string, string>} [env]
 */
export async function own(name, later, env) {
  const server = await new Server(name, env).start();
  later(() => server.stop());
  return server;
}

/**
 * A server for all tests of a file.
 *
 * @param {string} name of the example @param {Record<string, string>} [env]
 */
export function serve(name, env) {
  const server = new Server(name, env);
  before(() => server.start());
  after(() => server.stop());
  return server;
}
