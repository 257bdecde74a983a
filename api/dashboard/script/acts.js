/** What somebody can do about an alert: take it on, silence it; only what they may. */

import { setText } from "./elements.js";
import { t } from "./language.js";
import { options, Order } from "./order.js";
import { alertPath, silencePath } from "./place.js";
import { DAY, HOUR, MINUTE } from "./times.js";
import { isOpen } from "./wording.js";

/** For how long something is silenced, as the API takes it. */
export const LENGTHS = ["30m", "1h", "2h", "4h", "8h", "24h", "3d", "7d"];

export class Acts {
  #root;
  #parts;
  #orders = [];
  #alert = null;
  #may = {};

  /**
   * @param root its section.
   * @param parts `{client, sites, onChange}`; `onChange` follows a change.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    const send = async (path, content) => {
      await parts.client.send("POST", path, content);
      parts.onChange();
    };
    const act = (name, content) =>
      this.#order(name, (values) => send(`${alertPath(this.#alert.id)}/${name}`, content(values)));
    act("acknowledge", ({ note }) => ({ note }));
    act("unacknowledge", () => ({}));
    act("silence", (values) => ({ for: values.for, reason: values.reason }));
    this.#order("unsilence", () => send(silencePath(this.#alert.silence), {}));
  }

  /** Take note of the alert that is looked at; null: of none. */
  async about(alert) {
    if (alert?.id !== this.#alert?.id) {
      this.#orders.forEach((order) => order.clear());
    }
    this.#alert = alert;
    if (alert !== null) {
      const may = (permission) => this.#parts.client.may(permission, alert.site);
      this.#may = { acknowledge: await may("acknowledge"), silence: await may("silence") };
    }
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    const alert = this.#alert;
    this.#root.hidden = alert === null || !isOpen(alert) || !Object.values(this.#may).some(Boolean);
    if (this.#root.hidden) {
      return;
    }
    options(
      this.#root.querySelector("select"),
      LENGTHS.map((value) => ({ value, text: lengthText(value) })),
    );
    const shown = {
      acknowledge: this.#may.acknowledge && alert.state === "firing",
      unacknowledge: this.#may.acknowledge && alert.state === "acknowledged",
      silence: this.#may.silence && !alert.silence,
      unsilence: this.#may.silence && Boolean(alert.silence),
    };
    for (const [name, visible] of Object.entries(shown)) {
      this.#root.querySelector(`.${name}`).hidden = !visible;
    }
  }

  #order(name, send) {
    this.#orders.push(new Order(this.#root.querySelector(`.${name}`), send));
  }
}

/** Return `30m` in milliseconds. */
export function lengthMs(length) {
  const [, n, unit] = /^(\d+)(\w)$/.exec(length);
  return n * { m: MINUTE, h: HOUR, d: DAY }[unit];
}

/** Return `30m` as people write it. */
export function lengthText(length) {
  const [, n, unit] = /^(\d+)(\w)$/.exec(length);
  return t({ m: "duration.min", h: "duration.h", d: "duration.d" }[unit], { n });
}
