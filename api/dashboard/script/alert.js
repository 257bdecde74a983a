/** One alert: what it says, about what, since when, how far it is. */

import { arrange, element, setAttribute, setText } from "./elements.js";
import { named, t } from "./language.js";
import { alertAddress, alertPath, ruleAddress } from "./place.js";
import { duration, now, offsetName } from "./times.js";
import { decisiveText, deviceOf, Grade, isOpen, subjectText, timeText, titleOf } from "./wording.js";

export class AlertPage {
  #root;
  #parts;
  #grade = new Grade();
  #lasts = element("dd");
  #alert = null;

  /**
   * @param root its section.
   * @param parts `{client, place, sites, catalogue, names, explained, onAlert}`; `explained()`
   *     returns why it fires, or null; `onAlert(alert)` follows each answer, and a change of what
   *     is looked at (null).
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    root.querySelector(".grade").append(this.#grade.root);
    parts.place.addEventListener("change", () => {
      if (this.#alert && this.#alert.id !== parts.place.name) {
        this.#learn(null);
      }
    });
  }

  /** Ask, and show. */
  async refresh() {
    const { client, place, catalogue, names } = this.#parts;
    const id = place.name;
    const [alert] = await Promise.all([
      client.get(alertPath(id)),
      catalogue.load(client),
    ]);
    await names.ask([deviceOf(alert)]);
    if (place.page === "alert" && id === place.name) {
      this.#learn(alert);
    }
  }

  #learn(alert) {
    this.#alert = alert;
    this.render();
    this.#parts.onAlert(alert);
  }

  /** Show what is known, in the language of now. */
  render() {
    const alert = this.#alert;
    this.#root.querySelector(".chosen").hidden = alert === null;
    if (alert === null) {
      return;
    }
    const { catalogue } = this.#parts;
    setAttribute(this.#root, "data-severity", alert.severity);
    setAttribute(this.#root, "data-state", alert.state);
    this.#grade.update(alert.severity);
    setText(this.#root.querySelector("h2"), titleOf(alert));
    setText(this.#root.querySelector(".place"), subjectText(alert, this.#parts));
    setText(this.#root.querySelector(".decisive"), decisiveText(alert, catalogue));
    arrange(this.#root.querySelector(".remarks"), this.#remarks(alert));
    arrange(this.#root.querySelector("dl"), this.#facts(alert));
    const runbook = this.#root.querySelector(".runbook");
    runbook.hidden = !alert.runbook;
    setText(runbook.querySelector("span"), alert.runbook);
    this.tick();
  }

  /** Let its duration go on. */
  tick() {
    if (this.#alert !== null) {
      const { at, until } = this.#alert;
      const end = until ? Date.parse(until) : now();
      setText(this.#lasts, duration(Math.max(0, end - Date.parse(at))));
    }
  }

  #remarks(alert) {
    const zone = this.#parts.sites.zoneOf(alert.site);
    const line = (key, text, ...more) => element("li", { class: key }, text, ...more);
    const found = [];
    if (alert.acknowledged) {
      const { by, time, note: text } = alert.acknowledged;
      const who = { by, time: timeText(time, zone) };
      const note = text ? [element("q", {}, text)] : [];
      found.push(line("acknowledged", t("remark.acknowledged_by", who), " ", ...note));
    }
    const explained = this.#parts.explained();
    if (alert.cause) {
      const cause = explained?.cause;
      const text = cause ? titleOf(cause) : t("remark.cause");
      const link = element("a", { href: alertAddress(alert.cause) }, text);
      found.push(line("inhibited", t("remark.because"), " ", link));
    }
    if (alert.silence) {
      const mute = explained?.silence;
      const why = mute ? [" ", element("q", {}, mute.reason)] : [];
      const text = mute
        ? t("remark.silenced_by", { by: mute.by, time: timeText(mute.end, zone) })
        : t("remark.silenced_now");
      found.push(line("silenced", text, ...why));
    }
    if (alert.flapping) {
      found.push(line("flapping", t("remark.flapping_now")));
    }
    if (alert.withheld) {
      found.push(line("withheld", t("remark.withheld")));
    }
    if (alert.retroactive) {
      found.push(line("retroactive", t("remark.retroactive_now")));
    }
    return found;
  }

  #facts(alert) {
    const { sites, names } = this.#parts;
    const zone = sites.zoneOf(alert.site);
    const pair = (label, ...shown) =>
      element("div", {}, element("dt", {}, label), element("dd", {}, ...shown));
    const rule = alert.rule.startsWith("platform.")
      ? alert.rule
      : element("a", { href: ruleAddress(alert.rule) }, `${alert.rule} ${alert.version}`);
    return [
      pair(t("alerts.state"), named("state", alert.state)),
      pair(t("alerts.since"), timeText(alert.at, zone)),
      ...(alert.until ? [pair(t("alert.until"), timeText(alert.until, zone))] : []),
      element("div", {}, element("dt", {}, t("alert.lasts")), this.#lasts),
      pair(t("alerts.class"), named("class", alert.class)),
      pair(t("rules.rule"), rule),
      pair(t("alert.times_in"), `${zone} · ${offsetName(Date.parse(alert.at), zone)}`),
      ...(deviceOf(alert) ? [pair(t("devices.device"), deviceLink(alert, names))] : []),
    ];
  }
}

/** Return a link to the board, with the device and the quantity chosen. */
function deviceLink(alert, names) {
  const chosen = { device: alert.device, quantity: alert.quantity || alert.facts.quantity || "" };
  const fragment = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  const range = isOpen(alert) ? {} : { range: "7d" };
  for (const [name, value] of Object.entries(range)) {
    fragment.set(name, value);
  }
  return element("a", { href: `#${fragment}` }, names.of(alert.device));
}
