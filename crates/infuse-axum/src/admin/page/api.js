// The admin API, which stands beside this file whatever path the application gave it.

const BASE = new URL(".", import.meta.url);
const KEY = `infuse-token ${BASE.pathname}`;
const PATIENCE = 8000;

/** An answer that says no. */
export class Refused extends Error {
  constructor(status, title, detail) {
    super(detail || title || `status ${status}`);
    Object.assign(this, { status, title, detail });
  }
  /** Whether another token may help. */
  get wantsToken() {
    return this.status === 401;
  }
}

/** The token, kept in this tab and no longer than it. */
export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

async function refusal(response) {
  let said = {};
  try {
    said = await response.json();
  } catch {
    // Not an answer of Infuse, but of something in between.
  }
  return new Refused(response.status, said?.title, said?.detail);
}

/** Asks for a path below the router's. Throws `Refused`, or what `fetch` throws. */
export async function ask(path, { method = "GET", headers = {}, body, signal } = {}) {
  const held = token.get();
  const response = await fetch(new URL(path, BASE), {
    method,
    headers: { ...headers, ...(held && { authorization: `Bearer ${held}` }) },
    body,
    signal,
    cache: "no-store",
    redirect: "error",
    referrerPolicy: "no-referrer",
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

export const get = async (path) => (await ask(path, { signal: AbortSignal.timeout(PATIENCE) })).json();

/** The path of a circuit, which may have a `/` in its name. */
export const circuitPath = (name) => `circuits/${name.split("/").map(encodeURIComponent).join("/")}`;

export async function command(name, action, { reason, by, lasting }) {
  const body = { reason, ...(by && { by }), ...(lasting && { for: lasting }) };
  const response = await ask(`${circuitPath(name)}/${action}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  return response.json();
}
