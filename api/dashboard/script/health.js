/** Which part works, since when, and why not; and the pill that says it at the top of the page. */

import { element, Keyed, setAttribute, setText } from "./elements.js";
import { count, named, t } from "./language.js";
import { bytesText } from "./numbers.js";
import { duration, now, setServerTime } from "./times.js";

export class Health {
  #client;
  #pill;
  #parts;
  #workers;
  #sinksTitle;
  #sinksList;
  #sinks;
  #answer = null;
  #reached = true;

  /**
   * @param root its section.
   * @param client asks the API.
   * @param pill the summary at the top.
   */
  constructor(root, client, pill) {
    this.#client = client;
    this.#pill = pill;
    this.#parts = new Keyed(root.querySelector(".parts"), () => new Line());
    this.#workers = new Keyed(root.querySelector(".workers"), () => new Line());
    this.#sinksTitle = root.querySelector(".sinks-title");
    this.#sinksList = root.querySelector(".sinks");
    this.#sinks = new Keyed(this.#sinksList, () => new Line());
  }

  /** Ask, and show. Works without a key. */
  async refresh() {
    this.#answer = await this.#client.health();
    setServerTime(this.#answer.checked);
    this.#reached = true;
    this.render();
  }

  /** Take note of whether anybody answers at all. */
  noteReached(reached) {
    this.#reached = reached;
    this.render();
  }

  /** Show what is known, in the language of now. */
  render() {
    if (this.#answer === null && this.#reached) {
      return;
    }
    const down = this.#reached ? this.#answer.parts.filter((part) => !part.up) : [];
    const state = !this.#reached ? "unreachable" : down.length ? "down" : "up";
    this.#pill.className = `pill ${state}`;
    const text =
      state === "unreachable"
        ? t("health.unreachable")
        : state === "up"
          ? t("health.all_up")
          : t("health.some_down", { parts: down.map((part) => named("part", part.name)).join(", ") });
    setText(this.#pill, text);
    if (this.#answer !== null) {
      this.#parts.show(this.#answer.parts.map(partLine), (line) => line.key);
      this.#workers.show(this.#answer.workers.map(workerLine), (line) => line.key);
      this.#showSinks(this.#answer.workers);
    }
  }

  /** Sinks are shown when there are others than the store, of workers that were not taken away. */
  #showSinks(workers) {
    const known = workers.filter((worker) => !worker.retired);
    const several = known.some((worker) => worker.sinks.length > 1);
    this.#sinksTitle.hidden = !several;
    this.#sinksList.hidden = !several;
    const lines = known.flatMap((worker) => worker.sinks.map((sink) => sinkLine(worker, sink)));
    this.#sinks.show(several ? lines : [], (line) => line.key);
  }
}

function sinkLine(worker, sink) {
  const missed = sink.missed;
  const facts = [
    named("circuit", sink.state),
    t("health.since", { duration: duration(now() - Date.parse(sink.since)) }),
    count("health.pending", sink.lag_messages),
    bytesText(sink.lag_bytes),
  ];
  if (sink.lag_messages > 0) {
    facts.push(t("health.oldest", { duration: duration(sink.lag_s * 1000) }));
  }
  if (missed !== null) {
    facts.push(count("health.missed", missed.messages));
  }
  const up = sink.state === "closed" && missed === null;
  return {
    key: `${worker.worker}/${sink.name}`,
    name: `${worker.worker} → ${sink.name}`,
    state: up ? "up" : "down",
    verdict: up ? t("health.up") : missed === null ? t("health.down") : t("health.detached"),
    facts: facts.join(" · "),
    reason: sink.reason ?? "",
  };
}

function partLine(part) {
  const since = t("health.since", { duration: duration(now() - Date.parse(part.since)) });
  return {
    key: part.name,
    name: named("part", part.name),
    state: part.up ? "up" : "down",
    verdict: part.up ? t("health.up") : t("health.down"),
    facts: since,
    reason: part.reason ?? "",
  };
}

function workerLine(worker) {
  const noted = worker.notes.length > 0;
  const state = worker.retired ? "retired" : !worker.up ? "down" : noted ? "noted" : "up";
  const verdict = {
    up: t("health.up"),
    noted: t("health.noted"),
    down: t("health.down"),
    retired: t("health.retired"),
  }[state];
  const facts = [
    count("health.pending", worker.pending),
    bytesText(worker.spool_bytes),
    t("health.seen", { duration: duration(worker.age_s * 1000) }),
  ];
  return {
    key: worker.worker,
    name: worker.worker,
    state,
    verdict,
    facts: facts.join(" · "),
    reason: [...worker.reasons, ...worker.notes].join("; "),
  };
}

class Line {
  #name = element("span", { class: "name" });
  #verdict = element("span", { class: "state" });
  #facts = element("span", { class: "facts" });
  /** Reasons come from the API as they are, in English. */
  #reason = element("span", { class: "reason", lang: "en" });

  constructor() {
    this.root = element("li", {}, this.#name, this.#verdict, this.#facts, this.#reason);
  }

  update({ name, state, verdict, facts, reason }) {
    setAttribute(this.root, "class", state);
    setText(this.#name, name);
    setText(this.#verdict, verdict);
    setText(this.#facts, facts);
    setText(this.#reason, reason);
    this.#reason.hidden = reason === "";
  }
}
