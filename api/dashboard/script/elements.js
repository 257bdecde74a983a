/**
 * Making and updating elements. Text enters the page only as text nodes and attributes: there is
 * no way from here to markup, and the page's Content-Security-Policy forbids every other one.
 */

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element with attributes (false and null: left out) and children. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return an SVG element with attributes and children. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    setAttribute(node, name, value);
  }
  node.append(...children);
  return node;
}

/** Set an attribute only when it changes; null and false remove it, true leaves it empty. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) {
    node.setAttribute(name, text);
  }
}

/** Set an element's text only when it changes, so that nothing flickers or loses its selection. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Make `nodes` the children of `parent`, moving only what is out of place. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) {
    if (!wanted.has(child)) {
      child.remove();
    }
  }
  nodes.forEach((node, index) => {
    if (parent.childNodes[index] !== node) {
      parent.insertBefore(node, parent.childNodes[index] ?? null);
    }
  });
}

/** A list of elements that follows a list of items: one element an item, kept while it stays. */
export class Keyed {
  #parent;
  #create;
  #shown = new Map();

  /**
   * @param parent whose children the elements are.
   * @param create returns `{root, update(item)}` for a new item.
   */
  constructor(parent, create) {
    this.#parent = parent;
    this.#create = create;
  }

  /** Show `items` in order; `keyOf` tells them apart. */
  show(items, keyOf) {
    const next = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const entry = this.#shown.get(key) ?? this.#create(item);
      entry.update(item);
      next.set(key, entry);
    }
    this.#shown = next;
    arrange(this.#parent, [...next.values()].map((entry) => entry.root));
  }

  /** Return the entry that `create` made for a key, or undefined. */
  get(key) {
    return this.#shown.get(key);
  }

  /** Return every entry, in order. */
  entries() {
    return [...this.#shown.values()];
  }
}
