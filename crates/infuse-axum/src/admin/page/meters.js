// How far a circuit is from opening: failures one after another, and rates with their threshold.

import { h } from "./dom.js";
import * as words from "./words.js";

const percent = (part) => `${(Math.max(0, Math.min(1, part)) * 100).toFixed(1)}%`;

/** A bar and what it says: `brief` where there is little room. `mark` is where the circuit opens, if
 * that is not the end. */
function meter({ label, text, brief, value, most = 1, mark, pips }) {
  const bar = h("div", {
    class: "bar",
    role: "meter",
    "aria-label": label,
    "aria-valuemin": 0,
    "aria-valuemax": most,
    "aria-valuenow": Math.min(value, most),
    "aria-valuetext": text,
  });
  const reached = value >= (mark ?? most);
  bar.classList.toggle("reached", reached && value > 0);
  if (pips) {
    for (let at = 0; at < most; at += 1) bar.append(h("i", { class: at < value ? "pip on" : "pip" }));
    bar.classList.add("pips");
  } else {
    const filled = h("i", { class: "filled" });
    filled.style.inlineSize = percent(value / most);
    bar.append(filled);
    if (mark !== undefined) {
      const tick = h("i", { class: "mark" });
      tick.style.insetInlineStart = percent(mark / most);
      bar.append(tick);
    }
  }
  return h("div", { class: "meter", title: text }, h("span", { class: "label" }, label), h("span", { class: "figure long" }, text), h("span", { class: "figure brief" }, brief), bar);
}

function inARow(circuit) {
  const most = circuit.max_failure;
  if (!most) return null;
  const here = circuit.fail_counter;
  const fleet = circuit.fleet_failures;
  const value = Math.min(most, Math.max(here, fleet));
  // That nothing is wrong needs no bar.
  if (value === 0) return null;
  const whose = fleet > here ? (here ? `, ${words.number(here)} of them here` : ", none of them here") : "";
  const text = `${words.number(value)} of ${words.number(most)}${whose}`;
  const brief = `${words.number(value)} of ${words.number(most)}`;
  return meter({ label: "Failures in a row", text, brief, value, most, pips: most <= 12 });
}

function rate(label, standing, counts, where) {
  if (!standing) return null;
  if (standing.rate === undefined) {
    const text = `${words.number(standing.calls)} of ${count(standing.minimum)} to judge by${where}`;
    const brief = `${words.number(standing.calls)} of ${count(standing.minimum)}`;
    return meter({ label, text, brief, value: standing.calls, most: Math.max(1, standing.minimum) });
  }
  const text = `${words.share(standing.rate)} of ${count(counts.calls)}${where}, opens at ${words.share(standing.threshold)}`;
  const brief = `${words.share(standing.rate)}, opens at ${words.share(standing.threshold)}`;
  return meter({ label, text, brief, value: standing.rate, mark: standing.threshold });
}
const count = (n) => words.count(n, "call");

function rates(window, where) {
  if (!window) return [];
  return [
    rate("Failures", window.failure_rate, window.counts, where),
    rate("Slow calls", window.slow_call_rate, window.counts, where),
  ];
}

/** What is nearest to opening the circuit: the fleet's rates, or this process's where there is no fleet. */
export function meters(circuit) {
  if (circuit.state !== "closed") return [];
  const fleet = circuit.fleet_window;
  return [inARow(circuit), ...rates(fleet ?? circuit.window, "")].filter(Boolean);
}

/** This process's own rates, where the fleet's are shown too. */
export const ownRates = (circuit) =>
  circuit.fleet_window ? rates(circuit.window, " here").filter(Boolean) : [];
