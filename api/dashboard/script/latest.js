/** The latest values of devices, each asked for at most once at a time, with ages that go on. */

const AT_ONCE = 4;
/** A device is late when its newest value is older than this many of its intervals... */
const LATE_INTERVALS = 3;
/** ... or than this, when its interval is not known or shorter still; seconds. */
const LATE_S = 60;
const LATE_UNKNOWN_S = 900;

export class Latest {
  #client;
  #answers = new Map();
  #underWay = new Map();

  constructor(client) {
    this.#client = client;
  }

  /** Return the last answer about a device, or undefined. */
  get(device) {
    return this.#answers.get(device);
  }

  /** Ask about several devices, a few at once; `onAnswer(device)` follows each answer. */
  async ask(devices, onAnswer) {
    const waiting = [...devices];
    const worker = async () => {
      for (let device = waiting.shift(); device !== undefined; device = waiting.shift()) {
        if (!this.#underWay.has(device)) {
          this.#underWay.set(device, this.#askOne(device));
        }
        await this.#underWay.get(device);
        onAnswer(device);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #askOne(device) {
    try {
      const path = `v1/devices/${encodeURIComponent(device)}/latest`;
      const { values, zone } = await this.#client.get(path);
      this.#answers.set(device, { values, zone, at: performance.now() });
    } finally {
      this.#underWay.delete(device);
    }
  }
}

/** Return the age of a value by now, seconds; negative for a clock that is ahead. */
export function ageOf(value, answer) {
  return value.age_s + (performance.now() - answer.at) / 1000;
}

/** Return the age of the newest value, seconds, or null when there is none. */
export function newestAge(answer) {
  return answer.values.length ? Math.min(...answer.values.map((value) => ageOf(value, answer))) : null;
}

/** Tell whether a device should have published since. */
export function isLate(ageS, intervalS) {
  return ageS > (intervalS ? Math.max(LATE_S, LATE_INTERVALS * intervalS) : LATE_UNKNOWN_S);
}
