// The page: looks at the circuits, hears of changes, and draws both.
//
// The event stream says what changed, at once. What is drawn is what `circuits` answers: asked
// after each event, after each gap in the stream, and each 5 s as repair.

import { Refused, get, token } from "./api.js";
import { asking, otherToken } from "./asking.js";
import { Board } from "./board.js";
import { Control } from "./control.js";
import { h, redraw, say } from "./dom.js";
import { fleet } from "./fleet.js";
import { aloud, changes } from "./recent.js";
import { Status, title, toast } from "./status.js";
import { Stream } from "./stream.js";

const ROUND = 5000;
/** The least time between two looks, however many events there are. */
const APART = 400;
const MOST_EVENTS = 60;

const at = (id) => document.getElementById(id);
const seconds = () => performance.now() / 1000;

let view = null;
let instances = null;
let events = [];
const link = { live: false, heard: false, lostSince: null, retryAt: null };

const control = new Control((text, careful) => toast(at("toasts"), text, careful), () => look());
const board = new Board({ board: at("board"), sums: at("sums"), find: at("find") }, (name) => {
  const circuit = board.circuits.find((one) => one.service === name);
  if (circuit) control.open(circuit, view.data.storage.kind === "memory");
});
const status = new Status(
  { place: at("place"), health: at("health"), banners: at("banners") },
  { retry: () => (stream.hurry(), look()), other: readOnly },
);
const stream = new Stream(heard, (now) => {
  if (now.refused) return refuse(now.refused);
  link.live = Boolean(now.live);
  link.retryAt = now.retryAt ?? null;
  // It may be the stream alone that is away.
  if (!now.live) look();
  draw();
});

function draw() {
  status.update(link, view);
  const title_ = title(view?.data, link.lostSince !== null);
  if (document.title !== title_) document.title = title_;
  if (!view) return;
  const of = view.data;
  const context = {
    now: of.now,
    at: view.at,
    process: of.process,
    since: instances?.instances.find((one) => one.self)?.started_at ?? null,
    sharing: of.storage.kind !== "memory" && of.storage.shared,
    writable: of.writable && link.lostSince === null,
    whyNot: link.lostSince === null ? "This page may look only: see “Read only” above" : "There is no connection",
  };
  board.update(of.circuits, context);
  board.hear(instances);
  control.take(of.circuits.find((one) => one.service === control.name));
  redraw(at("fleet"), [instances, Math.floor(context.now / 30)], () => fleet(instances, context.now));
  redraw(at("recent"), events, () => changes(events));
}

/** Asks one thing at a time, and once more if it was asked for meanwhile. */
function coalesced(work, apart) {
  let running = false;
  let again = false;
  let last = -Infinity;
  return async function run() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    do {
      again = false;
      const early = last + apart - performance.now();
      if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
      last = performance.now();
      await work();
    } while (again);
    running = false;
  };
}

const look = coalesced(async () => {
  const asked = seconds();
  try {
    const data = await get("circuits");
    // It was true at some time between the question and the answer.
    view = { data, at: (asked + seconds()) / 2 };
    const back = link.lostSince !== null;
    Object.assign(link, { heard: true, lostSince: null });
    shown(true);
    if (back) stream.hurry();
  } catch (error) {
    if (error instanceof Refused && [401, 403].includes(error.status)) return refuse(error);
    link.lostSince ??= asked;
  }
  draw();
}, APART);

const ask = coalesced(async () => {
  try {
    instances = await get("instances");
  } catch {
    // What was last heard stays; that there is no connection is said elsewhere.
    return;
  }
  draw();
}, APART);

const recall = coalesced(async () => {
  try {
    const said = await get(`history?limit=${MOST_EVENTS}`);
    // What was heard while this was on its way is newer.
    const known = new Set(said.events.map((one) => one.id));
    const top = said.events[0]?.at ?? 0;
    const newer = events.filter((one) => !known.has(one.id) && one.at >= top);
    events = [...newer, ...said.events].slice(0, MOST_EVENTS);
  } catch {
    return;
  }
  draw();
}, APART);

function heard(kind, event) {
  if (kind === "hello" || kind === "missed") {
    look();
    recall();
    if (!document.hidden) ask();
    return;
  }
  if (!event?.id || events.some((one) => one.id === event.id)) return;
  events = [event, ...events].slice(0, MOST_EVENTS);
  at("heard").append(h("p", {}, aloud(event)));
  while (at("heard").childElementCount > 5) at("heard").firstChild.remove();
  apply(event);
  draw();
  look();
  if (!document.hidden) ask();
}

/** What an event says, before the answer says it all. */
function apply(event) {
  const circuit = view?.data.circuits.find((one) => one.service === event.circuit);
  if (event.kind === "storage" && view) view.data.storage.lost_for = event.to === "lost" ? 0 : null;
  if (!circuit) return;
  if (event.kind === "mode") Object.assign(circuit, { mode: event.to, override: event.override });
  if (event.kind !== "state") return;
  Object.assign(circuit, { state: event.to, retry_after: null, ramp: null, history: [...(circuit.history ?? []), { at: event.at, to: event.to }].slice(-240) });
  if (event.to === "closed") Object.assign(circuit, { tripped: null, by_name: null, opened_at: null });
}

function readOnly() {
  if (token.get()) return otherToken(begin);
  toast(at("toasts"), "Nothing can be changed here until a token is set that allows it: INFUSE_ADMIN_TOKEN.", true);
}

function shown(are) {
  at("shown").hidden = !are;
  at("asking").hidden = are;
}

function refuse(refused) {
  // The stream and the circuits are refused both. What is being typed stays.
  if (!running) return;
  running = false;
  stream.stop();
  clearInterval(round);
  view = null;
  Object.assign(link, { live: false, lostSince: null, heard: true });
  control.close();
  shown(false);
  at("asking").replaceChildren(asking(refused, begin));
  at("asking").querySelector("input")?.focus();
  say(at("place"), "");
  at("health").replaceChildren();
}

let running = false;
let round = 0;

function begin() {
  running = true;
  clearInterval(round);
  round = setInterval(() => {
    look();
    if (!document.hidden) ask();
  }, ROUND);
  link.heard = false;
  stream.start();
  look();
}

setInterval(() => {
  status.tick();
  board.tick();
}, 250);
addEventListener("online", () => stream.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !running) return;
  stream.hurry();
  look();
  ask();
});
begin();

// A link to one circuit, as an alert would have it.
const sought = decodeURIComponent(location.hash.slice(1));
if (sought) {
  const wait = setInterval(() => {
    const card = board.card(sought);
    if (!card) return;
    clearInterval(wait);
    card.expand(true);
    card.node.scrollIntoView({ block: "start" });
  }, 200);
  setTimeout(() => clearInterval(wait), 10_000);
}
