// Why a circuit is as it is: what tripped it, who put a mode on it, what it waits for.

import { h } from "./dom.js";
import * as words from "./words.js";

const quoted = (by, reason) => words.note({ by, reason });

/** What opened it, in words. */
export function cause(circuit) {
  const name = circuit.tripped?.cause;
  if (name === "failures") {
    return circuit.max_failure ? `${words.count(circuit.max_failure, "failure")}, one after another` : words.cause(name);
  }
  return name ? words.cause(name) : null;
}

function tripped(circuit, { process, now }) {
  const what = circuit.tripped;
  if (!what || circuit.state === "closed") return null;
  const name = words.process(what.by, circuit.by_name);
  const self = what.by && what.by === process;
  const failing = words.fault(what.fault);
  const said = what.note && quoted(what.note.by, what.note.reason);
  const row = (term, ...text) => [h("dt", {}, term), h("dd", {}, ...text)];
  return h(
    "dl",
    { class: "why" },
    row(what.cause === "manual" ? "Opened" : "Tripped by", h("strong", {}, cause(circuit)), failing && ["; last seen: ", h("strong", {}, failing)]),
    said && row("Because", said),
    name && row("Process", h("strong", {}, name), self && " (this one)"),
    row("Since", h("time", { datetime: new Date(what.at * 1000).toISOString() }, words.clock(what.at)), `, ${words.span(now - what.at)} ago`),
    circuit.failed_trials > 0 && row("Trials", `${words.count(circuit.failed_trials, "trial")} failed since`),
  );
}

const EFFECT = {
  isolated: "Every call is rejected",
  disabled: "Every call passes, nothing is counted",
  observe: "Nothing is rejected, everything is counted",
  enabled: "Counts and rejects",
};

function overridden(circuit) {
  const over = circuit.override;
  if (!over) return circuit.mode === "enabled" ? null : h("p", { class: "mode" }, `${EFFECT[circuit.mode] ?? words.mode(circuit.mode)}, as the settings say.`);
  const who = quoted(over.by, over.reason);
  return h("p", { class: "mode" }, h("strong", {}, EFFECT[over.mode] ?? words.mode(over.mode)), who && [" — ", who]);
}

function also(circuit) {
  const lines = [];
  if (circuit.suspect) lines.push("Failures of several processes add up to a trip, unless one of them has had a success.");
  if (circuit.would_have_rejected > 0 && circuit.mode === "observe") {
    lines.push(`${words.count(circuit.would_have_rejected, "call")} would have been rejected by this process.`);
  }
  if (circuit.state === "half-open" && circuit.mode !== "isolated") {
    lines.push(`${words.count(circuit.trials, "trial call")} of this process under way, ${words.number(circuit.success_counter)} succeeded so far.`);
  }
  return lines.map((line) => h("p", { class: "also" }, line));
}

export const why = (circuit, context) => [overridden(circuit), tripped(circuit, context), also(circuit)];
