/** A form that asks for a change: sent once at a time; what went wrong is said in it. */

import { Problem, Superseded, Unauthorized, Unreachable } from "./client.js";
import { setText } from "./elements.js";
import { onLanguage, t } from "./language.js";

export class Order {
  #form;
  #error;
  #failure = null;

  /**
   * @param form with a submit button and a `.error`.
   * @param send `(values)`: sends what the fields hold; the form is emptied when it has.
   */
  constructor(form, send) {
    this.#form = form;
    this.#error = form.querySelector(".error");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit(send);
    });
    onLanguage(() => this.#say());
  }

  /** Forget what was typed and what went wrong: it was about something else. */
  clear() {
    this.#form.reset();
    this.#failure = null;
    this.#say();
  }

  async #submit(send) {
    if (this.#form.ariaBusy === "true") {
      return;
    }
    this.#form.ariaBusy = "true";
    this.#failure = null;
    try {
      await send(Object.fromEntries(new FormData(this.#form)));
      this.#form.reset();
    } catch (error) {
      this.#failure = error;
    } finally {
      this.#form.ariaBusy = null;
    }
    this.#say();
  }

  #say() {
    const failure = this.#failure;
    if (failure === null || failure instanceof Superseded) {
      setText(this.#error, "");
    } else if (failure instanceof Unreachable) {
      setText(this.#error, t("order.unreachable"));
    } else if (failure instanceof Unauthorized) {
      setText(this.#error, t("gate.refused"));
    } else {
      setText(this.#error, [failure.message, failure.hint].filter(Boolean).join(" "));
      if (!(failure instanceof Problem)) {
        reportError(failure);
      }
    }
  }
}

/** Fill a select with `{value, text}`, only when they change; what was chosen stays. */
export function options(select, choices) {
  const key = JSON.stringify(choices);
  if (select.dataset.shown !== key) {
    const { value } = select;
    select.dataset.shown = key;
    select.replaceChildren(...choices.map(({ value: code, text }) => new Option(text, code)));
    if (choices.some((choice) => choice.value === value)) {
      select.value = value;
    }
  }
}
