/**
 * Leaves out of our dependencies what is never reached. The versions are pinned, and a piece that is not found exactly
 * once fails the build, so an update can't slip through unseen.
 */

/**
 * Most of idiomorph. `Morph` hands it two elements with parents, always for `outerHTML` and never a whole document, so it
 * parses no text, merges no heads, slices no parents and checks no options; focus is kept by `Morph`, and form controls by
 * `Fields`. What it asks is what `Morph` answers: all of those callbacks, and no others. The functions for the rest are
 * replaced by what they come down to. How old and new are matched stays as it was.
 */
const IDIOMORPH = new Map([
  ["const defaults", ""],
  [
    "function morph",
    `function morph(target, next, { callbacks }) {
      const ctx = createMorphContext(target, next, callbacks);
      morphChildren(ctx, target.parentNode, { childNodes: [next] }, target, target.nextSibling);
      ctx.pantry.remove();
    }`,
  ],
  ["function morphOuterHTML", ""],
  ["function saveAndRestoreFocus", ""],
  [
    "function morphChildren",
    `function morphChildren(ctx, parent, { childNodes, content }, place, end) {
      if (parent instanceof HTMLTemplateElement) {
        parent = parent.content;
        childNodes = content.childNodes;
      }
      place ||= parent.firstChild;
      for (const next of childNodes) {
        let found = place && place != end && findBestMatch(ctx, next, place, end);
        const id = idOf(next);
        if (found) removeNodesBetween(ctx, place, found);
        else if (ctx.persistentIds.has(id)) found = moveBeforeById(parent, id, place, ctx);
        if (found) morphNode(found, next, ctx);
        else found = createNode(parent, next, place, ctx);
        place = found.nextSibling;
      }
      removeNodesBetween(ctx, place, end);
    }`,
  ],
  [
    "function createNode",
    `function createNode(parent, next, place, ctx) {
      const known = ctx.idMap.has(next);
      const node = known ? document.createElementNS(next.namespaceURI, next.localName) : document.importNode(next, true);
      ctx.callbacks.changing(parent);
      parent.insertBefore(node, place);
      if (known) morphNode(node, next, ctx);
      return node;
    }`,
  ],
  [
    "const findBestMatch",
    // One without an id never becomes one whose own node is still there, in another place or put aside.
    `const alike = (ctx, old, next) =>
        old.nodeType === next.nodeType && old.tagName === next.tagName &&
        (idOf(old) ? idOf(old) === idOf(next) : !ctx.persistentIds.has(idOf(next)));
    const findBestMatch = (ctx, node, start, end) => {
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
          if (old.contains(ctx.active)) break;
        }
        return found;
    };`,
  ],
  [
    "function removeNode",
    `function removeNode(ctx, node) {
      if (ctx.idMap.has(node)) moveBefore(ctx, ctx.pantry, node, null);
      else if (ctx.callbacks.beforeNodeRemoved(node)) node.remove();
    }`,
  ],
  [
    "function removeNodesBetween",
    `function removeNodesBetween(ctx, node, end) {
      while (node && node != end) {
        const next = node.nextSibling;
        removeNode(ctx, node);
        node = next;
      }
    }`,
  ],
  [
    "function moveBeforeById",
    `function moveBeforeById(parent, id, place, ctx) {
      const node = ctx.olds.get(id);
      for (let above = node; (above = above.parentNode); ) {
        const ids = ctx.idMap.get(above);
        if (ids?.delete(id) && !ids.size) ctx.idMap.delete(above);
      }
      moveBefore(ctx, parent, node, place);
      return node;
    }`,
  ],
  ["function removeElementFromAncestorsIdMaps", ""],
  [
    "function moveBefore",
    `function moveBefore({ callbacks }, parent, node, place) {
      callbacks.changing(node.parentNode);
      callbacks.changing(parent);
      // It throws between documents as well.
      try { parent.moveBefore(node, place); } catch { parent.insertBefore(node, place); }
    }`,
  ],
  ["function withHeadBlocking", ""],
  ["function handleHeadElement", ""],
  [
    "function morphNode",
    `function morphNode(old, next, ctx) {
      if (ctx.callbacks.beforeNodeMorphed(old, next)) {
        const keeps = ctx.callbacks.keepsChildren(old, next);
        morphAttributes(old, next, ctx);
        if (!keeps) morphChildren(ctx, old, next);
        ctx.callbacks.afterNodeMorphed(old, next);
      }
    }`,
  ],
  [
    "function morphAttributes",
    // Names instead of `attributes`: a field of that name shadows its form's own.
    `function morphAttributes(old, next, { callbacks }) {
      if (next.nodeType === 1) {
        const may = (name) => callbacks.beforeAttributeUpdated(name, old);
        for (const name of next.getAttributeNames())
          if (old.getAttribute(name) !== next.getAttribute(name) && may(name)) old.setAttributeNode(next.getAttributeNode(name).cloneNode());
        for (const name of old.getAttributeNames()) if (!next.hasAttribute(name) && may(name)) old.removeAttribute(name);
      } else if (old.nodeValue !== next.nodeValue) {
        callbacks.changing(old);
        old.nodeValue = next.nodeValue;
      }
    }`,
  ],
  ["function ignoreAttribute", ""],
  ["function syncInputValue", ""],
  ["function syncBooleanAttribute", ""],
  ["function ignoreValueOfActiveElement", ""],
  [
    "const createMorphContext",
    `const idOf = (node) => node.getAttribute?.("id");
    const createMorphContext = (target, next, callbacks) => {
      const olds = new Map(), persistentIds = new Set(), twice = new Set(), idMap = new Map();
      const [old, fresh] = [target, next].map((root) => [root, ...root.querySelectorAll("[id]")].filter(idOf));
      for (const element of old) {
        const id = idOf(element);
        if (olds.has(id)) twice.add(id);
        else olds.set(id, element);
      }
      for (const element of fresh) {
        const id = idOf(element);
        if (persistentIds.has(id)) twice.add(id);
        else if (olds.get(id)?.tagName === element.tagName) persistentIds.add(id);
      }
      for (const id of twice) persistentIds.delete(id);
      if (twice.size) console.warn("mizu: ids that are there twice:", ...twice);
      for (const element of [...old, ...fresh]) {
        const id = idOf(element);
        if (!persistentIds.has(id)) continue;
        for (let node = element; node; node = node !== target && node !== next && node.parentElement) {
          if (!idMap.has(node)) idMap.set(node, new Set());
          idMap.get(node).add(id);
        }
      }
      const pantry = document.createElement("div");
      pantry.hidden = true;
      document.documentElement.append(pantry);
      const active = document.activeElement;
      return { callbacks, olds, persistentIds, idMap, pantry, active };
    };`,
  ],
  ["const \\{ normalizeElement", ""],
  ["const is", ""],
  ["return \\{\\n    morph,", "return { morph };"],
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
