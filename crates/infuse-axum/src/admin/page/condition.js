// What a circuit is like at a glance, out of its state, its mode and what else is known of it.

import { s } from "./dom.js";
import * as words from "./words.js";

/** In the order in which they want to be seen. `path`: the switch that stands for it. */
const CONDITIONS = {
  open: { word: "Open", path: "M2.5 16h4L17 6M17.5 16h4" },
  "half-open": { word: "Half-open", path: "M2.5 14h4l3.5-1.500M13 11.300l4-1.700M17.5 14h4" },
  isolated: { word: "Isolated", path: "M2.5 12h6M15.5 12h6M8.5 5.500v13M15.5 5.500v13" },
  recovering: { word: "Recovering", path: "M2.5 18h4v-4h5v-4h5v-4h5" },
  suspect: { word: "Suspected", path: "M12 5v8.500M12 18v.2" },
  disabled: { word: "Disabled", path: "M2.5 16h4M17.5 16h4M6.5 16c1-11 10-11 11 0" },
  observe: { word: "Observed", path: "M2.5 12c4.5-7 14.5-7 19 0c-4.5 7-14.5 7-19 0zM12 11.900v.2" },
  closed: { word: "Closed", path: "M2.5 12h19" },
};
export const ALL = Object.keys(CONDITIONS);

/** The condition of a circuit, or of what a process says of one. */
export function condition(circuit) {
  if (circuit.mode === "isolated" || circuit.mode === "disabled") return circuit.mode;
  if (circuit.state === "open" || circuit.state === "half-open") return circuit.state;
  if (circuit.ramp) return "recovering";
  if (circuit.suspect) return "suspect";
  return circuit.mode === "observe" ? "observe" : "closed";
}

export const word = (name) => CONDITIONS[name]?.word ?? words.state(name);

/** Whether someone should look at it. A mode that stands in the settings is as it should be. */
export function wantsAttention(circuit) {
  const quiet = ["closed", "observe", "disabled"];
  return Boolean(circuit.override) || !quiet.includes(condition(circuit));
}

export const rank = (circuit) => ALL.indexOf(condition(circuit)) + (wantsAttention(circuit) ? 0 : ALL.length);

/** The picture of a condition. It says nothing to a screen reader: the word stands beside it. */
export function glyph(name) {
  const path = (CONDITIONS[name] ?? CONDITIONS.closed).path;
  return s("svg", { class: `glyph is-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, s("path", { d: path }));
}
