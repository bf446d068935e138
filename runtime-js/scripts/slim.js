/**
 * Leaves out of idiomorph what the runtime never reaches, which is half of it. `Morph` hands it two elements with
 * parents, always for `outerHTML` and never a whole document, so it parses no text, merges no heads and checks no
 * options; focus is kept by `Morph`, and form controls by `Fields`. The functions for that are replaced by what they
 * come down to. The version is pinned, and a piece that is not found exactly once fails the build, so an update can't
 * slip through unseen.
 */
const REPLACED = new Map([
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
  ["function mergeDefaults", ""],
  ["function normalizeElement", "function normalizeElement() {}"],
  ["function normalizeParent", "function normalizeParent(node) { return new SlicedParentNode(node); }"],
  ["function parseContent", ""],
  ["const is", "const is = { element: (node) => node.nodeType === 1, templateElement: (node) => node instanceof HTMLTemplateElement };"],
]);

/** Files that are idiomorph's module. */
export const IDIOMORPH = /idiomorph\.esm\.js$/;

/** @param {string} source of idiomorph */
export function slim(source) {
  for (const [name, replacement] of REPLACED) {
    // A piece ends at the first brace that is indented as it is.
    const whole = new RegExp(`^( *)${name}\\b[^\\n]*\\n[\\s\\S]*?\\n\\1\\}.*\\n`, "gm");
    if (source.match(whole)?.length !== 1) throw new Error(`idiomorph has no ${name}: has it been updated?`);
    source = source.replace(whole, `${replacement}\n`);
  }
  return source;
}
