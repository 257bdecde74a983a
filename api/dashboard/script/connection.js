/** Says once, clearly, that the API is out of reach, and once that it is back. */

import { setText } from "./elements.js";
import { onLanguage, t } from "./language.js";
import { duration } from "./times.js";

const BACK_FOR_MS = 8000;

export class Connection {
  #notice;
  #state = "unknown";
  #lastReached = null;
  #downFor = 0;
  #timer = null;

  /** @param notice where it is said. */
  constructor(notice) {
    this.#notice = notice;
    onLanguage(() => this.#say());
  }

  /** Tell whether the last round reached the API. */
  get isDown() {
    return this.#state === "down";
  }

  /** Take note of a round. */
  note(reached) {
    if (!reached) {
      this.#enter("down");
      return;
    }
    if (this.#state === "down") {
      this.#downFor = this.#lastReached === null ? 0 : performance.now() - this.#lastReached;
      this.#enter("back");
      this.#timer = setTimeout(() => this.#enter("up"), BACK_FOR_MS);
    } else if (this.#state === "unknown") {
      this.#enter("up");
    }
    this.#lastReached = performance.now();
  }

  #enter(state) {
    clearTimeout(this.#timer);
    this.#state = state;
    document.body.classList.toggle("unreachable", state === "down");
    this.#say();
  }

  #say() {
    this.#notice.hidden = this.#state !== "down" && this.#state !== "back";
    this.#notice.className = `notice ${this.#state}`;
    const text =
      this.#state === "down"
        ? t(this.#lastReached === null ? "connection.never" : "connection.down")
        : this.#state === "back"
          ? t("connection.back", { duration: duration(this.#downFor) })
          : "";
    setText(this.#notice, text);
  }
}
