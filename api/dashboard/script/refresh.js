/**
 * Asking again and again: every five seconds while the page can be seen, at once when it can be
 * seen again or something was chosen. One round at a time.
 */

import { Problem, Superseded, Unauthorized, Unreachable } from "./client.js";

export const EVERY_MS = 5000;

export class Refresh {
  #tasks;
  #onRound;
  #timer = null;
  #running = false;
  #again = false;
  #stopped = true;

  /**
   * @param tasks functions that ask the API and show the answer; a failure of one leaves the
   *     others alone. Each is `{wanted, run, onProblem}`: one that is not wanted now is left out;
   *     `onProblem(problem)` gets null after a success.
   * @param onRound `({reached, refused})`: whether somebody answered, whether the key was refused.
   */
  constructor({ tasks, onRound }) {
    this.#tasks = tasks;
    this.#onRound = onRound;
    document.addEventListener("visibilitychange", () => this.soon());
    addEventListener("online", () => this.soon());
  }

  /** Begin, or begin again. */
  start() {
    this.#stopped = false;
    this.soon();
  }

  /** Ask nothing more until `start`. */
  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Ask now; when a round is under way, another one follows it. */
  soon() {
    clearTimeout(this.#timer);
    if (this.#stopped || document.hidden) {
      return;
    }
    if (this.#running) {
      this.#again = true;
      return;
    }
    void this.#round();
  }

  async #round() {
    this.#running = true;
    this.#again = false;
    const tasks = this.#tasks.filter((task) => task.wanted());
    const outcomes = await Promise.all(tasks.map((task) => this.#attempt(task)));
    this.#running = false;
    if (!this.#stopped) {
      this.#onRound({
        reached: outcomes.some((outcome) => outcome !== "unreachable"),
        refused: outcomes.includes("refused"),
      });
    }
    if (this.#again) {
      this.soon();
    } else if (!this.#stopped) {
      this.#timer = setTimeout(() => this.soon(), EVERY_MS);
    }
  }

  async #attempt({ run, onProblem }) {
    try {
      await run();
    } catch (error) {
      if (error instanceof Unauthorized) {
        return "refused";
      }
      if (error instanceof Unreachable) {
        return "unreachable";
      }
      if (error instanceof Superseded) {
        return "superseded";
      }
      if (!(error instanceof Problem)) {
        reportError(error);
      }
      onProblem(error);
      return "problem";
    }
    onProblem(null);
    return "answered";
  }
}
