// The event stream: server-sent events over `fetch`, which can carry a token where EventSource
// cannot. It takes up where it was after a loss, and tries again later and later, at random.

import { Refused, ask } from "./api.js";

const FIRST = 500;
const LONGEST = 30_000;
/** The server says something every 15 s. */
const SILENCE = 40_000;

/** Takes text as it comes and gives the events that are whole. */
export function parser(give) {
  let rest = "";
  let event = {};
  const line = (text) => {
    if (text === "") {
      if (event.data !== undefined) give({ kind: "message", ...event, data: event.data.slice(0, -1) });
      event = {};
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "data") event.data = `${event.data ?? ""}${value}\n`;
    else if (field === "event") event.kind = value;
    else if (field === "id" && !value.includes("\0")) event.id = value;
  };
  return (text) => {
    rest += text;
    // A CR at the end may be half of a CR LF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    lines.forEach(line);
  };
}

/** How long to wait before the next try: half of it certain, half by chance. */
export function pause(tries, chance = Math.random()) {
  const most = Math.min(LONGEST, FIRST * 2 ** tries);
  return most / 2 + (most / 2) * chance;
}

export class Stream {
  #lastId = null;
  /** The last event that there was when the stream began. */
  #newest = null;
  #tries = 0;
  #timer = 0;
  #run = null;

  /** `heard(kind, data, id)` for each event; `changed({live} | {retryAt} | {refused})`. */
  constructor(heard, changed) {
    this.heard = heard;
    this.changed = changed;
  }

  start() {
    this.stop();
    this.#connect();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#run?.abort();
    this.#run = null;
  }

  /** Tries at once if it is waiting. */
  hurry() {
    if (!this.#timer) return;
    this.#tries = 0;
    this.start();
  }

  async #connect() {
    this.#timer = 0;
    const run = new AbortController();
    this.#run = run;
    let watch = 0;
    const alive = () => {
      clearTimeout(watch);
      watch = setTimeout(() => run.abort(), SILENCE);
    };
    let refused = null;
    try {
      alive();
      const headers = { accept: "text/event-stream", ...(this.#lastId && { "last-event-id": this.#lastId }) };
      const response = await ask("events", { headers, signal: run.signal });
      const take = parser((event) => this.#take(event));
      const texts = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await texts.read();
        if (done || this.#run !== run) break;
        alive();
        take(value);
      }
    } catch (error) {
      if (error instanceof Refused && [401, 403].includes(error.status)) refused = error;
    }
    clearTimeout(watch);
    run.abort();
    // Another has taken its place, or nobody wants one.
    if (this.#run !== run) return;
    if (refused) {
      this.#run = null;
      this.changed({ refused });
      return;
    }
    const wait = pause(this.#tries++);
    this.changed({ retryAt: performance.now() + wait });
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  #take({ kind, data, id }) {
    if (id) this.#lastId = id;
    let said;
    try {
      said = JSON.parse(data);
    } catch {
      return;
    }
    if (kind === "hello") {
      this.#tries = 0;
      this.#newest = said?.last ?? null;
      this.#lastId ??= this.#newest;
      this.changed({ live: true });
    }
    if (kind === "missed") this.#lastId = this.#newest;
    this.heard(kind, said, id);
  }
}
