/**
 * A server in memory that keeps the sync contract: one log a scope, whole transactions, acks in the log, a counter a
 * client. It is also what the browser tests serve over HTTP, so it knows requests and answers, and nothing of fetch.
 */

/** @typedef {import("../../src/sync/json.js").Json} Json */
/** @typedef {Record<string, Json> & { id: string }} Fields */
/** @typedef {{ seq: number, status: string, code?: string, error?: string }} Ack */
/** @typedef {{ client: string, ack: Ack }} PrivateAck */
/** @typedef {{ op: string, entity: string, id: string, data?: Json }} Effect */
/** @typedef {{ effects: Effect[], ack?: PrivateAck }} Transaction one place in a scope's log */
/** @typedef {{ log: Transaction[], first: number }} Scope `first`: position before the oldest one that is kept */
/** @typedef {{ user: string, last: number, results: Map<number, { text: string, result: Ack & { cursor?: string } }> }} Client */
/** @typedef {{ status: number, body: Record<string, unknown>, retry?: number }} Answer */
/** @typedef {{ seq: number, id: string, name: string, scope: string, args: Json }} Sent */
/** @typedef {Record<string, unknown> & { client: string, user?: string, scope: string, cursor: string, limit?: number, mutations: Sent[], page?: string }} Body */
/** @typedef {(tx: ServerTx, args: Fields) => void} Mutator */

export class Refused extends Error {
  /** @param {string} code */
  constructor(code) {
    super(`refused: ${code}`);
    this.code = code;
  }
}

class ServerTx {
  /** @type {Map<string, Effect[]>} */
  effects = new Map();
  #server;
  #declared;

  /** @param {SyncServer} server @param {string[]} declared */
  constructor(server, declared) {
    this.#server = server;
    this.#declared = declared;
    for (const scope of declared) this.effects.set(scope, []);
  }

  /** @param {string} scope @param {string} entity @param {string} id */
  get(scope, entity, id) {
    const own = this.effects.get(scope)?.findLast((effect) => effect.entity === entity && effect.id === id);
    return own ? own.data : this.#server.rows(scope).get(`${entity}\0${id}`);
  }

  /** @param {string} scope @param {string} entity @param {string} id @param {Json} [data] none deletes */
  set(scope, entity, id, data) {
    if (!this.#declared.includes(scope)) throw new Refused("undeclared");
    const op = data === undefined ? "delete" : this.get(scope, entity, id) === undefined ? "create" : "update";
    this.effects.get(scope)?.push({ op, entity, id, data });
  }
}

export class SyncServer {
  epoch = "e1";
  /** @type {Map<string, Scope>} */
  scopes = new Map();
  /** @type {Map<string, Client>} */
  clients = new Map();
  /** Scopes that nobody may read or write. @type {Set<string>} */
  forbidden = new Set();
  /** Who is signed in; undefined for nobody. @type {string | undefined} */
  user = "ann";
  /** Answers to this many more pushes are 503. */
  unavailable = 0;
  /** What a request may have at most. */
  limits = { mutations: 100, bytes: 1_048_576 };
  /** The app lets nobody in, and says that the requests are to blame. */
  broken = false;
  /** Mutations that were run, by client and number; each once, or something is wrong. @type {string[]} */
  ran = [];
  /** @type {Map<string, { scopes: (scope: string, args: Fields) => string[], run: (tx: ServerTx, scope: string, args: Fields) => void }>} */
  mutators = new Map();
  /** Hears of commits. @type {(scope: string, cursor: string) => void} */
  poke = () => {};

  constructor() {
    this.entity("todo");
  }

  /** @param {string} entity */
  entity(entity) {
    this.mutator(`${entity}.create`, (tx, scope, row) => {
      if (tx.get(scope, entity, row.id) !== undefined) throw new Refused("exists");
      tx.set(scope, entity, row.id, row);
    });
    this.mutator(`${entity}.merge`, (tx, scope, fields) => {
      const row = tx.get(scope, entity, fields.id);
      if (row === undefined) throw new Refused("not_found");
      tx.set(scope, entity, fields.id, { .../** @type {Fields} */ (row), ...fields });
    });
    this.mutator(`${entity}.delete`, (tx, scope, { id }) => {
      if (tx.get(scope, entity, id) !== undefined) tx.set(scope, entity, id);
    });
  }

  /** @param {string} name @param {(tx: ServerTx, scope: string, args: Fields) => void} run @param {(scope: string, args: Fields) => string[]} [scopes] */
  mutator(name, run, scopes = (scope) => [scope]) {
    this.mutators.set(name, { run, scopes });
  }

  /** Rows of a scope, as they are or were. @param {string} scope @param {number} [position] @returns {Map<string, Json>} */
  rows(scope, position = Infinity) {
    const rows = new Map();
    for (const { effects } of this.#scope(scope).log.slice(0, position)) {
      for (const { op, entity, id, data } of effects) {
        if (op === "delete") rows.delete(`${entity}\0${id}`);
        else rows.set(`${entity}\0${id}`, data);
      }
    }
    return rows;
  }

  /** Somebody else writes. @param {string} scope @param {...Effect} effects */
  write(scope, ...effects) {
    this.#scope(scope).log.push({ effects });
    this.poke(scope, this.cursor(scope));
  }

  /** @param {string} scope */
  cursor(scope) {
    return `${this.epoch}.${this.#scope(scope).log.length}`;
  }

  /** Forgets the log up to its head, though not the rows. @param {string} scope */
  compact(scope) {
    this.#scope(scope).first = this.#scope(scope).log.length;
  }

  /** A backup to `restore`. */
  backup() {
    return structuredClone({ scopes: this.scopes, clients: this.clients });
  }

  /** @param {ReturnType<SyncServer["backup"]>} backup @param {string} epoch */
  restore({ scopes, clients }, epoch) {
    Object.assign(this, { scopes: structuredClone(scopes), clients: structuredClone(clients), epoch });
  }

  /** @param {string} path @param {Body} body @returns {Answer} */
  answer(path, body) {
    if (this.broken) return refuse(400, "invalid");
    if (this.user === undefined) return refuse(401, "unauthorized");
    const text = JSON.stringify(body);
    if (text.length > this.limits.bytes) return refuse(413, "too_large");
    // Half a character, which no reader of JSON takes for a text.
    if (/\\ud[89a-f]/.test(text)) return refuse(400, "invalid");
    if (body.user !== undefined && body.user !== this.user) return refuse(401, "other_user");
    if (!/^[\w-]{22,64}$/.test(body.client)) return refuse(400, "invalid");
    if (path === "push") return this.#push(body);
    if (this.forbidden.has(body.scope)) return refuse(403, "scope_forbidden");
    return path === "pull" ? this.#pull(body) : this.#snapshot(body);
  }

  /** @param {Body} body @returns {Answer} */
  #push({ client, mutations }) {
    const user = /** @type {string} */ (this.user);
    if (mutations.length > this.limits.mutations) return refuse(413, "too_large");
    const known = this.clients.get(client);
    if (!known && mutations[0]?.seq > 1) return refuse(409, "client_unknown", { results: [] });
    const state = known ?? { user, last: 0, results: new Map() };
    if (state.user !== user) return refuse(403, "client_foreign", { results: [] });
    this.clients.set(client, state);
    const results = [];
    for (const mutation of mutations) {
      const text = JSON.stringify([mutation.name, mutation.scope, mutation.args]);
      if (mutation.seq > state.last + 1) return refuse(409, "gap", { results, expected: state.last + 1 });
      if (mutation.seq <= state.last) {
        const stored = state.results.get(mutation.seq);
        if (stored && stored.text !== text) return refuse(409, "seq_reused", { results });
        results.push(stored?.result ?? { seq: mutation.seq, status: "expired" });
        continue;
      }
      if (this.unavailable > 0) {
        this.unavailable--;
        return { ...refuse(503, "unavailable", { results }), retry: 1 };
      }
      const result = this.#apply(client, mutation);
      state.last = mutation.seq;
      state.results.set(mutation.seq, { text, result });
      results.push(result);
    }
    return { status: 200, body: { results } };
  }

  /** @param {string} client @param {Sent} mutation @returns {Ack & { cursor?: string }} */
  #apply(client, { seq, name, scope, args }) {
    // The outcome is kept where nobody can pull it.
    if (!scope) return { seq, status: "rejected", code: "invalid", error: "no scope" };
    this.ran.push(`${client} ${seq}`);
    const mutator = this.mutators.get(name);
    const scopes = mutator?.scopes(scope, /** @type {Fields} */ (args)) ?? [scope];
    if (scopes.some((scope) => this.forbidden.has(scope))) return { seq, status: "rejected", code: "scope_forbidden", error: "not yours" };
    const tx = new ServerTx(this, scopes);
    /** @type {Ack} */
    let ack = { seq, status: "applied" };
    try {
      if (!mutator) throw new Refused("unknown_mutator");
      mutator.run(tx, scope, /** @type {Fields} */ (args));
    } catch (error) {
      ack = { seq, status: "rejected", code: error instanceof Refused ? error.code : "failed", error: String(error) };
    }
    for (const [name, effects] of tx.effects) {
      this.#scope(name).log.push({ effects: ack.status === "applied" ? effects : [], ack: { client, ack } });
      this.poke(name, this.cursor(name));
    }
    return { ...ack, cursor: this.cursor(scope) };
  }

  /** @param {Body} body @returns {Answer} */
  #pull({ client, scope, cursor, limit = 1_000 }) {
    const { log, first } = this.#scope(scope);
    const [epoch, position] = cursor ? cursor.split(".") : [this.epoch, "0"];
    let at = Number(position);
    if (epoch !== this.epoch || at > log.length) return refuse(409, "epoch_changed");
    if (at < first) return refuse(409, "cursor_too_old");
    const changes = [];
    while (at < log.length && changes.length < limit) {
      const { effects, ack } = log[at++];
      changes.push(...effects);
      if (ack?.client === client) changes.push({ op: "ack", ...ack.ack });
    }
    return { status: 200, body: { changes, cursor: `${this.epoch}.${at}`, has_more: at < log.length } };
  }

  /** @param {Body} body @returns {Answer} */
  #snapshot({ client, scope, page, limit = 1_000 }) {
    const { log, first } = this.#scope(scope);
    const [epoch, position, from] = page ? page.split(".") : [this.epoch, log.length, 0];
    if (epoch !== this.epoch || Number(position) < first) return refuse(409, "cursor_too_old");
    const all = [...this.rows(scope, Number(position))];
    const end = Number(from) + limit;
    const rows = all.slice(Number(from), end).map(([key, data]) => {
      const [entity, id] = key.split("\0");
      return { entity, id, data };
    });
    const acks = log.slice(0, Number(position)).flatMap(({ ack }) => (ack?.client === client ? [ack.ack] : [])).slice(-1_000);
    const more = page ? {} : { acks, last: this.clients.get(client)?.last ?? 0 };
    const next = end < all.length ? { next: `${this.epoch}.${position}.${end}` } : {};
    return { status: 200, body: { rows, cursor: `${this.epoch}.${position}`, ...more, ...next } };
  }

  /** @param {string} name @returns {Scope} */
  #scope(name) {
    let scope = this.scopes.get(name);
    if (!scope) this.scopes.set(name, (scope = { log: [], first: 0 }));
    return scope;
  }
}

/** @param {number} status @param {string} code @param {object} [more] @returns {Answer} */
function refuse(status, code, more) {
  return { status, body: { code, error: `refused: ${code}`, ...more } };
}
