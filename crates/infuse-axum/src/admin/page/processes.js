// What each process thinks of a circuit, beside what the shared state says.

import { h } from "./dom.js";
import { condition, glyph, word } from "./condition.js";
import * as words from "./words.js";

/** A process says what it thinks each 5 s: by how much what it said may be behind. */
const BEHIND = 1;

/** The shared state and each process's view of one circuit; null if nobody has said anything yet. */
export function views(circuit, instances) {
  if (!instances) return null;
  const { service, history } = circuit;
  const shared = instances.shared?.find((one) => one.service === service) ?? null;
  const changed = (history?.at(-1)?.at ?? 0) + BEHIND;
  const held = instances.instances
    .map((instance) => ({ instance, view: instance.circuits?.find((one) => one.service === service) }))
    .filter(({ view }) => view)
    .map(({ instance, view }) => {
      const { process, name, self, heard_ago } = instance;
      const said = instances.now - heard_ago;
      return { instance: { process, name, self, heard_ago }, view, how: how(view, shared, said < changed) };
    });
  return { shared, reached: instances.shared !== null, error: instances.error, held };
}

/** How a view stands to the shared state: it `agrees`, `differs`, is on its `own`, or is `older`. */
function how(view, shared, older) {
  if (!shared) return "agrees";
  if (view.shared === false) return "own";
  if (view.state === shared.state) return "agrees";
  return older && view.generation < shared.generation ? "older" : "differs";
}
const HOW = { own: "on its own", differs: "differs", older: "not heard since" };
const isOdd = (how) => how === "own" || how === "differs";

export const nameOf = (instance) => words.process(instance.process, instance.name);

const chip = ({ instance, view, how }, agreed) =>
  h(
    "li",
    { class: isOdd(how) ? "chip differs" : "chip" },
    glyph(condition(view)),
    h("span", { class: "name" }, nameOf(instance)),
    h("span", { class: agreed ? "unseen" : "says" }, word(condition(view)), HOW[how] && `, ${HOW[how]}`),
  );

const stateOf = (shared) => [words.state(shared.state), shared.override && `, ${words.mode(shared.override.mode).toLowerCase()}`];

/** On the card: all of them where something is going on, those that differ where nothing is. */
export function chips(found, all) {
  if (!found || found.held.length === 0) return null;
  const { shared, reached, held } = found;
  // With one process and nothing that is shared there is nothing to compare.
  if (reached && !shared && held.length === 1) return null;
  const odd = held.filter((one) => isOdd(one.how));
  if (!all && odd.length === 0) return null;
  const most = 6;
  const shown = [...odd, ...(all ? held.filter((one) => !isOdd(one.how)) : [])];
  const agreed = held.every((one) => one.how === "agrees" && condition(one.view) === condition(held[0].view));
  const rest = shown.length - most;
  const said = odd.length ? `${odd.length} of ${words.count(held.length, "process", "processes")} ${odd.length === 1 ? "differs" : "differ"}` : agreed && `all ${words.number(held.length)} processes agree`;
  return h(
    "div",
    { class: "views" },
    h("p", {}, !reached ? "Shared state unknown" : shared ? ["Shared state: ", h("strong", {}, stateOf(shared))] : "Not shared yet", held.length > 1 && said && `; ${said}`),
    h("ul", {}, shown.slice(0, most).map((one) => chip(one, agreed && shared)), rest > 0 && h("li", { class: "chip more" }, `and ${rest} more`)),
  );
}

const cell = (...text) => h("td", {}, ...text);

/** In full. */
export function table(found) {
  if (!found) return h("p", { class: "faint" }, "Nothing has been heard of the processes yet.");
  const { shared, reached, error, held } = found;
  const head = ["", "State", "Tries again", "Failures", "Generation", "Heard"];
  const first = shared
    ? [cell(glyph(shared.state), stateOf(shared)), cell(again(shared)), cell(words.number(shared.failures ?? 0)), cell(words.number(shared.generation)), cell("")]
    : [h("td", { colspan: 5 }, reached ? "nothing yet" : `unknown${error ? `: ${error}` : ""}`)];
  return h(
    "div",
    { class: "scrolls", tabindex: 0, role: "group", "aria-label": "Processes and the shared state" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, head.map((text) => (text ? h("th", { scope: "col" }, text) : h("td", {}))))),
      h(
        "tbody",
        {},
        h("tr", { class: "shared" }, h("th", { scope: "row" }, "Shared state"), first),
        held.map(({ instance, view, how }) =>
          h(
            "tr",
            { class: isOdd(how) ? "differs" : null },
            h("th", { scope: "row" }, nameOf(instance), instance.self && h("span", { class: "faint" }, " (this one)")),
            cell(glyph(condition(view)), word(condition(view)), HOW[how] && h("em", {}, ` ${HOW[how]}`)),
            cell(again(view)),
            cell(words.number(view.fail_counter ?? 0)),
            cell(words.number(view.generation)),
            cell(instance.self ? "now" : `${words.span(instance.heard_ago)} ago`),
          ),
        ),
      ),
    ),
  );
}

function again(view) {
  if (view.state === "closed" || view.retry_after === null || view.retry_after === undefined) return "";
  return view.retry_after > 0 ? `in ${words.left(view.retry_after)}` : "by the next call";
}
