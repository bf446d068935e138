/**
 * A panel for developers: what a sync engine holds, live. It draws itself anew with every change, and knows nothing of
 * the engine but `inspect()` and its events.
 *
 * ```js
 * import { inspector } from "/_mizu/…/mizu-inspector.js";
 * document.body.append(inspector(sync));
 * ```
 */

/** @typedef {Pick<import("../sync/index.js").MizuSync, "inspect" | "on">} Inspected */

/**
 * @param {Inspected} sync
 * @returns {HTMLElement & { stop(): void }} to be put anywhere; `stop` ends its listening
 */
export function inspector(sync) {
  const panel = document.createElement("details");
  panel.open = true;
  let due = false;
  const draw = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      panel.replaceChildren(...contents(sync.inspect()));
    });
  };
  const ends = [sync.on("changes", draw), sync.on("status", draw), sync.on("settled", draw)];
  draw();
  return Object.assign(panel, { stop: () => ends.forEach((end) => end()) });
}

/** @param {ReturnType<Inspected["inspect"]>} state */
function contents({ user, client, status, scopes, queue, stranded }) {
  const { state, storage, leader, error } = status;
  const facts = [`user ${user || "none"}`, `client ${client}`, storage, leader ? "leader" : "follower", error && `${error.code}: ${error.message}`];
  return [
    element("summary", `sync: ${state}, ${status.pending} pending, ${status.stranded} stranded`),
    element("p", facts.filter(Boolean).join(" · ")),
    table("queue", ["seq", "name", "args", "scopes", "acked", "tries", "failed"], queue),
    table("stranded", ["name", "args", "scopes", "code", "error"], stranded),
    ...scopes.map(({ scope, cursor, version, forbidden, rows }) =>
      table(`${scope} at ${cursor || "no cursor"}, version ${version}${forbidden ? ", forbidden" : ""}`, ["entity", "id", "data", "pending"], rows),
    ),
  ];
}

/** @param {string} title @param {string[]} columns @param {object[]} records */
function table(title, columns, records) {
  const caption = element("caption", `${title}: ${records.length}`);
  const head = element("tr", "", ...columns.map((column) => element("th", column)));
  const rows = records.map((record) => {
    const values = new Map(Object.entries(record));
    return element("tr", "", ...columns.map((column) => element("td", text(values.get(column)))));
  });
  return element("table", "", caption, head, ...rows);
}

/** @param {unknown} value */
const text = (value) => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

/** @param {string} name @param {string} text @param {Node[]} children */
function element(name, text, ...children) {
  const element = document.createElement(name);
  element.append(text, ...children);
  return element;
}
