// How the page and the storage are doing: small at the top while all is well, and in full when not.

import { h, redraw, say } from "./dom.js";
import * as words from "./words.js";

const seconds = () => performance.now() / 1000;
const STORAGES = { redis: "Redis", memory: "memory", other: "a storage" };

const sign = (kind, text, title) => h("li", { class: `sign-of ${kind}`, title }, h("i", { class: "dot", "aria-hidden": "true" }), text);

function link({ live, heard, lostSince }) {
  if (lostSince !== null) return sign("bad", "Not connected");
  if (!heard) return sign("wait", "Connecting …");
  return live ? sign("good", "Live", "Changes are shown as they happen") : sign("wait", "Each 5 s", "The event stream is away; the page asks each 5 s");
}

function store(storage) {
  if (!storage) return null;
  const name = STORAGES[storage.kind] ?? storage.kind;
  if (storage.lost_for !== null && storage.lost_for !== undefined) return sign("bad", "Storage unreachable");
  if (storage.kind === "memory") return sign("plain", "This process alone", "Circuits are kept in memory, and shared with nobody");
  if (!storage.shared) return sign("wait", "Not shared");
  const about = `${words.count(storage.commands, "command")}, ${words.number(storage.failed_commands)} failed; lost ${words.number(storage.losses)} times; ${words.span(storage.lag)} behind`;
  return sign("good", storage.pushed ? `Shared by ${name}` : `Shared by ${name}, polled`, about);
}

export class Status {
  constructor({ place, health, banners }, { retry, other }) {
    Object.assign(this, { place, health, banners, retry, other });
    this.lost = null;
    this.away = null;
  }

  /** `link`: `{live, heard, lostSince, retryAt}`; `view`: the last answer, with when it came. */
  update(link_, view) {
    this.link = link_;
    this.view = view;
    const of = view?.data;
    say(this.place, of ? [of.service, of.environment, of.instance].filter(Boolean).join(" · ") : "");
    redraw(this.health, [link_.live, link_.heard, link_.lostSince !== null, of && { ...of.storage, lost_for: typeof of.storage.lost_for, commands: 0, lag: 0 }, of?.writable], () => [
      link(link_),
      store(of?.storage),
      of && !of.writable && h("li", { class: "sign-of plain" }, h("button", { type: "button", class: "link", onclick: this.other }, "Read only")),
    ]);
    document.body.classList.toggle("stale", link_.lostSince !== null);
    redraw(this.banners, [link_.lostSince !== null, typeof of?.storage.lost_for, Boolean(of)], () => [this.#away(), this.#lost()]);
    this.tick();
  }

  #away() {
    if (this.link.lostSince === null) return (this.away = null);
    this.away = h("span", { class: "when" });
    return h(
      "div",
      { class: "banner bad", role: "alert" },
      h("p", {}, h("strong", {}, "No connection to this process."), this.view ? " What is shown is what it last said. " : " ", this.away),
      h("button", { type: "button", class: "plain", onclick: this.retry }, "Try now"),
    );
  }

  #lost() {
    if (this.link.lostSince !== null || typeof this.view?.data.storage.lost_for !== "number") return (this.lost = null);
    this.lost = h("span", { class: "when" });
    return h(
      "div",
      { class: "banner warn", role: "alert" },
      h("p", {}, h("strong", {}, "Storage unreachable"), this.lost, ". Each process decides by what it sees itself. What you change here changes this process alone."),
    );
  }

  tick() {
    if (this.away) {
      const { lostSince, retryAt } = this.link;
      const next = retryAt ? Math.max(0, retryAt / 1000 - seconds()) : 0;
      say(this.away, `It has been away for ${words.span(seconds() - lostSince)}${next > 0.5 ? `; next try in ${words.left(next)}` : "; trying"}.`);
    }
    if (this.lost) say(this.lost, ` for ${words.span(this.view.data.storage.lost_for + seconds() - this.view.at)}`);
  }
}

/** The title of the tab: what one wants to know of a tab that is not in front. */
export function title(view, lost) {
  if (lost) return "(?) Infuse";
  const open = view?.circuits.filter((circuit) => circuit.state === "open" || circuit.mode === "isolated").length;
  return `${open ? `(${open}) ` : ""}Infuse${view?.service ? ` · ${view.service}` : ""}`;
}

/** A line that goes away by itself. */
export function toast(place, text, careful) {
  const line = h("p", { class: careful ? "toast careful" : "toast" }, text);
  place.append(line);
  setTimeout(() => line.remove(), careful ? 20_000 : 8_000);
}
