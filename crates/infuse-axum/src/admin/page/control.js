// The dialog in which a circuit is controlled. A reason is required, and goes to the log of each
// process and to everyone who looks at the circuit.

import { command } from "./api.js";
import { condition, glyph, word } from "./condition.js";
import { h, redraw, say, set } from "./dom.js";

const MOST = 256;
const WHO = "infuse-who";

const OVERRIDE = "until it is taken off";
/** `lasts`: until when it lasts if no time is chosen for it. `forgets`: others are not told why. */
const ACTIONS = {
  isolate: { word: "Isolate", text: "Reject every call", lasts: OVERRIDE, done: "isolated" },
  observe: { word: "Observe", text: "Count, but reject nothing", lasts: OVERRIDE, done: "only observed" },
  disable: { word: "Disable", text: "Let every call pass, count nothing", lasts: OVERRIDE, done: "disabled" },
  enable: { word: "Enable", text: "Count and reject, whatever the settings say", lasts: OVERRIDE, done: "enabled" },
  "clear-override": { word: "Clear override", text: "Back to the mode of the settings", forgets: true, done: "back to the mode of its settings" },
  open: { word: "Open", text: "Reject for a time, then try", lasts: "for its reset timeout", done: "open" },
  "half-open": { word: "Half-open", text: "Let trial calls through", done: "half-open" },
  close: { word: "Close", text: "Let calls through", done: "closed" },
  reset: { word: "Reset", text: "Close, and forget what was counted", done: "closed and counts anew" },
};
const GROUPS = { "Mode, until it is taken off": ["isolate", "observe", "disable", "enable", "clear-override"], "State, once": ["open", "half-open", "close", "reset"] };
const LASTING = { "": OVERRIDE, "5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour", "8h": "8 hours", other: "another time …" };

/** What one most likely wants. */
const likely = (circuit) => (circuit.override ? "clear-override" : circuit.state === "closed" ? "isolate" : "close");

/** Whether a text is longer than may be said. It is bytes that are counted. */
const tooLong = (text) => new TextEncoder().encode(text).length > MOST;

export class Control {
  #name = null;
  #alone = false;

  /** `done(text, careful)` tells what came of it; `changed()` has the page look anew. */
  constructor(done, changed) {
    this.done = done;
    this.changed = changed;
    this.now = h("p", { class: "now" });
    this.title = h("h2", { id: "control-title" });
    this.error = h("p", { class: "error", role: "alert" });
    this.choices = Object.fromEntries(Object.entries(ACTIONS).map(([action, about]) => [action, this.#choice(action, about)]));
    this.reason = h("textarea", { id: "control-reason", name: "reason", required: true, rows: 2, maxlength: MOST, "aria-describedby": "control-reason-about" });
    this.about = h("p", { id: "control-reason-about", class: "faint" });
    this.by = h("input", { id: "control-by", name: "by", maxlength: MOST, autocomplete: "name" });
    this.lasting = h("select", { id: "control-for", name: "for", onchange: () => this.#adjust() }, Object.entries(LASTING).map(([value, text]) => h("option", { value }, text)));
    this.other = h("input", { id: "control-other", name: "other", placeholder: "90s, 10m or 2h", "aria-label": "How long", pattern: "\\s*[0-9]+(\\.[0-9]+)?\\s*(ms|s|m|h)?\\s*", title: "A number and s, m or h" });
    this.lasts = h("div", { class: "field" }, h("label", { for: "control-for" }, "For how long"), this.lasting, this.other);
    this.submit = h("button", { type: "submit", class: "main" });
    this.form = h(
      "form",
      { method: "dialog", onsubmit: (event) => this.#send(event) },
      h("header", {}, this.title, this.now),
      h("div", { class: "choices" }, Object.entries(GROUPS).map(([legend, actions]) => h("fieldset", {}, h("legend", {}, legend), actions.map((action) => this.choices[action].node)))),
      this.lasts,
      h("div", { class: "field" }, h("label", { for: "control-reason" }, "Reason"), this.reason, this.about),
      h("div", { class: "field" }, h("label", { for: "control-by" }, "Who ", h("span", { class: "faint" }, "(you)")), this.by),
      this.error,
      h("footer", {}, h("button", { type: "button", class: "plain", onclick: () => this.node.close() }, "Cancel"), this.submit),
    );
    this.node = h("dialog", { class: "control", "aria-labelledby": "control-title", onclose: () => this.#closed() }, this.form);
    document.body.append(this.node);
  }

  #choice(action, { word, text }) {
    const input = h("input", { type: "radio", name: "action", value: action, required: true, onchange: () => this.#adjust() });
    return { input, node: h("label", { class: "choice" }, input, h("span", {}, h("strong", {}, word), h("span", { class: "faint" }, text))) };
  }

  /** `alone`: whether the circuits are this process's, and shared with nobody. */
  open(circuit, alone) {
    this.#name = circuit.service;
    this.#alone = alone;
    this.form.reset();
    this.by.value = sessionStorage.getItem(WHO) ?? "";
    say(this.error, "");
    say(this.title, circuit.service);
    set(this.choices["clear-override"].input, "disabled", circuit.override ? null : "");
    this.choices[likely(circuit)].input.checked = true;
    this.#busy(false);
    this.take(circuit);
    this.#adjust();
    this.node.showModal();
    this.choices[likely(circuit)].input.focus();
  }

  /** What the circuit is like while the dialog is open. */
  take(circuit) {
    if (circuit?.service !== this.#name) return;
    const is = condition(circuit);
    redraw(this.now, [is, circuit.override?.mode], () => [glyph(is), h("span", {}, `${word(is)} now`)]);
  }

  /** It is told of late, and may be open for another by then. */
  #closed() {
    if (!this.node.open) this.#name = null;
  }

  close() {
    if (this.node.open) this.node.close();
  }

  get name() {
    return this.#name;
  }

  #action() {
    return this.form.elements.action.value;
  }

  #adjust() {
    const { forgets, lasts, word } = ACTIONS[this.#action()];
    say(this.lasting.options[0], lasts ?? OVERRIDE);
    say(this.about, forgets ? "Required. It is logged by this process." : "Required. It is logged, and shown beside the change.");
    set(this.lasts, "hidden", lasts ? null : "");
    const other = lasts && this.lasting.value === "other";
    set(this.other, "hidden", other ? null : "");
    set(this.other, "disabled", other ? null : "");
    set(this.other, "required", other ? "" : null);
    say(this.submit, `${word} ${this.#name}`);
  }

  #busy(busy) {
    set(this.submit, "disabled", busy ? "" : null);
    set(this.form, "aria-busy", busy ? "true" : null);
  }

  async #send(event) {
    event.preventDefault();
    const [name, action] = [this.#name, this.#action()];
    const reason = this.reason.value.trim().replace(/\s+/g, " ");
    const by = this.by.value.trim();
    if (!reason) return this.#refuse("Say why: the reason is what others will read.", this.reason);
    if (tooLong(reason)) return this.#refuse(`The reason is longer than ${MOST} bytes.`, this.reason);
    if (tooLong(by)) return this.#refuse(`The name is longer than ${MOST} bytes.`, this.by);
    const { lasts, done } = ACTIONS[action];
    const chosen = this.lasting.value === "other" ? this.other.value.replace(/\s/g, "") : this.lasting.value;
    say(this.error, "");
    this.#busy(true);
    try {
      const { reach } = await command(name, action, { reason, by, lasting: lasts ? chosen : "" });
      sessionStorage.setItem(WHO, by);
      const fleet = reach === "fleet";
      const all = this.#alone ? "in this process, which shares with nobody" : "for the whole fleet";
      const where = fleet ? all : "in this process alone: the storage was not reached";
      this.done(`${name} is ${done}, ${where}.`, !fleet);
      if (this.#name === name) this.node.close();
      this.changed();
    } catch (error) {
      const lost = error instanceof TypeError || error.name === "TimeoutError";
      this.#refuse(lost ? "No answer. It may have been done all the same: look before you try again." : error.message);
    } finally {
      this.#busy(false);
    }
  }

  #refuse(text, at) {
    say(this.error, text);
    at?.focus();
  }
}

