/** Why an alert fires: the values that decided, on the curves they stand on, with the limits. */

import { Chart } from "./chart.js";
import { element, Keyed, setAttribute, setText } from "./elements.js";
import { language, t } from "./language.js";
import { valueText } from "./numbers.js";
import { alertPath } from "./place.js";
import { seriesOf } from "./series.js";
import { offsetName } from "./times.js";
import { factRows, isOpen, timeText } from "./wording.js";

const AGAIN_MS = 20_000;

export class Why {
  #root;
  #parts;
  #facts;
  #figures;
  #rows;
  #answer = null;
  #asked = null;

  /**
   * @param parts `{client, place, catalogue, names, alert, onExplained}`; `alert()` returns the one
   *     looked at, or null; `onExplained(answer)` follows each answer, null when it is forgotten.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#facts = new Keyed(root.querySelector("dl"), () => new Fact());
    this.#figures = new Keyed(root.querySelector(".figures"), () => new Figure());
    this.#rows = new Keyed(root.querySelector("tbody"), () => new DecidingRow());
    parts.place.addEventListener("change", () => {
      if (this.#answer && parts.place.name !== this.#answer.alert.id) {
        this.#asked = null;
        this.#learn(null);
      }
    });
  }

  /** Ask why: again when the alert changed, and now and then while it goes on. */
  async refresh() {
    const { client, place, catalogue, names, alert } = this.#parts;
    const id = place.name;
    const now = alert();
    const key = JSON.stringify([id, language(), now?.state, now?.until, now?.cause, now?.silence]);
    const age = this.#asked?.key === key ? performance.now() - this.#asked.at : Infinity;
    if (age < (now && !isOpen(now) ? Infinity : AGAIN_MS)) {
      return;
    }
    const [answer] = await Promise.all([
      client.get(`${alertPath(id)}/explain`, { language: language() }),
      catalogue.load(client),
    ]);
    await names.ask([...answer.evidence, ...answer.series].map((one) => one.device));
    if (place.page === "alert" && id === place.name) {
      this.#asked = { key, at: performance.now() };
      this.#learn(answer);
    }
  }

  #learn(answer) {
    this.#answer = answer;
    this.render();
    this.#parts.onExplained(answer);
  }

  /** Show what is known, in the language of now. */
  render() {
    const answer = this.#answer;
    const { catalogue, names } = this.#parts;
    setText(this.#root.querySelector(".reasoning"), answer ? reasoning(answer) : "");
    this.#facts.show(answer ? factRows(answer.alert, catalogue) : [], (fact) => fact.code);
    this.#figures.show(
      (answer?.series ?? []).map((series) => ({ series, answer, catalogue, names })),
      ({ series }) => `${series.device}/${series.quantity}`,
    );
    const points = answer?.evidence ?? [];
    this.#root.querySelector("table").hidden = points.length === 0;
    const shared = { zone: answer?.zone, catalogue, names };
    const rows = points.map((point, index) => ({ ...point, index, ...shared }));
    this.#rows.show(rows.reverse(), (row) => row.index);
  }
}

/** The rule in words; of an alarm of the platform itself there is none. */
function reasoning({ rule }) {
  if (rule === null) {
    return "";
  }
  return rule.for === "0 s" ? rule.condition : t("why.rule", { condition: rule.condition, for: rule.for });
}

/** A curve with its limits, the values that decided, and when it fired. */
class Figure {
  #plot = element("div", { class: "plot" });
  #scrub = element("input", { class: "spoken scrub", type: "range", min: 0, max: 0, value: 0 });
  #readout = element("div", { class: "reading", hidden: true });
  #title = element("h3");
  #caption = element("figcaption");
  #chart;

  constructor() {
    this.#chart = new Chart({ plot: this.#plot, scrub: this.#scrub, readout: this.#readout });
    const parts = [this.#plot, this.#scrub, this.#readout, this.#caption];
    this.root = element("div", {}, this.#title, element("figure", { class: "figure" }, ...parts));
  }

  update({ series, answer, catalogue, names }) {
    const { alert, zone } = answer;
    const quantity = catalogue.get(series.quantity, series.unit);
    setText(this.#title, `${catalogue.label(series.quantity)} · ${names.of(series.device)}`);
    setAttribute(this.#scrub, "aria-label", t("chart.scrub"));
    const span = { from: Date.parse(answer.start), to: Date.parse(answer.end) };
    const shown = seriesOf(series.points, span, { interval_s: names.intervalOf(series.device) });
    const until = alert.until ? Date.parse(alert.until) : span.to;
    const overlay = {
      spans: [{ from: Date.parse(alert.at), to: until, severity: alert.severity }],
      limits: limitsOn(answer.limits, series, quantity),
      decided: answer.evidence
        .filter((point) => point.device === series.device && point.quantity === series.quantity)
        .map((point) => ({ ms: Date.parse(point.time), value: point.value })),
    };
    this.#chart.show({ series: shown, quantity, zone, overlay });
    const legend = [
      t("why.shaded"),
      overlay.limits.length && t("why.dashed"),
      overlay.limits.some((limit) => limit.back) && t("why.dotted"),
      overlay.decided.length && t("why.ringed"),
      t("chart.zone", { zone, offset: offsetName(span.to, zone) }),
    ];
    setText(this.#caption, legend.filter(Boolean).join(" · "));
  }
}

function limitsOn(limits, series, quantity) {
  return limits
    .filter((limit) => limit.quantity === series.quantity)
    .filter((limit) => !limit.device || limit.device === series.device)
    .map(({ value, kind }) => ({
      value,
      text: valueText(value, quantity),
      back: kind.startsWith("clear_"),
    }));
}

class Fact {
  #name = element("dt");
  #text = element("dd");

  constructor() {
    this.root = element("div", {}, this.#name, this.#text);
  }

  update({ label, text }) {
    setText(this.#name, label);
    setText(this.#text, text);
  }
}

class DecidingRow {
  #time = element("td");
  #device = element("td");
  #quantity = element("td");
  #value = element("td", { class: "number value" });

  constructor() {
    this.root = element("tr", {}, this.#time, this.#device, this.#quantity, this.#value);
  }

  update({ time, device, quantity, unit, value, zone, catalogue, names }) {
    setText(this.#time, timeText(time, zone));
    setText(this.#device, names.of(device));
    setText(this.#quantity, catalogue.label(quantity));
    setText(this.#value, valueText(value, catalogue.get(quantity, unit)));
  }
}
