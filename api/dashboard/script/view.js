/**
 * What the reader has chosen on the board: site, search, device, quantity, range. It stands in the
 * address's fragment, so that a reload keeps it and an address can be handed on (it never holds the
 * key). Fragments with a path are those of other pages (`place.js`), and left alone.
 */

import { addressed } from "./session.js";

const NAMES = ["site", "search", "device", "quantity", "range"];
export const RANGES = ["1h", "24h", "7d"];

export class View extends EventTarget {
  site = "";
  search = "";
  device = "";
  quantity = "";
  range = "24h";

  constructor() {
    super();
    this.#read();
    addEventListener("hashchange", () => {
      if (this.#read()) {
        this.#announce();
      }
      this.#write();
    });
  }

  /** Change some choices, and tell whoever listens to `change`. */
  choose(changes) {
    Object.assign(this, changes);
    this.#write();
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new Event("change"));
  }

  #read() {
    const { path, fragment } = addressed();
    let changed = false;
    if (path) {
      return changed;
    }
    for (const name of NAMES) {
      const value = fragment.get(name);
      if (value !== null && value !== this[name] && (name !== "range" || RANGES.includes(value))) {
        this[name] = value;
        changed = true;
      }
    }
    return changed;
  }

  #write() {
    if (addressed().path) {
      return;
    }
    const fragment = new URLSearchParams(
      NAMES.filter((name) => this[name]).map((name) => [name, this[name]]),
    );
    history.replaceState(null, "", `#${fragment}`);
  }
}
