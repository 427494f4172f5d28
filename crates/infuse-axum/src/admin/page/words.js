// What things are called, and how times and shares are written.

const SHARE = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const NUMBER = new Intl.NumberFormat("en");
const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat("en", { dateStyle: "medium" });

export const share = (of) => SHARE.format(of);
export const number = (n) => NUMBER.format(n);
export const count = (n, one, more = `${one}s`) => `${number(n)} ${n === 1 ? one : more}`;

/** A time of day, with the day unless it is today. From Unix seconds. */
export function clock(at) {
  const when = new Date(at * 1000);
  const time = CLOCK.format(when);
  return when.toDateString() === new Date().toDateString() ? time : `${DAY.format(when)}, ${time}`;
}

const two = (n) => String(n).padStart(2, "0");

/** What is left, to the second: `12 s`, `4:05`, `1:00:00`. Rounded up, so that it is not 0 before it is. */
export function left(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** A length of time, in the largest unit that fits: `12 s`, `4 min`, `3 h`, `2 days`. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  if (whole < 90 * 60) return `${Math.round(whole / 60)} min`;
  if (whole < 36 * 3600) return `${Math.round(whole / 3600)} h`;
  return count(Math.round(whole / 86400), "day");
}

/** A time that was set, as short as it can be exactly: `1.5 s`, `250 ms`, `15 min`. */
export function setting(seconds) {
  if (seconds === null || seconds === undefined) return "none";
  if (seconds < 1) return `${number(Math.round(seconds * 1000))} ms`;
  if (seconds >= 3600 && seconds % 3600 === 0) return `${number(seconds / 3600)} h`;
  if (seconds >= 60 && seconds % 60 === 0) return `${number(seconds / 60)} min`;
  return `${number(seconds)} s`;
}

const STATES = { closed: "Closed", open: "Open", "half-open": "Half-open" };
const MODES = { enabled: "Enabled", observe: "Observe", disabled: "Disabled", isolated: "Isolated" };
export const state = (name) => STATES[name] ?? String(name);
export const mode = (name) => MODES[name] ?? String(name);

const CAUSES = {
  failures: "failures, one after another",
  "failure-rate": "too large a share of failures",
  "slow-call-rate": "too large a share of slow calls",
  rule: "a rule of the application",
  "trial-started": "the open time was over",
  "trial-failed": "a trial call failed",
  "trial-succeeded": "trial calls succeeded",
  manual: "by hand",
  seed: "the application started",
  fallback: "the storage was lost",
  adopted: "taken over from the shared state",
};
export const cause = (name) => CAUSES[name] ?? String(name ?? "");

const FAULTS = {
  status: "an error status",
  timeout: "no answer in time",
  connect: "no connection",
  disconnect: "connection lost before an answer",
  body: "the answer broke off",
  error: "an error",
  panic: "a panic in the call",
  abandoned: "no end of the call",
  slow: "too slow an answer",
};
/** What went wrong with a call; null if nothing is known. */
export function fault(of) {
  if (!of) return null;
  return of.status ? `status ${of.status}` : (FAULTS[of.kind] ?? String(of.kind));
}

/** A process by its name, or by the beginning of its id. */
export const process = (id, name) => name || (id ? `process ${String(id).slice(0, 8)}` : null);

/** Who says so and why, as far as anybody said. */
export function note({ by, reason } = {}) {
  if (by && reason) return `${by}: “${reason}”`;
  if (reason) return `“${reason}”`;
  return by ? String(by) : null;
}
