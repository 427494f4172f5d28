// Nodes. Text reaches the page as text alone: nothing here, and nothing that uses it, takes markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element. A function under `onclick` and the like listens; `false` and null leave a thing out. */
export const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/** An element of a picture. */
export const s = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

/** Says a text, unless it is said already: nothing is read out or drawn anew for no reason. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function set(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

const drawn = new WeakMap();

/** Draws what is in a node anew if what it is drawn from is not what it was. */
export function redraw(node, from, draw) {
  const key = JSON.stringify(from);
  if (drawn.get(node) === key) return;
  drawn.set(node, key);
  node.replaceChildren(...[draw()].flat(Infinity).filter(Boolean));
}

/** Moves nodes about, and keeps the focus where it is. */
export function moving(move) {
  const focused = document.activeElement;
  move();
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

/** Brings children into this order with as few moves as it takes. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, at) => {
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
}
