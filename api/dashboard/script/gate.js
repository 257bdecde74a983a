/** Asks for the API key, and says why it asks again. */

import { setText } from "./elements.js";
import { onLanguage, t } from "./language.js";
import { isSendable } from "./session.js";

export class Gate {
  #root;
  #input;
  #error;
  #reason = null;

  /**
   * @param root its section.
   * @param onKey called with a key that may be tried.
   */
  constructor(root, onKey) {
    this.#root = root;
    this.#input = root.querySelector("#gate-key");
    this.#error = root.querySelector("#gate-error");
    root.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const key = this.#input.value.trim();
      if (key === "" || !isSendable(key)) {
        this.#explain(key === "" ? "gate.missing" : "gate.refused");
        this.#input.focus();
        return;
      }
      this.#input.value = "";
      onKey(key);
    });
    onLanguage(() => this.#explain(this.#reason));
  }

  /** Ask; `refused`: the key that was tried is not good. */
  open({ refused = false } = {}) {
    this.#explain(refused ? "gate.refused" : null);
    this.#root.hidden = false;
    this.#input.focus();
  }

  /** Be gone. */
  close() {
    this.#explain(null);
    this.#root.hidden = true;
  }

  #explain(reason) {
    this.#reason = reason;
    const text = reason === "gate.refused" ? t("gate.refused") : reason ? t("gate.missing") : "";
    setText(this.#error, text);
    this.#input.setAttribute("aria-invalid", String(reason !== null));
  }
}
