/** Silences and maintenance windows: what is muted, by whom, why, until when; and planning one. */

import { lengthMs, lengthText, LENGTHS } from "./acts.js";
import { element, Keyed, setAttribute, setText } from "./elements.js";
import { count, named, t } from "./language.js";
import { options, Order } from "./order.js";
import { silencePath } from "./place.js";
import { duration, instantOf, now, offsetName } from "./times.js";
import { timeText } from "./wording.js";

const MATCHED = ["site", "building", "zone", "device", "rule"];

export class Silences {
  #root;
  #parts;
  #cards;
  #silences = null;

  /** @param parts `{client, sites, onChange}`. */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    const end = async (id) => {
      await parts.client.send("POST", silencePath(id), {});
      parts.onChange();
    };
    this.#cards = new Keyed(root.querySelector(".cards-list"), () => new SilenceCard(end));
  }

  /** Ask, and show. */
  async refresh() {
    const { client } = this.#parts;
    const silences = await client.all("v1/silences", "silences");
    const may = new Map();
    for (const site of new Set(silences.map(siteOf))) {
      may.set(site, await client.may("silence", site));
    }
    this.#silences = silences.map((one) => ({ ...one, may: may.get(siteOf(one)) }));
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    const silences = this.#silences;
    if (silences === null) {
      return;
    }
    setText(this.#root.querySelector(".count"), count("silences.count", silences.length));
    this.#root.querySelector(".empty").hidden = silences.length > 0;
    const shown = silences.map((one) => ({ ...one, zone: this.#parts.sites.zoneOf(siteOf(one)) }));
    this.#cards.show(shown, (one) => one.id);
  }

  /** Let the times that are left go on. */
  tick() {
    for (const card of this.#cards.entries()) {
      card.tick();
    }
  }
}

/** Return the one site that a silence is about; "" for several, or for all. */
function siteOf({ match }) {
  const sites = match.site ?? [];
  return sites.length === 1 && !sites[0].includes("*") ? sites[0] : "";
}

class SilenceCard {
  #silence;
  #what = element("b");
  #kind = element("span", { class: "kind" });
  #reason = element("q");
  #facts = element("p", { class: "facts" });
  #left = element("p", { class: "left" });
  #form = element(
    "form",
    { class: "order" },
    element("button", { type: "submit" }),
    element("p", { class: "error", role: "alert" }),
  );

  constructor(end) {
    new Order(this.#form, () => end(this.#silence.id));
    const head = element("p", {}, this.#kind, " ", this.#what);
    const said = element("p", {}, this.#reason);
    this.root = element("li", {}, element("div", {}, head, said, this.#facts), this.#left, this.#form);
  }

  update(silence) {
    this.#silence = silence;
    const { zone } = silence;
    setAttribute(this.root, "data-silence", silence.id);
    setAttribute(this.root, "class", silence.kind);
    setText(this.#kind, named("silence", silence.kind));
    setText(this.#what, matchText(silence.match));
    setText(this.#reason, silence.reason);
    const times = [silence.start, silence.end].map((instant) => timeText(instant, zone)).join(" – ");
    const offset = offsetName(now(), zone);
    setText(this.#facts, [silence.by, times, offset].join(" · "));
    setText(this.#form.querySelector("button"), t("silences.end"));
    this.#form.hidden = !silence.may;
    this.tick();
  }

  tick() {
    const [start, end] = [Date.parse(this.#silence.start), Date.parse(this.#silence.end)];
    const text =
      now() < start
        ? t("silences.begins", { duration: duration(start - now()) })
        : now() < end
          ? t("silences.left", { duration: duration(end - now()) })
          : t("silences.over");
    setText(this.#left, text);
  }
}

/** Return `Site elgazala · Zone A-*`. */
function matchText(match) {
  const given = Object.entries(match).filter(([, patterns]) => patterns !== null);
  const parts = given.map(([name, patterns]) => `${named("match", name)} ${patterns.join(", ")}`);
  return parts.join(" · ");
}

export class Planning {
  #root;
  #parts;
  #form;
  #may = false;

  /** @param parts as of `Silences`. */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#form = root.querySelector("form");
    this.#form.elements.site.addEventListener("change", () => this.render());
    new Order(this.#form, async (values) => {
      await parts.client.send("POST", "v1/silences", this.#planned(values));
      parts.onChange();
    });
  }

  /** Find out whether the reader may plan anything. */
  async refresh() {
    this.#may = await this.#parts.client.may("silence");
    this.render();
  }

  /** Show the form, in the language of now. */
  render() {
    const { sites } = this.#parts;
    this.#root.hidden = !this.#may;
    const { site } = this.#form.elements;
    options(site, [
      { value: "", text: t("devices.every_site") },
      ...sites.all.map(({ id, name }) => ({ value: id, text: name })),
    ]);
    options(
      this.#form.elements.for,
      LENGTHS.map((value) => ({ value, text: lengthText(value) })),
    );
    const zone = sites.zoneOf(site.value);
    const hint = t("planning.zone_of_times", { zone, offset: offsetName(now(), zone) });
    setText(this.#root.querySelector("#plan-zone-name"), hint);
  }

  #planned(values) {
    const named = MATCHED.filter((name) => values[name].trim());
    const match = Object.fromEntries(named.map((name) => [name, patterns(values[name])]));
    const zone = this.#parts.sites.zoneOf(values.site);
    const start = values.start ? instantOf(values.start, zone) : now();
    return {
      kind: "maintenance",
      match,
      reason: values.reason,
      start: values.start ? new Date(start).toISOString() : "now",
      end: new Date(start + lengthMs(values.for)).toISOString(),
    };
  }
}

function patterns(text) {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);
}
