// What runs out: the open time, an override, the recovery. Written anew each quarter second.

import { h, say, set } from "./dom.js";
import * as words from "./words.js";

const seconds = () => performance.now() / 1000;

/** What runs out for a circuit, as it was when the server said so: `{name, left, whole, over}`. */
export function clocks(circuit, now) {
  const found = [];
  const rejects = circuit.mode !== "isolated" && circuit.mode !== "disabled";
  if (circuit.state === "open" && rejects && circuit.retry_after !== null && circuit.retry_after !== undefined) {
    const been = circuit.opened_at ? Math.max(0, now - circuit.opened_at) : 0;
    found.push({ name: "retry", left: circuit.retry_after, whole: been + circuit.retry_after, until: "until a trial call", over: "A trial is due: the next call is let through to try." });
  }
  if (circuit.ramp && circuit.state === "closed") {
    const { time, left } = circuit.ramp;
    found.push({ name: "ramp", left, whole: time, until: "until all calls pass again", over: "All calls pass again." });
  }
  const over = circuit.override;
  if (over && over.left !== null && over.left !== undefined) {
    found.push({ name: "override", left: over.left, until: `until the override ends`, over: "The override ends now." });
  }
  return found;
}

/** The nodes of one clock, and how to bring them up to date. */
export class Countdown {
  constructor(name) {
    this.figure = h("span", { class: "left" });
    this.text = h("span", { class: "until" });
    this.filled = h("i", { class: "filled" });
    this.bar = h("div", { class: "bar runs", "aria-hidden": "true" }, this.filled);
    this.node = h("div", { class: `countdown of-${name}`, role: "timer", "aria-live": "off" }, h("p", {}, this.figure, " ", this.text), this.bar);
  }

  /** Takes what the server said at `at`, in seconds of this page's clock. */
  take(clock, at) {
    this.clock = clock;
    this.ends = at + clock.left;
    set(this.bar, "hidden", clock.whole ? null : "");
    this.tick();
  }

  tick() {
    const { whole, until, over } = this.clock;
    const rest = Math.max(0, this.ends - seconds());
    say(this.figure, rest > 0 ? words.left(rest) : "");
    say(this.text, rest > 0 ? until : over);
    if (whole) this.filled.style.inlineSize = `${(100 * Math.min(1, rest / whole)).toFixed(1)}%`;
  }
}
