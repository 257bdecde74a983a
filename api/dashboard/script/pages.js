/** Shows the page that is looked at, hides the others, and marks it where one can go. */

import { setAttribute } from "./elements.js";

export class Pages {
  #place;
  #board;
  #alerting;
  #open = false;
  #shown = null;

  /**
   * @param place says which page it is.
   * @param roots `{board, alerting}`: what holds the pages.
   */
  constructor(place, { board, alerting }) {
    this.#place = place;
    this.#board = board;
    this.#alerting = alerting;
    place.addEventListener("change", () => this.#show());
  }

  /** Show pages, or (without a key) none. */
  set open(open) {
    this.#open = open;
    this.#show();
  }

  #show() {
    const { page, name } = this.#place;
    this.#board.hidden = !this.#open || page !== "board";
    this.#alerting.hidden = !this.#open || page === "board";
    for (const part of this.#alerting.querySelectorAll(":scope > [data-page]")) {
      part.hidden = part.dataset.page !== page;
    }
    for (const link of document.querySelectorAll("nav [data-page]")) {
      const here = link.dataset.page === (page === "alert" ? "alerts" : page);
      const above = link.dataset.page === "alerts" && page !== "board";
      const inTabs = link.closest(".tabs") !== null;
      setAttribute(link, "aria-current", here || (above && !inTabs) ? "page" : null);
    }
    const shown = `${page}/${name}`;
    if (this.#shown !== null && this.#shown !== shown && this.#open) {
      this.#arrive(page, name);
    }
    this.#shown = shown;
  }

  /** Who goes to another page begins at its top, also with a screen reader. */
  #arrive(page, name) {
    const place = page === "rules" && name ? "#rule-title" : "h2[tabindex]";
    const root = page === "board" ? this.#board : this.#alerting.querySelector(`[data-page=${page}]`);
    const head = root.querySelector(place) ?? root.querySelector("h2");
    if (!(page === "rules" && name)) {
      scrollTo({ top: 0 });
    }
    head?.focus({ preventScroll: true });
  }
}
