/** The list of alerts: the gravest first; and how many are open, wherever the reader is. */

import { element, Keyed, setAttribute, setText } from "./elements.js";
import { count, named, t } from "./language.js";
import { options } from "./order.js";
import { alertAddress } from "./place.js";
import { duration, now } from "./times.js";
import {
  CLASSES,
  decisiveText,
  deviceOf,
  Grade,
  isOpen,
  OPEN,
  SEVERITIES,
  STATES,
  subjectText,
  timeText,
  titleOf,
} from "./wording.js";

const PAGE = 50;
const MOST = 500;

export class Alerts {
  #root;
  #parts;
  #rows;
  #alerts = [];
  #open = null;
  #more = false;
  #limit = PAGE;
  #known = false;

  /**
   * @param root its section.
   * @param parts `{nav, client, place, sites, catalogue, names, onChange}`; `nav` has the badge,
   *     `onChange` follows a choice that needs another question.
   */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#rows = new Keyed(root.querySelector("tbody"), () => new Row(parts));
    for (const select of root.querySelectorAll("select")) {
      select.addEventListener("change", () => {
        this.#limit = PAGE;
        parts.place.filter({ [select.name]: select.value });
      });
    }
    root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    root.querySelector(".more").addEventListener("click", () => {
      this.#limit = Math.min(MOST, this.#limit + PAGE);
      parts.onChange();
    });
  }

  /** Ask how many are open, and (where it is looked at) for the list. */
  async refresh() {
    const { client, place, catalogue, nav } = this.#parts;
    nav.hidden = place.page === "board" && !(await client.may("read_alerts"));
    if (nav.hidden) {
      return;
    }
    const asked = JSON.stringify(place.filters);
    const open = await client.get("v1/alerts", { state: OPEN, limit: MOST });
    this.#open = open.alerts.length;
    this.render();
    if (place.page !== "alerts") {
      return;
    }
    const { state, ...chosen } = place.filters;
    const states = state === "all" ? STATES : state || OPEN;
    const wanted = { ...chosen, state: states, limit: this.#limit };
    const [answer] = await Promise.all([client.get("v1/alerts", wanted), catalogue.load(client)]);
    if (asked !== JSON.stringify(place.filters)) {
      return;
    }
    this.#alerts = answer.alerts;
    this.#more = answer.next !== null && this.#limit < MOST;
    this.#known = true;
    this.render();
    await this.#parts.names.ask(this.#alerts.map(deviceOf));
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    this.#showBadge();
    this.#showFilters();
    if (!this.#known) {
      return;
    }
    const shown = [...this.#alerts].sort(gravestFirst);
    this.#rows.show(shown, (alert) => alert.id);
    this.tick();
    setText(this.#root.querySelector(".count"), count("alerts.count", shown.length));
    this.#root.querySelector("table").hidden = shown.length === 0;
    const empty = this.#root.querySelector(".empty");
    empty.hidden = shown.length > 0;
    const chosen = Object.values(this.#parts.place.filters).some(Boolean);
    setText(empty, t(chosen ? "alerts.no_match" : "alerts.none"));
    this.#root.querySelector(".more").hidden = !this.#more;
  }

  /** Let durations go on. */
  tick() {
    for (const row of this.#rows.entries()) {
      row.tick();
    }
  }

  #showBadge() {
    const badge = this.#parts.nav.querySelector(".badge");
    const open = this.#open ?? 0;
    badge.hidden = open === 0;
    const number = open < MOST ? String(open) : `${MOST - 1}+`;
    setText(badge.children[0], number);
    setText(badge.children[1], count("alerts.open", open));
    document.title = open === 0 ? "Passerelle" : `(${number}) Passerelle`;
  }

  #showFilters() {
    const { sites, place } = this.#parts;
    const codes = (family, list) => list.map((value) => ({ value, text: named(family, value) }));
    const any = { value: "", text: t("alerts.any") };
    const choices = {
      site: [
        { value: "", text: t("devices.every_site") },
        ...sites.all.map(({ id, name }) => ({ value: id, text: name })),
      ],
      severity: [any, ...codes("severity", SEVERITIES)],
      class: [any, ...codes("class", CLASSES)],
      state: [{ value: "", text: t("alerts.open_ones") }, ...codes("state", [...STATES, "all"])],
    };
    for (const select of this.#root.querySelectorAll("select")) {
      options(select, choices[select.name]);
      if (document.activeElement !== select) {
        select.value = place.filters[select.name];
      }
    }
  }
}

/** What goes on before what is over; the gravest first, then the newest. */
function gravestFirst(a, b) {
  const rank = (alert) => (isOpen(alert) ? 0 : 10) + SEVERITIES.indexOf(alert.severity);
  return rank(a) - rank(b) || Date.parse(b.at) - Date.parse(a.at);
}

class Row {
  #parts;
  #alert;
  #grade = new Grade();
  #title = element("a");
  #place = element("span", { class: "place" });
  #class = element("td", { class: "class" });
  #value = element("td", { class: "number value" });
  #since = element("span", { class: "when" });
  #lasts = element("span", { class: "lasts" });
  #state = element("span", { class: "stage" });
  #remarks = element("span", { class: "remarks" });

  constructor(parts) {
    this.#parts = parts;
    this.root = element(
      "tr",
      {},
      element("td", { class: "grade" }, this.#grade.root),
      element("th", { scope: "row" }, this.#title, this.#place),
      this.#class,
      this.#value,
      element("td", { class: "since" }, this.#since, " ", this.#lasts),
      element("td", { class: "progress" }, this.#state, " ", this.#remarks),
    );
  }

  update(alert) {
    const { sites, catalogue } = this.#parts;
    this.#alert = alert;
    setAttribute(this.root, "class", `${alert.severity} ${isOpen(alert) ? "open" : "over"}`);
    setAttribute(this.root, "data-alert", alert.id);
    this.#grade.update(alert.severity);
    setText(this.#title, titleOf(alert));
    setAttribute(this.#title, "href", alertAddress(alert.id));
    setText(this.#place, subjectText(alert, this.#parts));
    setText(this.#class, named("class", alert.class));
    setText(this.#value, decisiveText(alert, catalogue));
    setText(this.#since, timeText(alert.at, sites.zoneOf(alert.site)));
    setText(this.#state, named("state", alert.state));
    setAttribute(this.#state, "data-state", alert.state);
    setText(this.#remarks, remarks(alert).join(", "));
  }

  tick() {
    const { at, until } = this.#alert;
    const length = duration(Math.max(0, (until ? Date.parse(until) : now()) - Date.parse(at)));
    const told = { duration: length };
    setText(this.#lasts, until ? t("alerts.lasted", told) : t("alerts.lasting", told));
  }
}

/** Return what else there is to say of an alert, in a few words each. */
function remarks(alert) {
  return [
    alert.cause && t("remark.inhibited"),
    alert.silence && t("remark.silenced"),
    alert.flapping && t("remark.flapping"),
    alert.retroactive && t("remark.retroactive"),
  ].filter(Boolean);
}
