/** What the page says of the store: how it stands, what went wrong, how many rows there are. */
import { COUNT, COUNT_WHERE, PENDING, PROBLEM, STATUS } from "./constants.js";
import { json, matches } from "./values.js";

/** @typedef {import("./groups.js").Group} Group */
/** @typedef {import("./rows.js").Rows} Rows */

export class Notes {
  #state = "offline";
  /** @type {string | undefined} */
  #problem;
  /** What the server wrote where a number is now. @type {Map<Element, string | null>} */
  #written = new Map();

  /** @param {import("../sync/index.js").SyncStatus} status */
  status({ state, pending, stranded, storage }) {
    // An attempt tells nothing before it has come to an end.
    if (state !== "syncing") this.#state = state;
    const waiting = pending ? `${pending} pending` : "all saved";
    const lost = stranded ? ` · ${stranded} set aside` : "";
    const text = `${this.#state} · ${waiting}${lost}${storage === "memory" ? " · not kept" : ""}`;
    for (const element of document.querySelectorAll(`[${STATUS}]`)) {
      write(element, text);
      element.setAttribute("data-state", this.#state);
      element.setAttribute(PENDING, `${pending}`);
    }
  }

  /** @param {string} [text] none when nothing is wrong any more; as before by default */
  problem(text = this.#problem) {
    this.#problem = text;
    if (text === undefined) return;
    for (const element of document.querySelectorAll(`[${PROBLEM}]`)) {
      write(element, text);
      element.toggleAttribute("hidden", !text);
    }
  }

  /** Gives numbers back to the server. */
  withdraw() {
    for (const [element, text] of this.#written) write(element, text ?? "");
    this.#written.clear();
  }

  /** Counts rows where they differ from the server's. @param {[Group, Rows][]} all @param {boolean} alone */
  count(all, alone) {
    for (const element of document.querySelectorAll(`[${COUNT}]`)) {
      const entity = element.getAttribute(COUNT);
      const where = json(element.getAttribute(COUNT_WHERE)) ?? {};
      // A page may show the same rows twice.
      const counted = new Map(all.filter(([, rows]) => rows.entity === entity && rows.synced).map(([group, rows]) => [rows, group.first.flags]));
      if (![...counted.keys()].some((rows) => alone || rows.newer.length)) continue;
      const found = [...counted].flatMap(([rows, usual]) => [...rows.all.values()].filter(({ data }) => matches(data, where, usual)));
      if (!this.#written.has(element)) this.#written.set(element, element.textContent);
      write(element, `${found.length}`);
    }
  }
}

/** @param {Element} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
