/** Nodes of the example `cluster`, with PostgreSQL, NATS and a proxy of their own. Whatever ends the tests ends them all. */
import { Server } from "../../browser/support/server.mjs";
import { Balancer } from "./balancer.mjs";
import { call } from "./call.mjs";
import { Nats } from "./nats.mjs";
import { Person } from "./person.mjs";
import { MortalPostgres } from "./postgres.mjs";

// What is stopped ends in order, so that the processes that it started are ended as well.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/** As many rows as REST gives at a time. */
const ROWS = 1_000;

export class Cluster {
  postgres = new MortalPostgres();
  nats = new Nats();
  /** @type {Server[]} */
  nodes = [];
  #balancer;
  /** @type {Person[]} */
  people = [];
  /** The URL of the nodes' database. */
  database = "";

  /** @param {() => number} random */
  constructor(random) {
    this.#balancer = new Balancer(this.nodes, random);
  }

  /** @param {number} count of nodes @param {() => number} [random] */
  static async start(count, random = Math.random) {
    const cluster = new Cluster(random);
    await Promise.all([cluster.postgres.start(), cluster.nats.start()]);
    cluster.database = cluster.postgres.database("todos");
    const env = {
      DATABASE_URL: cluster.database,
      NATS_URL: cluster.nats.url,
      MIZU_SECRET: "thirty-two bytes that all nodes know",
    };
    for (let at = 0; at < count; at++) cluster.nodes.push(new Server("cluster", env));
    await Promise.all([...cluster.nodes, cluster.#balancer].map((part) => part.start()));
    return cluster;
  }

  /** Of the proxy. */
  get url() {
    return this.#balancer.url;
  }

  /** Opens the page at an address, by default through the proxy. @param {string} [url] */
  async person(url = this.url) {
    const person = new Person(url);
    this.people.push(person);
    return person.open();
  }

  /** New connections go to this node only, until `anywhere`. @param {Server} node */
  onlyTo(node) {
    this.#balancer.avoided = new Set(this.nodes.filter((other) => other !== node));
  }

  anywhere() {
    this.#balancer.avoided.clear();
  }

  /** What the store holds, in the order of the page. @param {string} [url] */
  async todos(url = this.url) {
    /** @type {import("./screen.mjs").Todo[]} */
    const todos = [];
    for (;;) {
      const after = todos.length ? `?after=${encodeURIComponent(todos[todos.length - 1].id)}` : "";
      const { status, text, json } = await call(`${url}/api/todos${after}`);
      if (status !== 200) throw new Error(`${status} ${text}`);
      const rows = json();
      todos.push(...rows);
      if (rows.length < ROWS) return todos;
    }
  }

  async stop() {
    for (const person of this.people) person.close();
    await this.#balancer.close();
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all([this.nats.kill(), this.postgres.stop()]);
  }
}
