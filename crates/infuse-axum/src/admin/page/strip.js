// The last half hour of a circuit, drawn: low while it was closed, half as high while it was
// half-open, and full while it was open. So it can be read without colours.

import { s } from "./dom.js";
import * as words from "./words.js";

const SPAN = 30 * 60;
/** So many changes are told: half an hour of a circuit that is tried four times a minute. */
const KEPT = 240;
const WIDTH = 600;
const HEIGHT = 24;
const HEIGHTS = { closed: 4, "half-open": 13, open: 24 };

/** What it was, from when to when, in the time that is shown. Before what is known, nothing. */
export function stretches(circuit, { now, since }) {
  const begin = now - SPAN;
  // What has only just been heard of is newer than the answer that is shown.
  const end = Math.max(now, circuit.history?.at(-1)?.at ?? now);
  const changes = [...(circuit.history ?? [])].sort((one, other) => one.at - other.at);
  // Circuits begin closed, with the process; of what was before the oldest of so many nothing is known.
  if (changes.length < KEPT) changes.unshift({ at: since ?? changes[0]?.at ?? begin, to: changes.length ? "closed" : circuit.state });
  const found = changes.map((change, at) => ({
    state: change.to,
    from: Math.max(begin, change.at),
    to: changes[at + 1]?.at ?? end,
  }));
  return found.filter(({ from, to }) => to >= begin && to >= from);
}

function told(parts) {
  const opened = parts.filter((part) => part.state === "open").length;
  if (opened === 0) return parts.some((part) => part.state === "half-open") ? "half-open for a time" : "not open";
  const open = parts.filter((part) => part.state === "open").reduce((sum, part) => sum + part.to - part.from, 0);
  return `opened ${opened === 1 ? "once" : `${opened} times`}, open for ${words.span(open)} in all`;
}

export function strip(circuit, context) {
  const { now } = context;
  const parts = stretches(circuit, context);
  const x = (at) => ((at - (now - SPAN)) / SPAN) * WIDTH;
  // No more than what is known.
  const text = `The last ${words.span(Math.max(1, now - (parts[0]?.from ?? now)))}: ${told(parts)}`;
  return s(
    "svg",
    { class: "strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": text },
    s("title", {}, text),
    s("rect", { class: "ground", x: 0, y: HEIGHT - 1, width: WIDTH, height: 1 }),
    parts.map((part) => {
      const height = HEIGHTS[part.state] ?? HEIGHT;
      // So wide at least that a short opening is to be seen.
      const width = Math.max(part.state === "closed" ? 0 : 6, x(part.to) - x(part.from));
      const start = Math.min(x(part.from), WIDTH - width);
      return s("rect", { class: `is-${part.state}`, x: start.toFixed(1), y: HEIGHT - height, width: width.toFixed(1), height });
    }),
  );
}
