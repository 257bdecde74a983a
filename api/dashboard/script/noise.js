/** How many alarms there are, which few make most of them, and how soon somebody takes them on. */

import { element, Keyed, setAttribute, setText, svg } from "./elements.js";
import { count, t } from "./language.js";
import { numberText, shareText, whole } from "./numbers.js";
import { ruleAddress } from "./place.js";
import { DAY, duration, now } from "./times.js";
import { deviceOf, subjectText } from "./wording.js";

const AGAIN_MS = 30_000;
const MOST_RULES = 15;
const NOTHING = "–";

export class Noise {
  #root;
  #parts;
  #figures;
  #rules;
  #subjects;
  #answer = null;
  #asked = null;

  /**
   * @param root the page, with a section for each part.
   * @param parts `{client, sites, catalogue, names, onChange}`; `onChange` follows another choice
   *     of days.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#figures = new Keyed(root.querySelector("dl"), () => new Figure());
    this.#rules = new Keyed(root.querySelector(".loud-rules tbody"), () => new Row());
    this.#subjects = new Keyed(root.querySelector(".loud-subjects tbody"), () => new Row());
    root.querySelector("#noise-span").addEventListener("change", () => parts.onChange());
  }

  /** Ask, and show; again only after a while: it changes slowly. */
  async refresh() {
    const days = Number(this.#root.querySelector("input:checked").value);
    if (this.#asked?.days === days && performance.now() - this.#asked.at < AGAIN_MS) {
      return;
    }
    const { client, catalogue, names } = this.#parts;
    const from = new Date(now() - days * DAY).toISOString();
    const [answer] = await Promise.all([
      client.get("v1/alerts/statistics", { from }),
      catalogue.load(client),
    ]);
    this.#asked = { days, at: performance.now() };
    await names.ask(answer.noisiest.examples.map(deviceOf));
    this.#answer = answer;
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    const answer = this.#answer;
    if (answer === null) {
      return;
    }
    this.#figures.show(figures(answer), (figure) => figure.code);
    const rules = answer.by_rule.slice(0, MOST_RULES).map((one) => ({ ...one, name: one.rule }));
    this.#showList(".loud-rules", this.#rules, rules, count("rules.count", answer.by_rule.length));
    const { noisiest } = answer;
    const subjects = noisiest.examples.map((one) => ({ ...one, name: subjectText(one, this.#parts) }));
    const share = { share: shareText(noisiest.share ?? 0) };
    const told = noisiest.share === null ? "" : count("noise.tenth", noisiest.subjects, share);
    this.#showList(".loud-subjects", this.#subjects, subjects, told);
  }

  #showList(selector, rows, items, told) {
    const part = this.#root.querySelector(selector);
    setText(part.querySelector(".count"), told);
    part.querySelector(".empty").hidden = items.length > 0;
    part.querySelector("table").hidden = items.length === 0;
    const most = Math.max(0, ...items.map((item) => item.share));
    rows.show(items.map((item) => ({ ...item, most })), (item) => item.name);
  }
}

function figures(answer) {
  const { noisiest, acknowledged } = answer;
  const seconds = (value) => (value === null ? NOTHING : duration(value * 1000));
  const aDay = answer.days ? answer.alarms / answer.days : 0;
  const share = noisiest.share === null ? NOTHING : shareText(noisiest.share);
  const each = answer.alarms_per_subject_day;
  return [
    { code: "alarms", label: t("noise.alarms"), text: whole(answer.alarms) },
    { code: "a_day", label: t("noise.a_day"), text: numberText(aDay, aDay < 10 ? 1 : 0) },
    { code: "each", label: t("noise.each"), text: each === null ? NOTHING : numberText(each, 2) },
    { code: "noisiest", label: t("noise.noisiest_share"), text: share },
    { code: "half", label: t("noise.half"), text: seconds(acknowledged.p50_s) },
    { code: "most", label: t("noise.most"), text: seconds(acknowledged.p90_s) },
    { code: "unattended", label: t("noise.unattended"), text: whole(answer.unattended) },
    { code: "open", label: t("noise.open"), text: whole(answer.open) },
    { code: "withdrawn", label: t("noise.withdrawn"), text: whole(answer.withdrawn) },
    { code: "retroactive", label: t("noise.retroactive"), text: whole(answer.retroactive) },
  ];
}

class Figure {
  #label = element("dt");
  #text = element("dd");

  constructor() {
    this.root = element("div", {}, this.#label, this.#text);
  }

  update({ code, label, text }) {
    setAttribute(this.root, "data-figure", code);
    setText(this.#label, label);
    setText(this.#text, text);
  }
}

class Row {
  #name = element("span");
  #link = element("a");
  #bar = svg("rect", { height: 1 });
  #alarms = element("td", { class: "number" });
  #share = element("td", { class: "number" });

  constructor() {
    const box = { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none" };
    const bar = svg("svg", { ...box, "aria-hidden": "true" }, this.#bar);
    const named = element("span", {}, this.#link, this.#name);
    const head = element("th", { scope: "row" }, element("div", { class: "reason" }, named, bar));
    this.root = element("tr", {}, head, this.#alarms, this.#share);
  }

  update({ rule, name, alarms, share, most }) {
    const linked = rule !== undefined && !rule.startsWith("platform.");
    this.#link.hidden = !linked;
    setAttribute(this.#link, "href", linked ? ruleAddress(rule) : null);
    setText(this.#link, linked ? name : "");
    setText(this.#name, linked ? "" : name);
    setAttribute(this.#bar, "width", most ? (100 * share) / most : 0);
    setText(this.#alarms, whole(alarms));
    setText(this.#share, shareText(share));
  }
}
