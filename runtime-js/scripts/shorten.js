/**
 * Shortens names that never leave a bundle, in its syntax tree: members that are private, and properties that are listed.
 *
 * A private member becomes a property of one letter, without a declaration; what reads like `#session` in the sources is `t`. It is
 * reached by the methods of its own class only, as before, so two classes may share a letter. One that others are derived from
 * shares none. Fails rather than to give one name to two things.
 */

/** @typedef {any} Node of an ESTree */

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];

/**
 * @param {Node} program is changed
 * @param {readonly string[]} internal properties that are listed
 */
export function shorten(program, internal) {
  const nodes = [...all(program)];
  const keys = nodes.flatMap((node) => keyOf(node)?.name ?? []);
  const taken = new Set(keys);
  const free = names(new Set([...keys, ...privates(nodes)]));
  // In the order in which they appear: that compresses best.
  const short = new Map([...taken].filter((key) => internal.includes(key)).map((key) => [key, next(free)]));
  const spelled = new Set(nodes.filter(({ type }) => type === "Literal").map(({ value }) => value));
  for (const name of internal) {
    if (!taken.has(name)) throw new Error(`nothing is called ${name} any more: remove it from the list`);
    if (spelled.has(name)) throw new Error(`${name} is spelled out: it may be looked up by that`);
  }
  const bases = new Set(nodes.flatMap(({ superClass }) => superClass?.name ?? []));
  for (const { id, init } of nodes.filter(({ init }) => init?.type === "ClassExpression")) if (bases.has(id.name)) separate(init, free);
  for (const node of nodes) {
    const key = keyOf(node);
    if (key) key.name = short.get(key.name) ?? key.name;
    if (node.type === "ClassBody") node.body = node.body.filter((/** @type {Node} */ member) => !isBare(member));
    if (node.type === "PrivateIdentifier") publish(node, taken);
  }
}

/** A node and all below it. @param {Node} node @returns {Generator<Node>} */
function* all(node) {
  if (typeof node?.type === "string") yield node;
  for (const child of Object.values(Object(node))) if (child && typeof child === "object") yield* all(child);
}

/** What names the property that a node reads, writes or defines, if that is written out. @param {Node} node */
function keyOf({ type, computed, key, property }) {
  const name = type === "MemberExpression" ? property : key;
  return !computed && name?.type === "Identifier" ? name : undefined;
}

/** A private field without a value: what is not declared is undefined as well. @param {Node} member */
function isBare({ type, key, value }) {
  return type === "PropertyDefinition" && key.type === "PrivateIdentifier" && !value;
}

/** @param {Node[]} nodes @returns {string[]} */
function privates(nodes) {
  return nodes.filter(({ type }) => type === "PrivateIdentifier").map(({ name }) => name);
}

/** Gives what is private in a class names that no other class has. @param {Node} body @param {Iterator<string>} free */
function separate(body, free) {
  const own = new Map();
  for (const node of all(body)) {
    if (node.type !== "PrivateIdentifier") continue;
    if (!own.has(node.name)) own.set(node.name, next(free));
    node.name = own.get(node.name);
  }
}

/** @param {Node} node @param {Set<string>} taken */
function publish(node, taken) {
  if (taken.has(node.name)) throw new Error(`${node.name} is something else already`);
  node.type = "Identifier";
}

/** Names that are not taken, the shortest first. @param {Set<string>} taken @returns {Generator<string>} */
function* names(taken) {
  for (const name of [...LETTERS, ...LETTERS.flatMap((first) => LETTERS.map((second) => first + second))]) if (!taken.has(name)) yield name;
}

/** @param {Iterator<string>} free @returns {string} */
function next(free) {
  return free.next().value;
}
