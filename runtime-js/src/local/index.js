/**
 * Mizu's pages without a network: what people do goes into the local store, shows at once, and is sent when the server
 * is reached.
 *
 * The server puts this script into the pages that the application named, after `mizu-live.js`, and tells the root of
 * the page what it needs: `data-lv-sync`, the address of `mizu-sync.js`; `data-lv-user`, whose rows they are; and
 * `data-lv-offline`, the pages that the service worker keeps. What follows is for those who write the HTML.
 *
 * Mutations:
 *
 * - `data-lv-mutate="todo.toggle"` with `data-lv-value-id="7"`, on whatever is clicked, or on a form, whose fields are
 *   arguments as well. Values are strings; `true` and `false` are booleans. Names of attributes are lower case, so
 *   arguments with capitals, and typed ones, are given as JSON: `data-lv-mutate='todo.merge {"id":"7","dueDate":3}'`. What ends in
 *   `.create` gets an `id` when it has none: one that rises with time. An element may have an event beside it
 *   (`data-lv-click`, `data-lv-submit`, `name="lv"`): that is what happens where there is no local store (yet).
 * - `data-lv-scope`, on the element or around it: where the rows are. By default, the scope of the row template whose
 *   container the element is in, or else of the first one.
 * - `data-lv-optimistic="busy faded"`: classes that the element has until its mutation is settled.
 *
 * Rows:
 *
 * - `<template data-lv-row="todo" data-lv-into="todos" ..>`, as the server renders it from its row function. The row's element needs an
 *   `id` that holds the row's. A row that is not confirmed has `data-pending`; one that is to be deleted is `hidden`,
 *   which no style may overrule.
 * - `data-lv-rows-at="start"` on the container: new rows go first.
 * - `data-lv-count="todo"`, and perhaps `data-lv-count-where='{"done":false}'`: holds how many rows there are.
 *
 * Notes, anywhere in the document, best with `data-lv-ignore`:
 *
 * - `data-lv-sync-status`: `offline · 2 pending`; with `data-state` and `data-pending` for styles.
 * - `data-lv-sync-problem`: what was refused, or could not be kept; `hidden` until then, and again from the next mutation on.
 *
 * What the server refuses is taken back, and the root hears `lv:rejected` with `{ id, name, scope, code, error }`.
 *
 * What mutations of an entity do is known here: `create`, `merge` and `delete`. An application says the rest in a module of its own:
 *
 * ```js
 * import { local } from "/_mizu/…/mizu-local.js";
 * local?.sync.mutator("todo.toggle", (tx, { id }) => {
 *   const todo = tx.get("todo", id);
 *   if (todo) tx.put("todo", id, { ...todo, done: !todo.done });
 * });
 * ```
 */
import { INSTANCE } from "../constants.js";
import { USER } from "../constants.js";
import { SYNC } from "./constants.js";
import { Local } from "./local.js";

/** @typedef {import("../index.js").MizuLive} MizuLive */

/** @returns {Promise<Local | undefined>} */
async function start() {
  const root = /** @type {HTMLElement | null} */ (document.querySelector(`[${SYNC}]`));
  const { [INSTANCE]: live } = /** @type {Document & { [INSTANCE]?: MizuLive }} */ (document);
  if (!root || !live) return;
  /** @type {typeof import("../sync/index.js")} */
  const { MizuSync } = await import(root.getAttribute(SYNC) ?? "");
  return new Local(root, live, new MizuSync({ user: root.getAttribute(USER) ?? "" }));
}

/** What works on this page: none where the server doesn't ask for it, or its store can't be loaded. */
export const local = await /** @type {Promise<Local | undefined>} */ (start().catch(console.warn));
// Who imports this goes on first, and says what the mutations do that are found in the store.
void local?.open().catch(console.error);
