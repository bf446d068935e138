/** What is below a cluster, by its bare protocols and without a library: the least that crossing nodes costs. */
import { once } from "node:events";
import { connect } from "node:net";

/** @param {import("node:net").NetConnectOpts} where */
async function open(where) {
  const socket = connect(where);
  await once(socket, "connect");
  return socket.setNoDelay();
}

/**
 * One connection that inserts a row a time, each with its own commit.
 *
 * Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class PostgresInsert {
  #socket;
  #number = 0;
  #received = Buffer.alloc(0);

  /** @param {import("node:net").Socket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /** @param {string} database its URL, with the folder of its socket */
  static async open(database) {
    const url = new URL(database);
    const client = new PostgresInsert(await open({ path: `${decodeURIComponent(url.hostname)}/.s.PGSQL.5432` }));
    const startup = Buffer.from(`\0\x03\0\0user\0${url.username}\0database\0${url.pathname.slice(1)}\0\0`, "latin1");
    client.#socket.write(framed("", startup));
    await client.#ready();
    await client.#query("create table bare (number int primary key, title text)");
    return client;
  }

  /** @returns {Promise<number>} milliseconds */
  async once() {
    const start = performance.now();
    await this.#query(`insert into bare values (${this.#number++}, 'a todo')`);
    return performance.now() - start;
  }

  close() {
    this.#socket.destroy();
  }

  /** @param {string} sql */
  async #query(sql) {
    this.#socket.write(framed("Q", Buffer.from(`${sql}\0`)));
    await this.#ready();
  }

  /** Reads messages until the server waits for the next query. */
  async #ready() {
    for (;;) {
      while (this.#received.length >= 5) {
        const end = 1 + this.#received.readUInt32BE(1);
        if (this.#received.length < end) break;
        const [kind, body] = [String.fromCharCode(this.#received[0]), this.#received.subarray(5, end)];
        this.#received = this.#received.subarray(end);
        if (kind === "E") throw new Error(`PostgreSQL: ${body.toString().replaceAll("\0", " ")}`);
        if (kind === "Z") return;
      }
      const [data] = await once(this.#socket, "data");
      this.#received = Buffer.concat([this.#received, data]);
    }
  }
}

/** @param {string} kind @param {Buffer} body */
function framed(kind, body) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(4 + body.length);
  return Buffer.concat([Buffer.from(kind), length, body]);
}

/**
 * A message from one connection to another through the server.
 *
 * Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export class NatsRound {
  #from;
  #to;

  /** @param {import("node:net").Socket} from @param {import("node:net").Socket} to */
  constructor(from, to) {
    this.#from = from;
    this.#to = to;
  }

  /** @param {number} port */
  static async open(port) {
    const [from, to] = await Promise.all([greeted(port), greeted(port)]);
    to.write("SUB bare 1\r\nPING\r\n");
    await once(to, "data");
    return new NatsRound(from, to);
  }

  /** @returns {Promise<number>} milliseconds */
  async once() {
    const start = performance.now();
    const received = once(this.#to, "data");
    this.#from.write("PUB bare 6\r\na poke\r\n");
    const [data] = await received;
    if (!data.toString().startsWith("MSG bare")) throw new Error(`NATS: ${data}`);
    return performance.now() - start;
  }

  close() {
    this.#from.destroy();
    this.#to.destroy();
  }
}

/** @param {number} port */
async function greeted(port) {
  const socket = await open({ port, host: "127.0.0.1" });
  await once(socket, "data");
  socket.write('CONNECT {"verbose":false}\r\nPING\r\n');
  await once(socket, "data");
  return socket;
}
