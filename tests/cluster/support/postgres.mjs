/** A PostgreSQL server that can lose its power: SIGKILL for all of it at once, and the same folder afterwards. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../browser/support/wait.mjs";
import { Postgres } from "../../sync_client/postgres.mjs";

export class MortalPostgres extends Postgres {
  #folder = "";

  /** @override @param {string} name */
  database(name) {
    const url = super.database(name);
    this.#folder = decodeURIComponent(new URL(url).hostname);
    return url;
  }

  /** Kills the server and everything it does; nothing is written any more. */
  async kill() {
    const state = join(this.#folder, "data/postmaster.pid");
    const server = Number(readFileSync(state, "utf8").split("\n")[0]);
    const processes = [server, ...children(server)];
    processes.forEach(kill);
    await this.crash();
    // A worker that is still there would keep the next server from starting.
    await until(() => !processes.some(runs), "the end of PostgreSQL's processes");
    rmSync(state, { force: true });
  }
}

/** The processes that a process started. @param {number} parent */
function children(parent) {
  const processes = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return processes.filter((id) => status(id)?.parent === parent);
}

/** @param {number} id */
function runs(id) {
  return !["Z", "X", undefined].includes(status(id)?.state);
}

/** @param {number} id */
function status(id) {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(") ") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** @param {number} id */
function kill(id) {
  try {
    process.kill(id, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
