/** What happened to an alert, and who was told of it: by which channel, with what outcome. */

import { element, Keyed, setAttribute, setText } from "./elements.js";
import { count, named, t } from "./language.js";
import { alertPath } from "./place.js";
import { timeText } from "./wording.js";

export class Told {
  #root;
  #parts;
  #lines;
  #answer = null;

  /** @param parts `{client, place, sites, alert}`; `alert()` returns the one looked at, or null. */
  constructor(root, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#lines = new Keyed(root.querySelector(".notices"), () => new NoticeLine());
    parts.place.addEventListener("change", () => {
      this.#answer = null;
      this.render();
    });
  }

  /** Ask, and show. */
  async refresh() {
    const { client, place } = this.#parts;
    const id = place.name;
    const answer = await client.get(`${alertPath(id)}/notices`);
    if (place.page === "alert" && id === place.name) {
      this.#answer = answer;
      this.render();
    }
  }

  /** Show what is known, in the language of now. */
  render() {
    const notices = this.#answer?.notices ?? [];
    const zone = zoneOf(this.#parts);
    this.#root.querySelector(".empty").hidden = this.#answer === null || notices.length > 0;
    setText(this.#root.querySelector(".count"), this.#answer ? count("told.count", notices.length) : "");
    this.#lines.show(notices.map((notice) => ({ ...notice, zone })), (notice) => notice.id);
  }
}

export class Events {
  #parts;
  #lines;
  #answer = null;

  /** @param parts as of `Told`. */
  constructor(root, parts) {
    this.#parts = parts;
    this.#lines = new Keyed(root.querySelector(".timeline"), () => new EventLine());
    parts.place.addEventListener("change", () => {
      this.#answer = null;
      this.render();
    });
  }

  /** Ask, and show. */
  async refresh() {
    const { client, place } = this.#parts;
    const id = place.name;
    const answer = await client.all(`${alertPath(id)}/history`, "events");
    if (place.page === "alert" && id === place.name) {
      this.#answer = answer;
      this.render();
    }
  }

  /** Show what is known, the newest first, in the language of now. */
  render() {
    const zone = zoneOf(this.#parts);
    const events = [...(this.#answer ?? [])].reverse();
    this.#lines.show(events.map((event) => ({ ...event, zone })), (event) => event.id);
  }
}

function zoneOf({ alert, sites }) {
  return sites.zoneOf(alert()?.site ?? "");
}

class NoticeLine {
  #channel = element("b");
  #outcome = element("span", { class: "outcome" });
  #occasion = element("span", { class: "occasion" });
  #attempts = element("ol", { class: "attempts" });
  #tries;

  constructor() {
    this.#tries = new Keyed(this.#attempts, () => new AttemptLine());
    const head = element("p", {}, this.#channel, " ", this.#outcome);
    this.root = element("li", {}, head, this.#occasion, this.#attempts);
  }

  update(notice) {
    setAttribute(this.root, "class", notice.state);
    setText(this.#channel, notice.channel);
    setText(this.#outcome, named("notice", notice.state));
    const when = timeText(notice.created, notice.zone);
    setText(this.#occasion, `${named("occasion", notice.occasion)} · ${when}`);
    const tries = notice.attempts.map((one) => ({ ...one, zone: notice.zone }));
    this.#tries.show(tries, (one) => one.number);
  }
}

class AttemptLine {
  #text = element("span");
  #detail = element("span", { class: "detail", lang: "en" });

  constructor() {
    this.root = element("li", {}, this.#text, " ", this.#detail);
  }

  update({ number, started, finished, outcome, detail, zone }) {
    setAttribute(this.root, "class", outcome);
    const time = timeText(finished ?? started, zone);
    setText(this.#text, t("told.attempt", { number, time, outcome: named("attempt", outcome) }));
    setText(this.#detail, detail);
  }
}

class EventLine {
  #time = element("time");
  #what = element("b");
  #who = element("span", { class: "who" });
  #note = element("q");

  constructor() {
    this.root = element("li", {}, this.#time, " ", this.#what, " ", this.#who, " ", this.#note);
  }

  update(event) {
    const { note, reason, channel } = event.detail;
    setAttribute(this.root, "class", event.kind);
    setText(this.#time, timeText(event.time, event.zone));
    setText(this.#what, named("event", event.kind));
    setText(this.#who, [event.actor, channel && `→ ${channel}`].filter(Boolean).join(" "));
    setText(this.#note, note || reason || "");
    this.#note.hidden = !(note || reason);
  }
}
