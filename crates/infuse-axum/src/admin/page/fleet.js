// The processes that share these circuits.

import { h } from "./dom.js";
import { nameOf } from "./processes.js";
import { condition, glyph } from "./condition.js";
import * as words from "./words.js";

function tally(instance) {
  const circuits = instance.circuits ?? [];
  const by = new Map();
  for (const circuit of circuits) by.set(condition(circuit), (by.get(condition(circuit)) ?? 0) + 1);
  const odd = [...by].filter(([is]) => is !== "closed");
  if (circuits.length === 0) return h("span", { class: "faint" }, "no circuits");
  if (odd.length === 0) return h("span", { class: "faint" }, `${words.count(circuits.length, "circuit")}, all closed`);
  return odd.map(([is, n]) => h("span", { class: `tally is-${is}` }, glyph(is), `${n} ${is}`));
}

export function fleet(said, now) {
  if (!said) return h("p", { class: "faint" }, "Asking …");
  if (said.instances.length === 0) return h("p", { class: "faint" }, "No process has announced itself yet.");
  const started = (instance) => (instance.started_at ? `, up for ${words.span(now - instance.started_at)}` : "");
  const order = [...said.instances].sort((one, other) => Number(other.self) - Number(one.self) || nameOf(one).localeCompare(nameOf(other)));
  return h(
    "ul",
    { class: "fleet" },
    order.map((instance) =>
      h(
        "li",
        {},
        h("p", {}, h("strong", {}, nameOf(instance)), instance.self && h("span", { class: "faint" }, " this one")),
        h("p", { class: "faint" }, [instance.service, instance.version].filter(Boolean).join(" "), started(instance), !instance.self && instance.heard_ago > 15 && h("em", {}, `, last heard ${words.span(instance.heard_ago)} ago`)),
        h("p", {}, tally(instance)),
      ),
    ),
  );
}
