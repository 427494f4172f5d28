// All circuits: those that want attention first, then the rest by name.

import { ALL, condition, glyph, rank, wantsAttention, word } from "./condition.js";
import { Card } from "./card.js";
import { arrange, h, moving, redraw, set } from "./dom.js";
import * as words from "./words.js";

const section = (id, title, size) => {
  const heading = h("h2", { id }, title);
  const grid = h("div", { class: `grid ${size}` });
  return { heading, grid, node: h("section", { "aria-labelledby": id }, heading, grid) };
};

const WELL = "M3.5 12.5l5.5 5.5L20.5 6.5";

export class Board {
  #cards = new Map();
  #circuits = [];
  #only = null;
  #sought = "";

  constructor({ board, sums, find }, control) {
    this.control = control;
    this.sums = sums;
    this.loud = section("loud-title", "Needs attention", "large");
    this.quiet = section("quiet-title", "The rest", "small");
    this.word = h("p", { class: "well", hidden: true });
    this.blank = h("div", { class: "blank", hidden: true });
    board.append(this.word, this.blank, this.loud.node, this.quiet.node);
    find.addEventListener("input", () => {
      this.#sought = find.value.trim().toLowerCase();
      this.#sift();
    });
  }

  card(name) {
    return this.#cards.get(name);
  }

  get circuits() {
    return this.#circuits;
  }

  update(circuits, context) {
    this.#circuits = circuits;
    const names = new Set(circuits.map((circuit) => circuit.service));
    for (const name of this.#cards.keys()) if (!names.has(name)) this.#cards.delete(name);
    for (const circuit of circuits) {
      let card = this.#cards.get(circuit.service);
      if (!card) {
        card = new Card(circuit.service, this.control);
        this.#cards.set(circuit.service, card);
      }
      card.update(circuit, context);
    }
    const order = [...circuits].sort((one, other) => rank(one) - rank(other) || one.service.localeCompare(other.service));
    const nodes = (kept) => order.filter(kept).map((circuit) => this.#cards.get(circuit.service).node);
    moving(() => {
      arrange(this.loud.grid, nodes(wantsAttention));
      arrange(this.quiet.grid, nodes((circuit) => !wantsAttention(circuit)));
      // Where a section is not shown, nothing in it can have the focus.
      this.#sift();
    });
  }

  hear(instances) {
    for (const card of this.#cards.values()) card.hear(instances);
  }

  tick() {
    for (const card of this.#cards.values()) card.tick();
  }

  #sift() {
    const tally = new Map(ALL.map((is) => [is, 0]));
    for (const circuit of this.#circuits) tally.set(condition(circuit), tally.get(condition(circuit)) + 1);
    if (this.#only && !tally.get(this.#only)) this.#only = null;
    let seen = { loud: 0, quiet: 0 };
    for (const circuit of this.#circuits) {
      const shown = (!this.#only || condition(circuit) === this.#only) && circuit.service.toLowerCase().includes(this.#sought);
      this.#cards.get(circuit.service).node.hidden = !shown;
      if (shown) seen[wantsAttention(circuit) ? "loud" : "quiet"] += 1;
    }
    this.loud.node.hidden = seen.loud === 0;
    this.quiet.node.hidden = seen.quiet === 0;
    const loud = this.#circuits.filter(wantsAttention).length;
    const total = this.#circuits.length;
    this.quiet.heading.textContent = loud ? "The rest" : "Circuits";
    this.word.hidden = loud > 0 || total === 0 || Boolean(this.#only || this.#sought);
    redraw(this.word, [total], () => [tick(), h("span", {}, total === 1 ? "The one circuit is well." : `All ${words.number(total)} circuits are well.`)]);
    this.blank.hidden = seen.loud + seen.quiet > 0;
    redraw(this.blank, [total === 0], () => (total === 0 ? empty() : h("p", {}, "No circuit matches.")));
    this.#sum(tally);
  }

  #sum(tally) {
    const shown = [...tally].filter(([is, n]) => n > 0 || is === "open" || is === "closed");
    // Its buttons stay as they are while someone is about to press one.
    const had = this.sums.contains(document.activeElement) ? document.activeElement.dataset.is : null;
    redraw(this.sums, [shown, this.#only], () =>
      shown.map(([is, n]) => {
        const button = h(
          "button",
          { type: "button", class: `sum is-${is}`, "data-is": is, "aria-pressed": String(this.#only === is), disabled: n === 0, title: `Show only these`, onclick: () => this.#choose(is) },
          glyph(is),
          h("strong", {}, words.number(n)),
          h("span", {}, word(is)),
        );
        return button;
      }),
    );
    if (had && document.activeElement?.dataset?.is !== had) this.sums.querySelector(`[data-is="${CSS.escape(had)}"]`)?.focus();
    set(this.sums.parentNode, "hidden", this.#circuits.length === 0 ? "" : null);
  }

  #choose(is) {
    this.#only = this.#only === is ? null : is;
    this.#sift();
  }
}

function tick() {
  const made = glyph("closed");
  made.firstChild.setAttribute("d", WELL);
  return made;
}

const empty = () => [
  h("h2", {}, "No circuits yet"),
  h("p", {}, "A circuit is here as soon as this process knows of a service that it may call."),
  h("p", {}, "List services in ", h("code", {}, "INFUSE_SERVICE_CONNECTIONS"), ", or give one an address: ", h("code", {}, "INFUSE_SERVICES__PAYMENTS__URL"), "."),
];
