/** Alerts in words: titles, subjects, values, facts; and the mark of a severity. */

import { element, setAttribute, setText, svg } from "./elements.js";
import { language, named, t } from "./language.js";
import { numberText, valueText } from "./numbers.js";
import { dateTime, duration } from "./times.js";

/** The gravest first. */
export const SEVERITIES = ["critical", "warning", "info"];
export const CLASSES = ["measured", "technical", "no_data"];
export const OPEN = ["firing", "acknowledged"];
export const STATES = ["pending", "incomplete", ...OPEN, "resolved", "withdrawn"];

/** Facts that are said elsewhere on the page, or by how the alert stands. */
const BESIDE = new Set([
  "quantity",
  "unit",
  "value",
  "withdrawn",
  "withheld",
  "retroactive",
  "news2",
  "runbook",
  "stands_for",
  "flapping",
  "steady",
  "rule_gone",
  "subject_gone",
]);

/** Each severity has a shape of its own: colour is never all that tells them apart. */
const SHAPES = {
  critical: "M8 .8 15.6 14.6H.4Z",
  warning: "M8 .6 15.4 8 8 15.4.6 8Z",
  info: "M8 1.5a6.5 6.5 0 1 0 .01 0Z",
};

/** The mark and the word of a severity. */
export class Grade {
  #shape = svg("path");
  #word = element("span");

  constructor() {
    const picture = { class: "shape", viewBox: "0 0 16 16", "aria-hidden": "true" };
    this.root = element("span", {}, svg("svg", picture, this.#shape), this.#word);
  }

  update(severity) {
    setAttribute(this.root, "class", `severity ${severity}`);
    setAttribute(this.#shape, "d", SHAPES[severity] ?? SHAPES.info);
    setText(this.#word, named("severity", severity));
  }
}

/** Tell whether an alert goes on. */
export function isOpen(alert) {
  return OPEN.includes(alert.state);
}

/** Return the device that an alert is about; "" for none: the platform names parts of itself. */
export function deviceOf({ site, device }) {
  return site ? device : "";
}

/** Tell whether an alert is about a quantity: it names that one, or none (nothing comes at all). */
export function isAbout({ quantity, facts }, name) {
  return (quantity || facts.quantity || name) === name;
}

/** Return what people call it, in their language. */
export function titleOf({ title, rule, name }) {
  return title?.[language()] || title?.en || Object.values(title ?? {})[0] || rule || name;
}

/** Return what it is about: its site, place, device, quantity. */
export function subjectText(alert, { sites, catalogue, names }) {
  const parts = [
    alert.site ? sites.nameOf(alert.site) : t("alerts.platform"),
    alert.building,
    alert.zone,
    names.of(alert.device),
    alert.quantity && catalogue.label(alert.quantity),
    alert.person,
  ];
  return parts.filter(Boolean).join(" · ");
}

/** Return the value that decided, with its unit; "" when there is none. */
export function decisiveText(alert, catalogue) {
  const { value, unit } = alert;
  const name = alert.quantity || alert.facts?.quantity || "";
  return value === null || value === undefined ? "" : valueText(value, measured(catalogue, name, unit));
}

/** Return an instant of the API in `zone`; "" for none. */
export function timeText(instant, zone) {
  return instant ? dateTime(Date.parse(instant), zone) : "";
}

/**
 * Return what decided, as `{code, label, text}`. What this page has no word for keeps its code.
 */
export function factRows({ facts = {}, quantity = "" }, catalogue) {
  const entry = measured(catalogue, facts.quantity || quantity, facts.unit);
  const withUnit = (value) => valueText(value, entry);
  const seconds = (value) => duration(value * 1000);
  const days = (value) => duration(value * 86_400_000);
  const written = {
    above: withUnit,
    below: withUnit,
    change: withUnit,
    expected: withUnit,
    allowed: withUnit,
    over_s: seconds,
    silent_s: seconds,
    after_s: seconds,
    held_s_ago: seconds,
    days_left: days,
    missing: (names) => quantityNames(names, catalogue),
  };
  return Object.entries(facts)
    .filter(([name]) => !BESIDE.has(name))
    .map(([name, value]) => {
      const scored = /^score_(\w+)$/.exec(name)?.[1];
      return {
        code: name,
        label: scored ? t("fact.score_of", { name: catalogue.label(scored) }) : named("fact", name),
        text: written[name]?.(value) ?? (typeof value === "number" ? numberText(value) : value),
      };
    });
}

function quantityNames(names, catalogue) {
  return String(names)
    .split(", ")
    .map((name) => catalogue.label(name))
    .join(", ");
}

/** A quantity of the catalogue where the unit is its own; else a bare number in that unit. */
function measured(catalogue, name, unit) {
  const entry = catalogue.get(name, unit || "1");
  return !unit || entry.unit === unit ? entry : { type: "float", unit };
}
