/** The rules: which there are, whether they count, who changed them and why; one with its text. */

import { element, Keyed, setAttribute, setText } from "./elements.js";
import { count, language, named, t } from "./language.js";
import { Order } from "./order.js";
import { ruleAddress, rulePath } from "./place.js";
import { Grade, timeText, titleOf } from "./wording.js";

/** Rules are of the whole platform: so are the times at which they were changed. */
const ZONE = "UTC";

export class Rules {
  #root;
  #parts;
  #rows;
  #rules = null;

  /** @param parts `{client, place}`. */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#rows = new Keyed(root.querySelector("tbody"), () => new RuleRow());
    parts.place.addEventListener("change", () => this.render());
  }

  /** Ask, and show. */
  async refresh() {
    this.#rules = (await this.#parts.client.get("v1/alert-rules")).rules;
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    const rules = this.#rules;
    if (rules === null) {
      return;
    }
    setText(this.#root.querySelector(".count"), count("rules.count", rules.length));
    this.#root.querySelector(".empty").hidden = rules.length > 0;
    this.#root.querySelector("table").hidden = rules.length === 0;
    const chosen = this.#parts.place.name;
    const shown = rules.map((rule) => ({ ...rule, ...rule.meaning, chosen: rule.name === chosen }));
    this.#rows.show(shown, (rule) => rule.name);
  }
}

class RuleRow {
  #title = element("a");
  #name = element("code");
  #grade = new Grade();
  #state = element("td");
  #version = element("td", { class: "number" });
  #who = element("span");
  #why = element("q");

  constructor() {
    const head = element("th", { scope: "row" }, this.#title, element("span", { class: "place" }, this.#grade.root, " ", this.#name));
    const changed = element("td", { class: "changed" }, this.#who, " ", this.#why);
    this.root = element("tr", {}, head, this.#state, this.#version, changed);
  }

  update(rule) {
    setAttribute(this.root, "class", [rule.chosen && "chosen", rule.state].filter(Boolean).join(" "));
    setAttribute(this.root, "data-rule", rule.name);
    setAttribute(this.#title, "href", ruleAddress(rule.name));
    setAttribute(this.#title, "aria-current", rule.chosen ? "true" : null);
    setText(this.#title, titleOf(rule));
    setText(this.#name, rule.name);
    this.#grade.update(rule.severity);
    setText(this.#state, named("rule_state", rule.state));
    setText(this.#version, String(rule.version));
    setText(this.#who, `${rule.author} · ${timeText(rule.created, ZONE)} UTC`);
    setText(this.#why, rule.reason);
    this.#why.hidden = !rule.reason;
  }
}

export class RulePage {
  #root;
  #parts;
  #grade = new Grade();
  #versions;
  #overrides;
  #order;
  #rule = null;
  #history = [];
  #shown = null;
  #may = false;

  /** @param parts `{client, place, onChange}`. */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    root.querySelector(".grade").append(this.#grade.root);
    this.#versions = new Keyed(root.querySelector(".versions"), () => new VersionLine((version) => {
      this.#shown = version;
      this.render();
    }));
    this.#overrides = new Keyed(root.querySelector(".overrides"), () => new OverrideLine());
    this.#order = new Order(root.querySelector(".switch"), async ({ reason }) => {
      const act = this.#rule.state === "active" ? "disable" : "enable";
      await parts.client.send("POST", `${rulePath(this.#rule.name)}/${act}`, { reason });
      this.#shown = null;
      parts.onChange();
    });
    parts.place.addEventListener("change", () => {
      if (this.#rule && this.#rule.name !== parts.place.name) {
        this.#rule = null;
        this.#shown = null;
        this.#order.clear();
        this.render();
      }
    });
  }

  /** Ask for the rule that is looked at and for its versions, and show them. */
  async refresh() {
    const { client, place } = this.#parts;
    const { name } = place;
    if (!name) {
      this.render();
      return;
    }
    const [rule, history, may] = await Promise.all([
      client.get(rulePath(name)),
      client.get(`${rulePath(name)}/versions`),
      client.may("manage_rules"),
    ]);
    if (name === place.name) {
      this.#rule = { ...rule, ...rule.meaning };
      this.#history = history.versions;
      this.#may = may;
      this.render();
    }
  }

  /** Show what is known, in the language of now. */
  render() {
    const rule = this.#rule;
    this.#root.querySelector(".chosen").hidden = rule === null;
    this.#root.querySelector(":scope > .empty").hidden = rule !== null || Boolean(this.#parts.place.name);
    if (rule === null) {
      return;
    }
    const newest = this.#history[0]?.version ?? rule.version;
    const shown = this.#history.find((one) => one.version === this.#shown) ?? rule;
    this.#grade.update(rule.severity);
    setText(this.#root.querySelector("h2"), titleOf(rule));
    setText(this.#root.querySelector(".place"), `${rule.name} · ${named("rule_state", rule.state)}`);
    this.#versions.show(
      this.#history.map((one) => ({ ...one, chosen: one.version === shown.version })),
      (one) => one.version,
    );
    const { version } = shown;
    const title = version === newest ? t("rules.text_newest", { version }) : t("rules.text_of", { version });
    setText(this.#root.querySelector("#rule-text-title"), title);
    setText(this.#root.querySelector(".source"), shown.source ?? t("rules.text_hidden"));
    this.#showMeaning(rule);
    this.#showSwitch(rule);
  }

  /** What it says in words; or why it cannot be used. */
  #showMeaning({ condition, problem, overrides, ...rule }) {
    const text = this.#root.querySelector(".condition");
    const held = rule.for === "0 s" ? [] : [t("rules.held", { for: rule.for })];
    const words = condition ? [condition[language()], ...held].join(", ") : t("rules.unusable", { problem });
    setText(text, words);
    setAttribute(text, "data-problem", !condition);
    this.#root.querySelector(".overrides-title").hidden = overrides.length === 0;
    this.#overrides.show(overrides, (one) => one.number);
  }

  #showSwitch(rule) {
    const form = this.#root.querySelector(".switch");
    form.hidden = !this.#may || rule.state === "deleted";
    const active = rule.state === "active";
    setText(form.querySelector("label"), active ? t("rules.disable_why") : t("rules.enable_why"));
    setText(form.querySelector("button"), active ? t("rules.disable") : t("rules.enable"));
  }
}

/** Another condition for one device or person, in words, with who wants it, why, until when. */
class OverrideLine {
  #whose = element("b");
  #words = element("span");
  #who = element("span", { class: "who" });
  #why = element("q");

  constructor() {
    this.root = element("li", {}, this.#whose, " ", this.#words, " ", this.#who, " ", this.#why);
  }

  update({ device, person, condition, author, reason, expires }) {
    setText(this.#whose, device || person);
    setText(this.#words, condition[language()]);
    setText(this.#who, `${author} · ${t("rules.expires", { time: timeText(expires, ZONE) })} UTC`);
    setText(this.#why, reason);
  }
}

class VersionLine {
  #button = element("button", { type: "button", class: "name" });
  #who = element("span", { class: "who" });
  #why = element("q");
  #version = null;

  constructor(choose) {
    this.#button.addEventListener("click", () => choose(this.#version));
    this.root = element("li", {}, this.#button, " ", this.#who, " ", this.#why);
  }

  update({ version, author, created, reason, state, chosen }) {
    this.#version = version;
    setAttribute(this.root, "class", chosen ? "chosen" : null);
    setAttribute(this.#button, "aria-pressed", String(chosen));
    setText(this.#button, t("rules.version_n", { version }));
    setText(this.#who, [author, `${timeText(created, ZONE)} UTC`, named("rule_state", state)].join(" · "));
    setText(this.#why, reason);
    this.#why.hidden = !reason;
  }
}
