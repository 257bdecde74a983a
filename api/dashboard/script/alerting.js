/** The pages about alerts, put together. */

import { Acts } from "./acts.js";
import { AlertPage } from "./alert.js";
import { Alerts } from "./alerts.js";
import { DeviceNames } from "./names.js";
import { Noise } from "./noise.js";
import { RulePage, Rules } from "./rules.js";
import { Planning, Silences } from "./silences.js";
import { Events, Told } from "./told.js";
import { Why } from "./why.js";

export class Alerting {
  /** `[section, panel, pages on which it is asked]`; no pages: on all of them. */
  panels;
  #acts;
  #ticking;

  /**
   * @param root what holds the pages.
   * @param nav where one goes to them; hidden from who may not.
   * @param parts `{client, place, sites, catalogue, onChange}`; `onChange` follows a choice or a
   *     change that needs another question.
   */
  constructor(root, nav, parts) {
    const find = (selector) => root.querySelector(selector);
    let looked = null;
    let explained = null;
    const acts = new Acts(find(".acts"), parts);
    const further = {
      ...parts,
      names: new DeviceNames(parts.client),
      nav,
      alert: () => looked,
      explained: () => explained,
      onExplained(answer) {
        explained = answer;
        alert.render();
      },
      onAlert(alert) {
        looked = alert;
        void acts.about(alert);
      },
    };
    const alerts = new Alerts(find(".alerts"), further);
    const alert = new AlertPage(find(".alert"), further);
    const silences = new Silences(find(".silences"), parts);
    this.panels = [
      [find(".alerts"), alerts, null],
      [find(".alert"), alert, "alert"],
      [find(".why"), new Why(find(".why"), further), "alert"],
      [find(".told"), new Told(find(".told"), further), "alert"],
      [find(".events"), new Events(find(".events"), further), "alert"],
      [find(".rules"), new Rules(find(".rules"), parts), "rules"],
      [find(".rule"), new RulePage(find(".rule"), parts), "rules"],
      [find(".silences"), silences, "silences"],
      [find(".planning"), new Planning(find(".planning"), parts), "silences"],
      [find(".noise"), new Noise(find(".noise-page"), further), "statistics"],
    ];
    this.#ticking = [alerts, alert, silences];
    this.#acts = acts;
    parts.place.addEventListener("change", () => parts.onChange());
  }

  /** Show what is known, in the language of now. */
  render() {
    for (const [, panel] of this.panels) {
      panel.render();
    }
    this.#acts.render();
  }

  /** Let durations go on. */
  tick() {
    for (const panel of this.#ticking) {
      panel.tick();
    }
  }
}
