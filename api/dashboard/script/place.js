/**
 * Which page is shown: the board, or one of those about alerts, and by what their list is filtered.
 * It stands in the address's fragment as a path: `#/alerts?severity=critical`, `#/alerts/ID`,
 * `#/alerts/rules/NAME`. A fragment without a path is the board's (`view.js`).
 */

import { addressed } from "./session.js";

export const FILTERS = ["site", "severity", "class", "state"];
const BOARD = "board";
const LISTS = ["rules", "silences", "statistics"];

export class Place extends EventTarget {
  /** `board`, `alerts`, `alert`, `rules`, `silences` or `statistics`. */
  page = BOARD;
  /** The alert's identifier, or the rule's name; "" for none. */
  name = "";
  filters = Object.fromEntries(FILTERS.map((filter) => [filter, ""]));

  constructor() {
    super();
    this.#read();
    addEventListener("hashchange", () => {
      this.#read();
      this.dispatchEvent(new Event("change"));
    });
  }

  /** Filter the list of alerts otherwise, and tell whoever listens to `change`. */
  filter(changes) {
    Object.assign(this.filters, changes);
    history.replaceState(null, "", this.listAddress);
    this.dispatchEvent(new Event("change"));
  }

  /** Return the address of the list of alerts, filtered as it was last. */
  get listAddress() {
    const chosen = FILTERS.filter((name) => this.filters[name]);
    const filters = new URLSearchParams(chosen.map((name) => [name, this.filters[name]]));
    return chosen.length ? `#/alerts?${filters}` : "#/alerts";
  }

  #read() {
    const { path, fragment } = addressed();
    const [, root, ...rest] = path.split("/").map(decoded);
    const [first = "", second = ""] = rest;
    if (root !== "alerts") {
      this.page = BOARD;
      this.name = "";
    } else if (LISTS.includes(first)) {
      this.page = first;
      this.name = second;
    } else {
      this.page = first ? "alert" : "alerts";
      this.name = first;
    }
    if (this.page === "alerts") {
      for (const name of FILTERS) {
        this.filters[name] = fragment.get(name) ?? "";
      }
    }
  }
}

/** Return the address of an alert's page. */
export function alertAddress(id) {
  return `#/alerts/${encodeURIComponent(id)}`;
}

/** Return where the API has an alert. */
export function alertPath(id) {
  return `v1/alerts/${encodeURIComponent(id)}`;
}

/** Return where the API has a rule. */
export function rulePath(name) {
  return `v1/alert-rules/${encodeURIComponent(name)}`;
}

/** Return where the API ends a silence. */
export function silencePath(id) {
  return `v1/silences/${encodeURIComponent(id)}/end`;
}

/** Return the address of a rule's page. */
export function ruleAddress(name) {
  return `#/alerts/rules/${encodeURIComponent(name)}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
