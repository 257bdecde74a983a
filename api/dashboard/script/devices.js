/**
 * The list of devices: filtered by the API, with the latest values of those that can be seen. Rows
 * out of sight are not asked about, so a list of thousands costs no more than a screenful.
 */

import { element, Keyed, setAttribute, setText } from "./elements.js";
import { count, onLanguage, t } from "./language.js";
import { ageOf, isLate, newestAge } from "./latest.js";
import { valueText } from "./numbers.js";
import { duration } from "./times.js";

const PAGE = 30;
const TYPING_MS = 250;
const SHOWN_VALUES = 3;

export class Devices {
  #parts;
  #root;
  #rows;
  #limit = PAGE;
  #devices = [];
  #more = false;
  #known = false;
  #visible = new Set();
  #observer;

  /**
   * @param root its section.
   * @param parts `{client, view, latest, catalogue, sites, onChange}`; `onChange` follows a choice
   *     that needs another question.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#rows = new Keyed(root.querySelector("tbody"), (device) => this.#newRow(device));
    this.#observer = new IntersectionObserver((entries) => this.#seen(entries));
    this.#listen();
    onLanguage(() => this.#showSites());
  }

  /** Return the first device of the list, or undefined. */
  get first() {
    return this.#devices[0];
  }

  /** Ask for the list, then for the latest values of what can be seen. */
  async refresh() {
    const { client, view, latest, catalogue } = this.#parts;
    const { site, search } = view;
    const [answer] = await Promise.all([
      client.get("v1/devices", { site, search, limit: this.#limit }),
      catalogue.load(client),
    ]);
    if (site !== view.site || search !== view.search) {
      return;
    }
    this.#devices = answer.devices;
    this.#more = answer.next !== null;
    this.#known = true;
    this.render();
    const seen = this.#devices.filter((device) => this.#visible.has(device.id));
    await latest.ask(seen.map((device) => device.id), (device) => this.showLatest(device));
  }

  /** Show what is known, in the language of now. */
  render() {
    if (!this.#known) {
      return;
    }
    this.#showSites();
    this.#rows.show(this.#devices, (device) => device.id);
    const shown = count(this.#more ? "devices.first" : "devices.count", this.#devices.length);
    setText(this.#root.querySelector(".count"), shown);
    const empty = this.#root.querySelector(".empty");
    empty.hidden = this.#devices.length > 0;
    const { site, search } = this.#parts.view;
    setText(empty, t(site || search ? "devices.no_match" : "devices.none"));
    this.#root.querySelector(".more").hidden = !this.#more;
  }

  /** Show again what is known of one device. */
  showLatest(device) {
    this.#rows.get(device)?.showLatest();
  }

  /** Let ages go on. */
  tick() {
    for (const row of this.#rows.entries()) {
      row.tick();
    }
  }

  #listen() {
    const { view, onChange } = this.#parts;
    const search = this.#root.querySelector("#devices-search");
    const site = this.#root.querySelector("#devices-site");
    let typing = null;
    const change = (changes) => {
      this.#limit = PAGE;
      view.choose(changes);
      onChange();
    };
    search.value = view.search;
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => change({ search: search.value.trim() }), TYPING_MS);
    });
    site.addEventListener("change", () => change({ site: site.value }));
    view.addEventListener("change", () => {
      if (document.activeElement !== search && search.value.trim() !== view.search) {
        search.value = view.search;
      }
      this.render();
    });
    this.#root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    this.#root.querySelector(".more").addEventListener("click", () => {
      this.#limit += PAGE;
      onChange();
    });
  }

  #showSites() {
    const select = this.#root.querySelector("#devices-site");
    const { sites, view } = this.#parts;
    const wanted = [{ id: "", name: t("devices.every_site") }, ...sites.all];
    const key = JSON.stringify(wanted.map(({ id, name }) => [id, name]));
    if (select.dataset.shown !== key) {
      select.dataset.shown = key;
      select.replaceChildren(...wanted.map(({ id, name }) => element("option", { value: id }, name)));
    }
    if (document.activeElement !== select) {
      select.value = view.site;
    }
  }

  #newRow(device) {
    const row = new Row(device, this.#parts);
    this.#observer.observe(row.root);
    return row;
  }

  #seen(entries) {
    const fresh = [];
    for (const { target, isIntersecting } of entries) {
      const id = target.dataset.device;
      if (isIntersecting) {
        this.#visible.add(id);
        if (this.#parts.latest.get(id) === undefined) {
          fresh.push(id);
        }
      } else {
        this.#visible.delete(id);
        if (!target.isConnected) {
          this.#observer.unobserve(target);
        }
      }
    }
    // The next round asks about them too, and says it when that fails.
    this.#parts.latest.ask(fresh, (device) => this.showLatest(device)).catch(() => {});
  }
}

class Row {
  #parts;
  #device;
  #name = element("button", { type: "button", class: "name" });
  #place = element("span", { class: "place" });
  #age = element("td", { class: "number age" });
  #values;

  constructor(device, parts) {
    this.#parts = parts;
    const values = element("div", { class: "chips" });
    this.#values = new Keyed(values, () => new Chip());
    const head = element("th", { scope: "row" }, this.#name, this.#place);
    this.root = element("tr", { "data-device": device.id }, head, element("td", {}, values), this.#age);
    this.root.addEventListener("click", () => parts.view.choose({ device: this.#device.id }));
  }

  update(device) {
    this.#device = device;
    const { sites, view } = this.#parts;
    setText(this.#name, device.name || device.id);
    const place = [sites.nameOf(device.site), device.zone || device.building];
    setText(this.#place, place.filter(Boolean).join(" · "));
    setAttribute(this.#name, "title", device.id);
    const chosen = view.device === device.id;
    setAttribute(this.#name, "aria-current", chosen ? "true" : null);
    setAttribute(this.root, "class", chosen ? "chosen" : null);
    this.showLatest();
  }

  showLatest() {
    const answer = this.#parts.latest.get(this.#device.id);
    if (answer === undefined) {
      return;
    }
    const { catalogue } = this.#parts;
    const ordered = [...answer.values].sort((a, b) => catalogue.compare(a.quantity, b.quantity));
    const chips = ordered.slice(0, SHOWN_VALUES).map((value) => ({
      key: value.quantity,
      label: catalogue.label(value.quantity),
      text: valueText(value.value, catalogue.get(value.quantity, value.unit)),
      stale: isLate(ageOf(value, answer), this.#device.interval_s),
    }));
    this.#values.show(chips, (chip) => chip.key);
    this.tick();
  }

  tick() {
    const answer = this.#parts.latest.get(this.#device.id);
    if (answer === undefined) {
      return;
    }
    const age = newestAge(answer);
    const state = age === null ? "silent" : isLate(age, this.#device.interval_s) ? "late" : "fresh";
    setAttribute(this.#age, "data-state", state);
    const text =
      age === null
        ? t("devices.silent")
        : age < -1
          ? t("age.ahead", { duration: duration(age * 1000) })
          : duration(age * 1000);
    setText(this.#age, state === "late" ? `${text} (${t("devices.late")})` : text);
  }
}

class Chip {
  #label = element("span", { class: "label" });
  #value = element("b");

  constructor() {
    this.root = element("span", { class: "chip" }, this.#label, " ", this.#value);
  }

  update({ label, text, stale }) {
    setText(this.#label, label);
    setAttribute(this.#label, "title", label);
    setText(this.#value, text);
    setAttribute(this.root, "data-stale", stale);
  }
}
