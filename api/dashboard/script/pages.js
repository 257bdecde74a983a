/** Shows the page that is looked at, hides the others, and marks it where one can go. */

import { setAttribute } from "./elements.js";

export class Pages {
  #place;
  #board;
  #alerting;
  #open = false;
  #shown = null;
  #head = null;

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
    const inside = page === "rules" && name !== "";
    const root =
      page === "board" ? this.#board : this.#alerting.querySelector(`:scope > [data-page=${page}]`);
    this.#head = root.querySelector(inside ? "#rule-title" : "h2[tabindex]");
    if (!inside) {
      scrollTo({ top: 0 });
    }
    document.activeElement.blur();
    this.settle();
  }

  /** Go to the head of the page once it is there: what it says may have to be asked for first. */
  settle() {
    if (this.#head?.checkVisibility() && document.activeElement === document.body) {
      this.#head.focus({ preventScroll: true });
      this.#head = null;
    }
  }
}
