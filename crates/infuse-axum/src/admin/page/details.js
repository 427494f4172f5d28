// What is known of a circuit beyond its card: shown when it is asked for, and fetched then.

import { circuitPath, get } from "./api.js";
import { h, redraw, set } from "./dom.js";
import { ownRates } from "./meters.js";
import { table } from "./processes.js";
import { changes } from "./recent.js";
import * as words from "./words.js";

const row = (term, text) => text !== null && text !== undefined && [h("dt", {}, term), h("dd", {}, text)];

function policy(said) {
  const window = said.window?.calls ? `the last ${words.count(said.window.calls, "call")}` : said.window?.time ? `the last ${words.setting(said.window.time)}` : null;
  const grows = said.reset_backoff && said.reset_backoff !== 1;
  return h(
    "dl",
    { class: "facts" },
    row("Opens after", said.max_failure ? `${words.count(said.max_failure, "failure")} in a row` : null),
    row("Opens at", said.failure_rate ? `${words.share(said.failure_rate)} failures` : null),
    row("Opens at", said.slow_call_rate ? `${words.share(said.slow_call_rate)} calls slower than ${words.setting(said.slow_call_duration)}` : null),
    said.failure_rate || said.slow_call_rate ? [row("Judged by", window), row("At least", said.minimum_calls ? words.count(said.minimum_calls, "call") : null)] : null,
    row("Open for", `${words.setting(said.reset_timeout)}${grows ? `, times ${said.reset_backoff} for each failed trial, at most ${words.setting(said.max_reset_timeout)}` : ""}`),
    row("Closes after", words.count(said.success_threshold ?? 1, "successful trial")),
    row("Trials at once", words.number(said.half_open_max_calls ?? 1)),
    row("Recovers in", said.ramp ? words.setting(said.ramp) : null),
    row("Mode", said.mode && said.mode !== "enabled" ? words.mode(said.mode) : null),
  );
}

function figures(circuit) {
  const totals = circuit.totals;
  return h(
    "dl",
    { class: "facts" },
    totals && [
      row("Succeeded", words.number(totals.success)),
      row("Failed", words.number(totals.failure)),
      row("Ignored", words.number(totals.ignored)),
      row("Rejected", words.number(totals.rejected)),
      row("Trial calls", words.number(totals.trials)),
    ],
    row("Would have been rejected", circuit.would_have_rejected ? words.number(circuit.would_have_rejected) : null),
    row("Generation", words.number(circuit.generation)),
    row("Storage heard", circuit.view_age === null || circuit.view_age === undefined ? "never" : `${words.span(circuit.view_age)} ago`),
  );
}

/** What changes with an event, and with nothing else. The time that an override has left is not. */
const changeable = (circuit) => JSON.stringify([circuit?.history?.at(-1)?.at, circuit?.mode, circuit?.override?.by, circuit?.override?.reason]);

export class Details {
  shown = false;
  #circuit = null;
  #asked = false;
  /** How the circuit was when its changes were asked for. */
  #as = "";

  constructor(name) {
    this.name = name;
    this.views = h("div", {});
    this.rates = h("div", { class: "meters" });
    this.figures = h("div", {});
    this.policy = h("div", {}, h("p", { class: "faint" }, "Asking …"));
    this.events = h("div", {});
    const part = (title, node, wide) => h("section", { class: wide ? "wide" : null }, h("h4", {}, title), node);
    this.node = h(
      "div",
      { class: "details", hidden: true },
      part("Processes", this.views, true),
      part("Policy", this.policy),
      part("Calls of this process", h("div", {}, this.figures, this.rates)),
      part("Changes", this.events, true),
    );
  }

  show(shown) {
    this.shown = shown;
    set(this.node, "hidden", shown ? null : "");
    if (shown) this.refresh();
  }

  take(circuit, context) {
    this.#circuit = circuit;
    this.context = context;
    if (!this.shown) return;
    this.#draw();
    if (this.#as !== changeable(circuit)) this.refresh();
  }

  /** What each process says. */
  hear(found) {
    this.found = found;
    if (this.shown) redraw(this.views, found ?? null, () => table(found));
  }

  async refresh() {
    this.#draw();
    this.hear(this.found);
    if (this.#asked) return;
    this.#asked = true;
    this.#as = changeable(this.#circuit);
    try {
      const said = await get(circuitPath(this.name));
      redraw(this.policy, said.policy, () => policy(said.policy));
      redraw(this.events, said.events, () => changes(said.events, { withName: false }));
    } catch (error) {
      redraw(this.policy, error.message, () => h("p", { class: "faint" }, `Not known: ${error.message}`));
    } finally {
      this.#asked = false;
    }
  }

  #draw() {
    const circuit = this.#circuit;
    if (!circuit) return;
    redraw(this.figures, [circuit.totals, circuit.generation, circuit.view_age, circuit.would_have_rejected], () => figures(circuit));
    redraw(this.rates, [circuit.fleet_window, circuit.window], () => ownRates(circuit));
  }
}
