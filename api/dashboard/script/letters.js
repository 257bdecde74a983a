/** Dead letters by reason: how many wait, how many were replayed or discarded. */

import { element, Keyed, setAttribute, setText, svg } from "./elements.js";
import { count, named } from "./language.js";
import { whole } from "./numbers.js";

export class Letters {
  #root;
  #client;
  #count;
  #empty;
  #table;
  #rows;
  #answer = null;

  /**
   * @param root its section.
   * @param client asks the API.
   */
  constructor(root, client) {
    this.#root = root;
    this.#client = client;
    this.#count = root.querySelector(".count");
    this.#empty = root.querySelector(".empty");
    this.#table = root.querySelector("table");
    this.#rows = new Keyed(root.querySelector("tbody"), () => new Row());
  }

  /** Ask, and show; who may not read them does not see the section. */
  async refresh() {
    this.#root.hidden = !(await this.#client.may("read_dead_letters"));
    if (this.#root.hidden) {
      return;
    }
    this.#answer = await this.#client.get("v1/dead-letters/summary");
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    if (this.#answer === null) {
      return;
    }
    const { open, reasons } = this.#answer;
    setText(this.#count, count("letters.waiting", open));
    this.#empty.hidden = reasons.length > 0;
    this.#table.hidden = reasons.length === 0;
    const most = Math.max(1, ...reasons.map((reason) => reason.open));
    this.#rows.show(reasons.map((reason) => ({ ...reason, most })), (reason) => reason.reason);
  }
}

class Row {
  #name = element("span", { class: "name" });
  #code = element("code");
  #share = svg("rect", { height: 1 });
  #numbers = ["open", "replayed", "discarded"].map((state) => ({
    state,
    cell: element("td", { class: `number ${state}` }),
  }));

  constructor() {
    const box = { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none" };
    const bar = svg("svg", { ...box, "aria-hidden": "true" }, this.#share);
    const label = element("span", {}, this.#name, " ", this.#code);
    const head = element("th", { scope: "row" }, element("div", { class: "reason" }, label, bar));
    this.root = element("tr", {}, head, ...this.#numbers.map(({ cell }) => cell));
  }

  update(reason) {
    setText(this.#name, named("reason", reason.reason));
    setText(this.#code, reason.reason);
    setAttribute(this.#share, "width", (100 * reason.open) / reason.most);
    for (const { state, cell } of this.#numbers) {
      setText(cell, whole(reason[state]));
      setAttribute(cell, "data-zero", reason[state] === 0);
    }
  }
}
