/** The quantities: names in both languages, units, types. Asked for once. */

import { language } from "./language.js";

export class Catalogue {
  #entries = new Map();

  /** Load it when it is not there yet. */
  async load(client) {
    if (this.#entries.size === 0) {
      const { quantities } = await client.get("v1/quantities");
      this.#entries = new Map(quantities.map((entry) => [entry.name, entry]));
    }
  }

  /** Return the entry called `name`; one that only knows its unit when the catalogue lacks it. */
  get(name, unit = "1") {
    const unknown = { name, unit, type: "float", category: "", cumulative: false };
    return this.#entries.get(name) ?? { ...unknown, description: {} };
  }

  /** Return the name of a quantity for people. */
  label(name) {
    return this.get(name).description[language()] ?? name;
  }

  /** Compare two names: what a person came for before the health of the device itself. */
  compare(a, b) {
    const rank = (name) => (this.get(name).category === "device_health" ? 1 : 0);
    const order = [...this.#entries.keys()];
    return rank(a) - rank(b) || order.indexOf(a) - order.indexOf(b);
  }
}
