/** The sites: local time, and the account of every message of the last 24 hours. */

import { element, Keyed, setAttribute, setText, svg } from "./elements.js";
import { count, t } from "./language.js";
import { whole } from "./numbers.js";
import { clockTime, dateTime, inZone, now, offsetName } from "./times.js";

const UNASSIGNED = "unassigned";
const TERMS = ["stored", "duplicate", "dead_lettered", "pending"];
const NOTHING = Object.fromEntries(["received", ...TERMS, "missing"].map((term) => [term, 0]));
const LABELS = {
  received: "account.received",
  stored: "account.stored",
  duplicate: "account.duplicate",
  dead_lettered: "account.dead_lettered",
  pending: "account.pending",
};
const LEAST_SHARE = 0.4;

export class Sites {
  #client;
  #cards;
  #sites = [];
  #account = null;

  /**
   * @param root its section.
   * @param client asks the API.
   */
  constructor(root, client) {
    this.#client = client;
    this.#cards = new Keyed(root.querySelector(".cards"), (site) => new Card(site));
    setInterval(() => this.#tick(), 1000);
  }

  /** Return every site, as the API told it last. */
  get all() {
    return this.#sites;
  }

  /** Return the zone of a site; UTC when it is not known. */
  zoneOf(site) {
    return this.#sites.find((one) => one.id === site)?.zone ?? "UTC";
  }

  /** Return the name of a site for people. */
  nameOf(site) {
    return this.#sites.find((one) => one.id === site)?.name ?? site;
  }

  /** Ask, and show. */
  async refresh() {
    const [{ sites }, account] = await Promise.all([
      this.#client.get("v1/sites"),
      this.#client.get("v1/completeness", { group: "site" }),
    ]);
    this.#sites = sites;
    this.#account = account;
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    if (this.#account === null) {
      return;
    }
    const rows = new Map(this.#account.rows.map((row) => [row.site, row]));
    const lost = rows.has(UNASSIGNED) ? [{ id: UNASSIGNED, zone: "UTC", country: "" }] : [];
    this.#cards.show(
      [...this.#sites, ...lost].map((site) => ({
        ...site,
        name: site.id === UNASSIGNED ? t("sites.unassigned") : site.name,
        counts: rows.get(site.id) ?? NOTHING,
        account: this.#account,
      })),
      (site) => site.id,
    );
  }

  #tick() {
    for (const card of this.#cards.entries()) {
      card.tick();
    }
  }
}

class Card {
  #site;
  #name = element("h3");
  #zone = element("span", { class: "zone" });
  #day = element("span", { class: "day" });
  #time = element("time");
  #terms = new Map();
  #shares = svg("svg", { class: "shares", "aria-hidden": "true", preserveAspectRatio: "none" });
  #verdict = element("p", { class: "verdict" });
  #missing = element("p", { class: "missing" });
  #since = element("p", { class: "since" });

  constructor(site) {
    this.#site = site;
    setAttribute(this.#shares, "viewBox", "0 0 100 1");
    const known = site.id !== UNASSIGNED;
    this.root = element(
      "article",
      { class: `panel site ${known ? "" : "unassigned"}`, "data-site": site.id },
      element(
        "header",
        {},
        element("div", {}, this.#name, this.#zone),
        ...(known ? [element("p", { class: "clock" }, this.#time, this.#day)] : []),
      ),
      element("p", { class: "equation" }, ...this.#equation()),
      this.#shares,
      element("footer", {}, this.#verdict, this.#missing, this.#since),
    );
  }

  #equation() {
    return ["received", ...TERMS].flatMap((term, index) => {
      const number = element("b");
      const label = element("span");
      this.#terms.set(term, { number, label });
      const part = element("span", { class: `term ${term}` }, number, " ", label);
      const sign = element("span", { class: "sign" }, index === 1 ? "=" : "+");
      return index === 0 ? [part] : [" ", sign, " ", part];
    });
  }

  update(site) {
    this.#site = site;
    const { counts } = site;
    setText(this.#name, site.name);
    for (const [term, { number, label }] of this.#terms) {
      setText(number, whole(counts[term]));
      setText(label, t(LABELS[term]));
      setAttribute(number.parentNode, "data-zero", counts[term] === 0);
    }
    this.#showShares(counts);
    this.#showVerdict(counts);
    this.#showMissing(counts);
    const { start, as_of: asOf } = site.account;
    const since = t("account.since", { time: dateTime(Date.parse(start), site.zone) });
    const until = asOf && t("account.as_of", { time: clockTime(Date.parse(asOf), site.zone) });
    setText(this.#since, [since, until].filter(Boolean).join(" · "));
    this.tick();
  }

  tick() {
    const { zone, id } = this.#site;
    if (id === UNASSIGNED) {
      setText(this.#zone, t("sites.unassigned_why"));
      return;
    }
    const ms = now();
    setText(this.#time, clockTime(ms, zone));
    setText(this.#day, inZone(ms, zone, { weekday: "long", day: "numeric", month: "long" }));
    setText(this.#zone, `${zone} · ${offsetName(ms, zone)}`);
  }

  #showShares(counts) {
    // A share that exists is seen: one dead letter in a million is the news.
    const shares = TERMS.map((term) =>
      counts[term] ? Math.max(LEAST_SHARE, (100 * counts[term]) / counts.received) : 0,
    );
    const total = shares.reduce((sum, share) => sum + share, 0) || 1;
    let x = 0;
    const boxes = TERMS.map((term, index) => {
      const width = (100 * shares[index]) / total;
      const box = svg("rect", { class: term, x, y: 0, width, height: 1 });
      x += width;
      return box;
    });
    this.#shares.replaceChildren(...boxes);
  }

  /** Beside the account, not part of it: what the devices sent and the platform never received. */
  #showMissing(counts) {
    const { missing } = counts;
    setText(this.#missing, missing ? count("account.missing", missing) : t("account.none_missing"));
    setAttribute(this.#missing, "title", t("account.missing_why"));
    setAttribute(this.#missing, "data-zero", missing === 0);
    this.#missing.hidden = missing === 0 && counts.received === 0;
  }

  #showVerdict(counts) {
    const accounted = TERMS.reduce((sum, term) => sum + counts[term], 0);
    const apart = counts.received - accounted;
    const state = apart !== 0 ? "broken" : counts.received === 0 ? "none" : "balanced";
    this.#verdict.className = `verdict ${state}`;
    const text =
      state === "balanced"
        ? t("account.balanced")
        : state === "none"
          ? t("account.nothing")
          : count("account.broken", Math.abs(apart));
    setText(this.#verdict, text);
  }
}
