// One circuit.

import { h, redraw, say, set } from "./dom.js";
import { condition, glyph, wantsAttention, word } from "./condition.js";
import { Countdown, clocks } from "./countdown.js";
import { meters } from "./meters.js";
import { chips, views } from "./processes.js";
import { strip } from "./strip.js";
import { why } from "./why.js";
import { span } from "./words.js";
import { Details } from "./details.js";

let number = 0;

export class Card {
  #countdowns = new Map();

  /** `control(name)` opens the dialog. */
  constructor(name, control) {
    this.name = name;
    const id = `circuit-${(number += 1)}`;
    this.glyph = h("span", { class: "sign" });
    this.badge = h("span", { class: "badge" });
    this.tag = h("span", { class: "tag" });
    this.title = h("h3", { id }, name);
    this.running = h("div", { class: "running" });
    this.why = h("div", { class: "reasons" });
    this.meters = h("div", { class: "meters" });
    this.strip = h("div", { class: "past" });
    this.views = h("div", {});
    this.details = new Details(name);
    this.more = h("button", { type: "button", class: "plain", "aria-expanded": "false", onclick: () => this.expand() }, "Details", h("span", { class: "unseen" }, ` of ${name}`));
    this.act = h("button", { type: "button", class: "plain act", onclick: () => control(name) }, "Control", h("span", { class: "unseen" }, ` ${name}`));
    this.node = h(
      "article",
      { class: "card", "aria-labelledby": id },
      h("header", {}, this.glyph, this.title, this.tag, this.badge),
      this.running,
      this.why,
      this.views,
      this.meters,
      h("footer", {}, this.strip, this.more, this.act),
      this.details.node,
    );
    this.node.dataset.circuit = name;
  }

  /** `context`: the answer it came with, and when that was. */
  update(circuit, context) {
    this.circuit = circuit;
    const is = condition(circuit);
    const changed = this.node.dataset.is !== is && this.node.dataset.is !== undefined;
    Object.assign(this.node.dataset, { is, state: circuit.state, mode: circuit.mode });
    this.node.classList.toggle("loud", wantsAttention(circuit));
    if (changed && this.node.animate && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
      this.node.animate([{ outlineColor: "currentColor" }, { outlineColor: "transparent" }], { duration: 1200 });
    }
    redraw(this.glyph, is, () => glyph(is));
    say(this.badge, word(is));
    const beside = ["isolated", "disabled"].includes(is) ? `state ${circuit.state}` : circuit.mode === "observe" && is !== "observe" ? "observed" : circuit.shared === false && context.sharing ? "on its own" : "";
    say(this.tag, beside);
    this.#run(clocks(circuit, context.now), context.at);
    redraw(this.why, [circuit.tripped, circuit.by_name, circuit.override && { ...circuit.override, left: 0 }, circuit.state, circuit.mode, circuit.suspect, circuit.trials, circuit.success_counter, circuit.would_have_rejected, circuit.tripped && span(context.now - circuit.tripped.at)], () => why(circuit, context));
    redraw(this.meters, [circuit.state, circuit.max_failure, circuit.fail_counter, circuit.fleet_failures, circuit.window, circuit.fleet_window], () => meters(circuit));
    redraw(this.strip, [circuit.history, circuit.state, context.since, Math.floor(context.now / 5)], () => strip(circuit, context));
    this.details.take(circuit, context);
    set(this.act, "disabled", context.writable ? null : "");
    set(this.act, "title", context.writable ? null : context.whyNot);
  }

  /** What each process says. */
  hear(instances) {
    const all = this.node.classList.contains("loud");
    const found = views(this.circuit, instances);
    redraw(this.views, [all, found], () => chips(found, all));
    this.details.hear(found);
  }

  tick() {
    for (const countdown of this.#countdowns.values()) countdown.tick();
  }

  expand(to = !this.details.shown) {
    set(this.more, "aria-expanded", to);
    this.node.classList.toggle("expanded", to);
    this.details.show(to);
  }

  #run(found, at) {
    for (const clock of found) {
      let countdown = this.#countdowns.get(clock.name);
      if (!countdown) {
        countdown = new Countdown(clock.name);
        this.#countdowns.set(clock.name, countdown);
        this.running.append(countdown.node);
      }
      countdown.take(clock, at);
    }
    for (const [name, countdown] of this.#countdowns) {
      if (found.some((clock) => clock.name === name)) continue;
      countdown.node.remove();
      this.#countdowns.delete(name);
    }
  }
}
