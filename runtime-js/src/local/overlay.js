/**
 * Draws local rows over what the server rendered.
 *
 * The server doesn't know of it, and patches what it rendered itself. So before a patch each row of the server's is
 * turned back into what it was, which is kept as a copy, and afterwards it is drawn again, in the same turn: nobody sees
 * that. A row that only the browser has drawn waits at the end of the document meanwhile, as patches count nodes. When
 * the server's row of the same id has arrived, the waiting element takes its place, and its content.
 */
import { DISABLE_WITH } from "../constants.js";
import { DRAWN, PENDING, ROWS_AT } from "./constants.js";
import { PATIENCE } from "./rows.js";
import { words } from "./values.js";

/** What `Waiting` marks. */
const WAITING = "[class*=-loading]";

/** @typedef {import("./groups.js").Group} Group */
/** @typedef {import("./rows.js").Rows} Rows */

export class Overlay {
  #draw;
  #copy;
  /** Elements that are drawn over, by id, and what the server rendered, if it did. @type {Map<string, Element | undefined>} */
  #over = new Map();
  /** The server's rows that were turned back for a patch. @type {Set<string>} */
  #back = new Set();
  /** Rows of our own that wait for the end of a patch, by id. @type {Map<string, Element>} */
  #parked = new Map();
  /** Rows that the server took away, though something is pending: here they don't belong any more. @type {Set<string>} */
  #dismissed = new Set();
  /** What is drawn already, by id, while all rows are. @type {Map<string, import("./rows.js").Row>} */
  #drawn = new Map();

  /** @param {(element: Element, next: Element) => void} draw @param {(element: Element) => Element} copy */
  constructor(draw, copy) {
    this.#draw = draw;
    this.#copy = copy;
  }

  /** A patch of these regions comes. @param {string[]} regions */
  withdraw(regions) {
    const patched = regions.map((id) => document.getElementById(id));
    for (const [id, base] of this.#over) {
      const element = document.getElementById(id);
      if (!element || !patched.some((region) => region?.contains(element) || element.contains(region))) continue;
      if (base) {
        this.#over.delete(id);
        this.#back.add(id);
        this.#morph(element, base);
      } else {
        this.#parked.set(id, element);
        element.id = "";
        move(document.body, element, null);
      }
    }
  }

  /** The patch was applied. */
  patched() {
    for (const id of this.#back) if (!document.getElementById(id)) this.#dismissed.add(id);
    this.#back.clear();
    for (const [id, element] of this.#parked) {
      const server = document.getElementById(id);
      element.id = id;
      if (!server) continue;
      this.#parked.delete(id);
      move(/** @type {Element} */ (server.parentNode), element, server);
      server.remove();
      this.#morph(element, server);
    }
  }

  /**
   * Draws what is to be drawn, and nothing else any more.
   *
   * @param {[Group, Rows][]} all
   * @param {boolean} joined the page's patches come
   * @param {boolean} alone they never came: the local rows are all there is to know
   */
  draw(all, joined, alone) {
    /** @type {Set<string>} */
    const wanted = new Set();
    if (!alone) this.#drawn.clear();
    for (const [group, rows] of all) {
      const { container, first } = group;
      if (!container) continue;
      const start = container.getAttribute(ROWS_AT) === "start";
      const whole = alone && rows.synced;
      const ids = whole ? everything(group, container, rows, start) : rows.newer;
      // From the last one on, so that each new row finds the one that it comes before.
      /** @type {Element | null} */
      let behind = null;
      for (const id of ids) {
        const name = first.elementId(id);
        const row = rows.all.get(id);
        const element = document.getElementById(name);
        if (element && row && this.#drawn.get(name) === row) {
          wanted.add(name);
          behind = element;
          continue;
        }
        const next = row && group.fill(row.data);
        if (!whole && this.#caughtUp(name, rows.held.get(id), next, joined)) {
          rows.held.delete(id);
          continue;
        }
        wanted.add(name);
        const place = whole ? behind : start ? container.firstChild : null;
        const put = this.#put(name, next, rows.pending(id), container, place);
        if (put?.parentNode === container) behind = put;
        if (whole && row) this.#drawn.set(name, row);
      }
    }
    for (const [id, base] of this.#over) {
      if (wanted.has(id)) continue;
      const element = document.getElementById(id);
      this.#over.delete(id);
      this.#parked.delete(id);
      if (element?.hasAttribute(DRAWN)) element.remove();
      else if (element && base) this.#morph(element, base);
    }
    for (const id of this.#dismissed) if (!wanted.has(id)) this.#dismissed.delete(id);
  }

  /**
   * The page shows what is held, or had its time.
   *
   * @param {string} name @param {number | undefined} since @param {Element | undefined} next @param {boolean} joined
   */
  #caughtUp(name, since, next, joined) {
    if (since === undefined || since === Infinity) return false;
    const element = document.getElementById(name);
    const server = this.#over.get(name) ?? (element?.hasAttribute(DRAWN) ? undefined : element);
    const same = next ? server?.isEqualNode(next) || this.#dismissed.has(name) : !server;
    return same || (joined && Date.now() - since >= PATIENCE);
  }

  /**
   * @param {string} name @param {Element | undefined} next none hides it @param {boolean} pending
   * @param {Element} container @param {Node | null} place in it, if it has none yet
   * @returns {Element | undefined} the element, if there is one then
   */
  #put(name, next, pending, container, place) {
    const element = document.getElementById(name);
    const drawn = element?.hasAttribute(DRAWN);
    next?.toggleAttribute(PENDING, pending);
    if (!element) {
      if (!next || this.#dismissed.has(name)) return;
      next.setAttribute(DRAWN, "");
      this.#over.set(name, undefined);
      move(container, next, place);
      return next;
    }
    if (this.#parked.delete(name)) move(container, element, place);
    if (!drawn && !this.#over.get(name)) this.#over.set(name, unmarked(this.#copy(element)));
    if (next) {
      next.toggleAttribute(DRAWN, drawn);
      this.#morph(element, next);
    } else if (drawn) element.remove();
    else {
      element.toggleAttribute("hidden", true);
      element.toggleAttribute(PENDING, pending);
    }
    return element.isConnected ? element : undefined;
  }

  /** @param {Element} element @param {Element} next */
  #morph(element, next) {
    // Often nothing else differs, and then nothing else is touched.
    element.toggleAttribute(PENDING, next.hasAttribute(PENDING));
    this.#draw(element, next);
  }
}

/** Without a loss of focus or a restart of what moves, where the browser can. @param {Element} parent @param {Element} element @param {Node | null} place */
function move(parent, element, place) {
  if ("moveBefore" in parent && element.isConnected) parent.moveBefore(element, place);
  else parent.insertBefore(element, place);
}

/** Without the marks of events that wait for an answer. @param {Element} copy */
function unmarked(copy) {
  for (const button of copy.querySelectorAll(`${WAITING}[${DISABLE_WITH}], ${WAITING} [${DISABLE_WITH}]`)) button.removeAttribute("disabled");
  for (const marked of [copy, ...copy.querySelectorAll(WAITING)]) {
    marked.classList.remove(...words(marked, "class").filter((name) => /^lv-.+-loading/.test(name)));
    if (!marked.classList.length) marked.removeAttribute("class");
  }
  return copy;
}

/** Ids of all rows, the last one on the page first, and of those that are shown though they are none. @param {Group} group @param {Element} container @param {Rows} rows @param {boolean} start */
function everything({ first }, container, rows, start) {
  const ids = [...rows.all.keys()];
  if (!start) ids.reverse();
  const shown = [...container.children].flatMap(({ id }) => first.rowId(id) ?? []);
  return new Set([...ids, ...shown]);
}
