/**
 * Leaves out of our dependencies what is never reached. The versions are pinned, and a piece that is not found exactly
 * once fails the build, so an update can't slip through unseen.
 */

/**
 * Half of idiomorph. `Morph` hands it two elements with
 * parents, always for `outerHTML` and never a whole document, so it parses no text, merges no heads and checks no
 * options; focus is kept by `Morph`, and form controls by `Fields`. The functions for that are replaced by what they
 * come down to.
 */
const IDIOMORPH = new Map([
  ["const defaults", "const defaults = { beforeNodeAdded: noOp, afterNodeAdded: noOp, beforeNodeRemoved: noOp, afterNodeRemoved: noOp };"],
  [
    "function morph",
    `function morph(target, next, { callbacks }) {
      const content = normalizeParent(next);
      const ctx = createMorphContext(target, content, { ...defaults, ...callbacks });
      morphOuterHTML(ctx, target, content);
      ctx.pantry.remove();
    }`,
  ],
  ["function morphOuterHTML", "function morphOuterHTML(ctx, old, next) { morphChildren(ctx, normalizeParent(old), next, old, old.nextSibling); }"],
  ["function saveAndRestoreFocus", ""],
  ["function withHeadBlocking", ""],
  ["function handleHeadElement", ""],
  [
    "function morphNode",
    `function morphNode(old, next, ctx) {
      if (ctx.callbacks.beforeNodeMorphed(old, next)) {
        morphAttributes(old, next, ctx);
        morphChildren(ctx, old, next);
        ctx.callbacks.afterNodeMorphed(old, next);
      }
    }`,
  ],
  [
    "function morphAttributes",
    // Names instead of `attributes`: a field of that name shadows its form's own.
    `function morphAttributes(old, next, ctx) {
      if (next.nodeType === 1) {
        const may = (name) => ctx.callbacks.beforeAttributeUpdated(name, old);
        for (const name of next.getAttributeNames())
          if (old.getAttribute(name) !== next.getAttribute(name) && may(name)) old.setAttributeNode(next.getAttributeNode(name).cloneNode());
        for (const name of old.getAttributeNames()) if (!next.hasAttribute(name) && may(name)) old.removeAttribute(name);
      } else if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
    }`,
  ],
  ["function ignoreAttribute", ""],
  ["function syncInputValue", ""],
  ["function syncBooleanAttribute", ""],
  ["function ignoreValueOfActiveElement", ""],
  [
    "function createMorphContext",
    `function createMorphContext(target, next, callbacks) {
      const doc = target.ownerDocument;
      return {
        target, doc, callbacks, ...createIdMaps(target, next), pantry: createPantry(doc),
        activeElementAndParents: createActiveElementAndParents(target, doc),
      };
    }`,
  ],
  [
    "const findBestMatch",
    // One without an id never becomes one whose own node is still there, in another place or put aside.
    `const findBestMatch = (() => {
      const idOf = (node) => node.getAttribute?.("id");
      const alike = (ctx, old, next) =>
        old.nodeType === next.nodeType && old.tagName === next.tagName &&
        (idOf(old) ? idOf(old) === idOf(next) : !ctx.persistentIds.has(idOf(next)));
      return (ctx, node, start, end) => {
        let found = null, sibling = node.nextSibling, siblings = 0;
        for (let old = start; old && old != end; old = old.nextSibling) {
          if (alike(ctx, old, node)) {
            const ids = ctx.idMap.get(node);
            if (ids && [...(ctx.idMap.get(old) ?? [])].some((id) => ids.has(id))) return old;
            if (found === null && !ctx.idMap.has(old)) found = old;
          }
          if (found === null && sibling && alike(ctx, old, sibling)) {
            sibling = sibling.nextSibling;
            if (++siblings >= 2) found = undefined;
          }
          if (ctx.activeElementAndParents.includes(old)) break;
        }
        return found || null;
      };
    })();`,
  ],
  ["function mergeDefaults", ""],
  ["function normalizeElement", "function normalizeElement() {}"],
  ["function normalizeParent", "function normalizeParent(node) { return new SlicedParentNode(node); }"],
  ["function parseContent", ""],
  ["const is", "const is = { element: (node) => node.nodeType === 1, templateElement: (node) => node instanceof HTMLTemplateElement };"],
]);

/**
 * Nearly all of idb. The sync engine opens its transactions by itself, and uses neither cursors nor shortcuts: what
 * remains is requests as promises, each made once.
 */
const IDB = new Map([
  ["function getIdbProxyableTypes", ""],
  ["function getCursorAdvanceMethods", ""],
  [
    "function promisifyRequest",
    `function promisifyRequest(request) {
      return new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error));
      });
    }`,
  ],
  ["function cacheDonePromiseForTransaction", ""],
  ["let idbProxyTraps", ""],
  ["function replaceTraps", ""],
  ["replaceTraps\\(\\(oldTraps\\) => \\(\\{\\n    \\.\\.\\.oldTraps,\\n    get:", ""],
  ["replaceTraps\\(\\(oldTraps\\) => \\(\\{\\n    \\.\\.\\.oldTraps,\\n    get\\(target", ""],
  ["function wrapFunction", ""],
  ["function transformCachableValue", ""],
  ["function wrap", "function wrap(value) { return promisifyRequest(value); }"],
]);

/** Which files are slimmed. */
export const SLIMMED = /(idiomorph\.esm|idb\/build\/index)\.js$/;

/** @param {string} path of the file @param {string} source */
export function slim(path, source) {
  for (const [name, replacement] of path.includes("idiomorph") ? IDIOMORPH : IDB) {
    // A piece ends at the first brace that is indented as it is.
    const whole = new RegExp(`^( *)${name}(?!\\w)[^\\n]*\\n[\\s\\S]*?\\n\\1\\}.*\\n`, "gm");
    if (source.match(whole)?.length !== 1) throw new Error(`${path} has no ${name}: has it been updated?`);
    source = source.replace(whole, `${replacement}\n`);
  }
  return source;
}
