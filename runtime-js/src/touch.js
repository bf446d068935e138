/**
 * What a patch is about to change. Whatever changes a node of the page by the server's word says so first, so that hooks around it
 * hear of that while everything is still as it was. On a page without hooks this is nothing.
 */
import { HOOK } from "./constants.js";

/** @typedef {import("./hooks.js").Life} Life */

/** Hooks that are mounted, by their elements. @type {Map<Node, Life>} */
export const mounted = new Map();
/** Those that the patch has changed so far. @type {Set<Life>} */
export const touched = new Set();
/** Elements whose hook has another name now. @type {Set<Node>} */
export const renamed = new Set();

/** @param {Node | null} [node] that changes, or whose children do @param {string} [name] of the attribute that changes */
export function touch(node, name) {
  if (node && name === HOOK) renamed.add(node);
  if (mounted.size) {
    for (; node; node = node.parentNode) {
      const life = mounted.get(node);
      if (!life || touched.has(life)) continue;
      touched.add(life);
      call(life, "beforeUpdate");
    }
  }
}

/** An error of the page's own script is its own: everything else goes on. @param {Life} life @param {keyof import("./hooks.js").Hook} what */
export function call(life, what) {
  try {
    life[what]?.(life.element);
  } catch (error) {
    console.error(`mizu: ${what}:`, error);
  }
}
