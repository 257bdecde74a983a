/** Questions to the API, and the four ways in which they fail. */

import { isSendable } from "./session.js";

const PATIENCE_MS = 15_000;
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

  /** @param key returns the API key of now, or null. */
  constructor(key) {
    this.#key = key;
  }

  /**
   * Return the answer to GET `path` with `parameters` (empty ones are left out).
   *
   * @throws Unreachable, Unauthorized, Problem; Superseded when `signal` is aborted.
   */
  async get(path, parameters = {}, { signal } = {}) {
    const { response, body } = await this.#ask(path, parameters, signal);
    if (!response.ok) {
      throw response.status === UNAUTHORIZED
        ? new Unauthorized(body.detail)
        : new Problem({ status: response.status, detail: response.statusText, ...body });
    }
    return body;
  }

  /** Return whether the key of now has a permission anywhere; asked once for each key. */
  async may(permission) {
    const key = this.#key();
    if (this.#mine?.key !== key) {
      this.#mine = { key, permissions: (await this.get("v1/me")).permissions };
    }
    return this.#mine.permissions.includes(permission);
  }

  /** Return what `/health/ready` says: the same form when everything works (200) and not (503). */
  async health() {
    const { response, body } = await this.#ask("health/ready", {}, undefined);
    if (response.ok || (response.status === UNAVAILABLE && Array.isArray(body.parts))) {
      return body;
    }
    throw new Problem({ status: response.status, detail: response.statusText, ...body });
  }

  async #ask(path, parameters, signal) {
    const address = new URL(path, document.baseURI);
    address.hash = "";
    for (const [name, value] of Object.entries(parameters)) {
      if (value !== "" && value !== null && value !== undefined) {
        address.searchParams.set(name, value);
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
    const patience = AbortSignal.timeout(PATIENCE_MS);
    try {
      const response = await fetch(address, {
        headers,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
      });
      if (GATEWAY.has(response.status)) {
        throw new Unreachable(String(response.status));
      }
      const body = await response.json();
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
