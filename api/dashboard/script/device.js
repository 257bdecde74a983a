/** One device: its place, the chart of one quantity over a range, and all its latest values. */

import { Chart, describe } from "./chart.js";
import { element, Keyed, setAttribute, setText } from "./elements.js";
import { named, t } from "./language.js";
import { ageOf } from "./latest.js";
import { valueText, whole } from "./numbers.js";
import { keepsFor, loadSeries, statistics } from "./series.js";
import { dateTime, duration, now, offsetName } from "./times.js";
import { isAbout } from "./wording.js";

const MOST_ALERTS = 100;
const FIRED = ["firing", "acknowledged", "resolved"];
const STATISTICS = [
  ["low", "device.low"],
  ["mean", "device.mean"],
  ["high", "device.high"],
  ["count", "device.count"],
];

export class DevicePanel {
  #root;
  #parts;
  #chart;
  #values;
  #device = null;
  #loaded = null;
  #loading = null;

  /**
   * @param root its section.
   * @param parts `{client, view, latest, catalogue, sites, onChange, onLatest}`; `onChange` follows
   *     a choice that needs another question, `onLatest(device)` an answer about latest values.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#chart = new Chart({
      plot: root.querySelector(".plot"),
      scrub: root.querySelector(".scrub"),
      readout: root.querySelector(".reading"),
    });
    this.#values = new Keyed(root.querySelector(".values tbody"), () => new ValueRow());
    this.#listen();
  }

  /** Ask for the device, its latest values and the chosen series, and show them. */
  async refresh() {
    const { client, view, latest, catalogue, onLatest } = this.#parts;
    const id = view.device;
    if (!id) {
      this.#device = null;
      this.render();
      return;
    }
    const [device] = await Promise.all([
      client.get(`v1/devices/${encodeURIComponent(id)}`),
      catalogue.load(client),
      latest.ask([id], onLatest),
    ]);
    if (id !== view.device) {
      return;
    }
    this.#device = device;
    this.render();
    await this.#refreshSeries();
  }

  /** Show what is known, in the language of now. */
  render() {
    const device = this.#device;
    this.#root.querySelector(".chosen").hidden = device === null;
    this.#root.querySelector(":scope > .empty").hidden = device !== null;
    if (device === null) {
      return;
    }
    const { sites, view, latest } = this.#parts;
    setText(this.#root.querySelector("h2"), device.name || device.id);
    const place = [sites.nameOf(device.site), device.building, device.zone, device.id, device.profile];
    setText(this.#root.querySelector(".place"), place.filter(Boolean).join(" · "));
    this.#showQuantities(latest.get(device.id)?.values ?? []);
    for (const input of this.#root.querySelectorAll("[name=range]")) {
      input.checked = input.value === view.range;
    }
    this.tick();
    this.#showSeries();
  }

  /** Let ages go on. */
  tick() {
    const answer = this.#device && this.#parts.latest.get(this.#device.id);
    if (!answer) {
      return;
    }
    const { catalogue } = this.#parts;
    const rows = [...answer.values]
      .sort((a, b) => catalogue.compare(a.quantity, b.quantity))
      .map((value) => ({
        ...value,
        label: catalogue.label(value.quantity),
        text: valueText(value.value, catalogue.get(value.quantity, value.unit)),
        when: dateTime(Date.parse(value.time), answer.zone),
        age: duration(ageOf(value, answer) * 1000),
        chosen: value.quantity === this.#quantity(),
      }));
    this.#values.show(rows, (row) => row.quantity);
  }

  #listen() {
    const { view, onChange } = this.#parts;
    const quantity = this.#root.querySelector("#device-quantity");
    quantity.addEventListener("change", () => view.choose({ quantity: quantity.value }));
    for (const input of this.#root.querySelectorAll("[name=range]")) {
      input.addEventListener("change", () => view.choose({ range: input.value }));
    }
    view.addEventListener("change", () => {
      if (this.#device?.id !== view.device) {
        this.#loading?.abort();
        this.#loaded = null;
      }
      this.render();
      onChange();
    });
  }

  /** Return the quantity to draw: the chosen one when the device has it, else its first. */
  #quantity() {
    const { view, latest, catalogue } = this.#parts;
    const names = (latest.get(this.#device.id)?.values ?? []).map((value) => value.quantity);
    return names.includes(view.quantity)
      ? view.quantity
      : names.sort((a, b) => catalogue.compare(a, b))[0];
  }

  async #refreshSeries() {
    const name = this.#quantity();
    const { client, view, catalogue } = this.#parts;
    const key = JSON.stringify([this.#device.id, name, view.range]);
    const age = this.#loaded?.key === key ? performance.now() - this.#loaded.at : Infinity;
    if (name === undefined || age < keepsFor(view.range)) {
      return;
    }
    this.#loading?.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const quantity = catalogue.get(name);
    this.#root.setAttribute("aria-busy", "true");
    try {
      const wanted = { device: this.#device, quantity, range: view.range };
      const [series, alerts] = await Promise.all([
        loadSeries(client, wanted, { signal }),
        this.#alerts(this.#device.id, signal),
      ]);
      const overlay = { spans: spansOf(alerts, name, series.to), limits: [], decided: [] };
      this.#loaded = { key, series, quantity, overlay, at: performance.now() };
    } finally {
      this.#root.removeAttribute("aria-busy");
    }
    this.#showSeries();
  }

  /** Return the newest alerts about a device; none where the reader may not know of them. */
  async #alerts(device, signal) {
    const { client } = this.#parts;
    if (!(await client.may("read_alerts"))) {
      return [];
    }
    const asked = { device, state: FIRED, limit: MOST_ALERTS };
    return (await client.get("v1/alerts", asked, { signal })).alerts;
  }

  #showSeries() {
    const { latest, sites } = this.#parts;
    const zone = latest.get(this.#device.id)?.zone ?? sites.zoneOf(this.#device.site);
    const loaded = this.#loaded;
    this.#chart.show(loaded && { ...loaded, zone });
    const caption = this.#root.querySelector("figcaption");
    const list = this.#root.querySelector(".statistics");
    if (loaded === null) {
      setText(caption, "");
      list.replaceChildren();
      return;
    }
    const offset = offsetName(now(), zone);
    const fired = loaded.overlay.spans.some(({ from, to }) => to > loaded.series.from && from < to);
    const texts = [t("chart.zone", { zone, offset }), fired && t("chart.alerts")];
    describe(caption, { ...loaded, zoneText: texts.filter(Boolean).join(" · ") });
    const found = statistics(loaded.series.points);
    const shown = STATISTICS.filter(([name]) => found && (meaningful(name, loaded.quantity)));
    list.replaceChildren(
      ...shown.map(([name, label]) => {
        const value = name === "count" ? whole(found.count) : valueText(found[name], loaded.quantity);
        return element("div", {}, element("dt", {}, t(label)), element("dd", {}, value));
      }),
    );
  }

  #showQuantities(values) {
    const select = this.#root.querySelector("#device-quantity");
    const { catalogue } = this.#parts;
    const names = values.map((value) => value.quantity).sort((a, b) => catalogue.compare(a, b));
    const key = JSON.stringify(names.map((name) => [name, catalogue.label(name)]));
    if (select.dataset.shown !== key) {
      select.dataset.shown = key;
      select.replaceChildren(
        ...names.map((name) => element("option", { value: name }, catalogue.label(name))),
      );
    }
    if (document.activeElement !== select) {
      select.value = this.#quantity() ?? "";
    }
    select.hidden = names.length === 0;
  }
}

/** When alerts about a quantity, or about the device as a whole, fired. */
function spansOf(alerts, quantity, now) {
  return alerts
    .filter((alert) => isAbout(alert, quantity))
    .map(({ at, until, severity }) => ({
      from: Date.parse(at),
      to: until ? Date.parse(until) : now,
      severity,
    }));
}

/** A yes or no has no mean worth telling, and neither has a counter that only grows. */
function meaningful(name, quantity) {
  return name === "count" || (quantity.type !== "boolean" && !(name === "mean" && quantity.cumulative));
}

class ValueRow {
  #name = element("th", { scope: "row" });
  #value = element("td", { class: "number value" });
  #when = element("td");
  #age = element("td", { class: "number" });
  #quality = element("td", { class: "quality" });

  constructor() {
    this.root = element("tr", {}, this.#name, this.#value, this.#when, this.#age, this.#quality);
  }

  update({ label, text, when, age, quality, chosen }) {
    setText(this.#name, label);
    setText(this.#value, text);
    setText(this.#when, when);
    setText(this.#age, age);
    setText(this.#quality, quality.map((flag) => named("quality", flag)).join(", "));
    setAttribute(this.root, "class", chosen ? "chosen" : null);
  }
}
