/** Questions to the API, and the four ways in which they fail. */

import { isSendable } from "./session.js";

const PATIENCE_MS = 15_000;
const NO_CONTENT = 204;
const UNAUTHORIZED = 401;
const UNAVAILABLE = 503;
const GATEWAY = new Set([502, 504]);

/** Nobody answered, or something on the way did that is not the API. */
export class Unreachable extends Error {}

/** The key is not (or no longer) good. */
export class Unauthorized extends Error {}

/** The question was given up, because another one took its place. */
export class Superseded extends Error {}

/** The API answered with a problem (RFC 9457). */
export class Problem extends Error {
  /** @param problem the body of the answer: `type`, `status`, `detail`, `hint`. */
  constructor(problem) {
    super(problem.detail);
    this.status = problem.status;
    this.code = String(problem.type ?? "").split(":").at(-1);
    this.hint = problem.hint ?? "";
  }
}

export class Client {
  #key;
  #mine = null;
  #unanswered = null;

  /** @param key returns the API key of now, or null. */
  constructor(key) {
    this.#key = key;
  }

  /**
   * Return the answer to GET `path` with `parameters` (empty ones are left out, a list is
   * repeated).
   *
   * @throws Unreachable, Unauthorized, Problem; Superseded when `signal` is aborted.
   */
  async get(path, parameters = {}, { signal } = {}) {
    return checked(await this.#ask(path, { parameters, signal }));
  }

  /** Return every item of a list, page by page; `name` is where a page has them. */
  async all(path, name, parameters = {}) {
    let page = await this.get(path, parameters);
    const found = [...page[name]];
    while (page.next) {
      page = await this.get(page.next.replace(/^\//, ""));
      found.push(...page[name]);
    }
    return found;
  }

  /**
   * Ask for a change: `method` `path` with `content` as JSON; return the answer, null when empty.
   * Asked again because no answer came, it is not done twice.
   *
   * @throws as `get`.
   */
  async send(method, path, content = {}) {
    const text = JSON.stringify([method, path, content]);
    const once = this.#unanswered?.text === text ? this.#unanswered.once : randomKey();
    this.#unanswered = { text, once };
    const answer = await this.#ask(path, { method, content, once });
    this.#unanswered = null;
    return checked(answer);
  }

  /** Return whether the key of now has a permission, at `site` or anywhere; asked once a key. */
  async may(permission, site = "") {
    const key = this.#key();
    if (this.#mine?.key !== key) {
      this.#mine = { key, ...(await this.get("v1/me")) };
    }
    const there = site ? this.#mine.sites.find((one) => one.site === site) : this.#mine;
    return there?.permissions.includes(permission) ?? false;
  }

  /** Return what `/health/ready` says: the same form when everything works (200) and not (503). */
  async health() {
    const { response, body } = await this.#ask("health/ready", {});
    if (response.ok || (response.status === UNAVAILABLE && Array.isArray(body.parts))) {
      return body;
    }
    throw new Problem({ status: response.status, detail: response.statusText, ...body });
  }

  async #ask(path, { parameters = {}, signal, method = "GET", content, once }) {
    const address = new URL(path, document.baseURI);
    address.hash = "";
    for (const [name, values] of Object.entries(parameters)) {
      for (const value of [values].flat()) {
        if (value !== "" && value !== null && value !== undefined) {
          address.searchParams.append(name, value);
        }
      }
    }
    const headers = { Accept: "application/json" };
    const key = this.#key();
    if (key !== null) {
      if (!isSendable(key)) {
        throw new Unauthorized();
      }
      headers["X-API-Key"] = key;
    }
    if (content !== undefined) {
      headers["Content-Type"] = "application/json";
      headers["Idempotency-Key"] = once;
    }
    const patience = AbortSignal.timeout(PATIENCE_MS);
    try {
      const response = await fetch(address, {
        method,
        headers,
        body: content === undefined ? undefined : JSON.stringify(content),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
      });
      if (GATEWAY.has(response.status)) {
        throw new Unreachable(String(response.status));
      }
      const body = response.status === NO_CONTENT ? null : await response.json();
      if (signal?.aborted || key !== this.#key()) {
        throw new Superseded();
      }
      return { response, body };
    } catch (error) {
      if (error instanceof Superseded || signal?.aborted) {
        throw new Superseded();
      }
      throw error instanceof Unreachable ? error : new Unreachable(error.message);
    }
  }
}

function checked({ response, body }) {
  if (!response.ok) {
    throw response.status === UNAUTHORIZED
      ? new Unauthorized(body.detail)
      : new Problem({ status: response.status, detail: response.statusText, ...body });
  }
  return body;
}

/** `crypto.randomUUID` is for secure contexts only, and a park may look on over plain HTTP. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
