/** A PostgreSQL server of a test's own: in a temporary folder, reached by a socket there. Root's runs as the user `postgres`. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../browser/support/wait.mjs";

const USER = "postgres";
const VERSIONS = "/usr/lib/postgresql";

export class Postgres {
  #folder = mkdtempSync(join(tmpdir(), "mizu-pg-"));
  #data = join(this.#folder, "data");
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #kill = () => this.#process?.kill("SIGQUIT");

  constructor() {
    if (isRoot()) chownSync(this.#folder, id("-u"), id("-g"));
    const options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--wal-segsize=1", `--username=${USER}`, "-D", this.#data];
    const [program, args] = command("initdb", options);
    execFileSync(program, args, { cwd: "/", stdio: "pipe" });
  }

  /** The URL of a new database. @param {string} name */
  database(name) {
    const [program, args] = command("createdb", ["-h", this.#folder, "-U", USER, name]);
    execFileSync(program, args, { cwd: "/", stdio: "pipe" });
    return `postgresql://${USER}@${encodeURIComponent(this.#folder)}/${name}`;
  }

  async start() {
    const settings = [
      "listen_addresses=", `unix_socket_directories=${this.#folder}`, "fsync=off", "shared_buffers=32MB", "dynamic_shared_memory_type=mmap",
    ];
    const [program, args] = command("postgres", ["-D", this.#data, ...settings.flatMap((setting) => ["-c", setting])]);
    const child = spawn(program, args, { cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (data) => (said += data));
    this.#process = child;
    process.on("exit", this.#kill);
    const state = join(this.#data, "postmaster.pid");
    await until(() => {
      if (child.exitCode !== null) throw new Error(said);
      return existsSync(state) && readFileSync(state, "utf8").split("\n")[7]?.trim() === "ready";
    }, "PostgreSQL");
  }

  /** Ends it as a crash does: nothing more is written, and the next start has to recover. */
  async crash() {
    const child = this.#process;
    this.#process = undefined;
    process.off("exit", this.#kill);
    if (!child || child.exitCode !== null) return;
    child.kill("SIGQUIT");
    await once(child, "exit");
  }

  async restart() {
    await this.crash();
    await this.start();
  }

  async stop() {
    await this.crash();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A program of the newest server that is installed, as whom it may run as. @param {string} name @param {string[]} args @returns {[string, string[]]} */
function command(name, args) {
  const [version] = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  if (!version) throw new Error("there is no PostgreSQL server: install Debian's package `postgresql`");
  const program = join(VERSIONS, version, "bin", name);
  const as = isRoot() ? ["--reuid", USER, "--regid", USER, "--init-groups"] : [];
  return ["setpriv", [...as, "--pdeathsig", "QUIT", "--", program, ...args]];
}

const isRoot = () => process.getuid?.() === 0;

/** @param {"-u" | "-g"} what */
const id = (what) => Number(execFileSync("id", [what, USER], { encoding: "utf8" }));
