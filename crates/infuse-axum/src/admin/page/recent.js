// What changed lately, in words.

import { glyph, word } from "./condition.js";
import { h } from "./dom.js";
import * as words from "./words.js";

const MODES = { enabled: "closed", observe: "observe", disabled: "disabled", isolated: "isolated" };

/** What an event comes to: `{is, what, why}`. */
export function told(event) {
  const by = words.process(event.by, event.by_name);
  if (event.kind === "storage") {
    return event.to === "lost"
      ? { is: "isolated", what: "storage unreachable", why: event.detail ?? "each process decides alone" }
      : { is: "closed", what: "storage reachable again", why: "" };
  }
  if (event.kind === "mode") {
    const over = event.override;
    const what = over ? words.mode(event.to).toLowerCase() : `${words.mode(event.to).toLowerCase()}, as the settings say`;
    const lasting = over && over.left ? `for ${words.span(over.left)}` : null;
    const why = over ? [words.note(over), lasting] : [event.note && words.note(event.note)];
    return { is: MODES[event.to] ?? "closed", what, why: why.filter(Boolean).join(", ") };
  }
  const parts = [words.cause(event.cause), words.fault(event.fault), event.note && words.note(event.note), by && `by ${by}`];
  return { is: event.to, what: word(event.to).toLowerCase(), why: parts.filter(Boolean).join(", ") };
}

/** One sentence, to be read out. */
export function aloud(event) {
  const { what, why } = told(event);
  return `${event.circuit ? `${event.circuit}: ` : ""}${what}${why ? `. ${why}` : ""}`;
}

/** Newest first. */
export function changes(events, { withName = true } = {}) {
  if (!events?.length) return h("p", { class: "faint" }, "No change since this process started.");
  return h(
    "ol",
    { class: "changes" },
    events.map((event) => {
      const { is, what, why } = told(event);
      return h(
        "li",
        {},
        h("time", { datetime: new Date(event.at * 1000).toISOString() }, words.clock(event.at)),
        glyph(is),
        h("p", {}, withName && event.circuit && h("strong", {}, event.circuit), withName && event.circuit && " ", h("span", { class: `what is-${is}` }, what), why && h("span", { class: "faint" }, ` ${why}`)),
      );
    }),
  );
}
