/** Names of devices, asked for once each, a few at a time; what has no name is called by its id. */

import { Problem } from "./client.js";

const AT_ONCE = 4;

export class DeviceNames {
  #client;
  #devices = new Map();

  /** @param client asks the API. */
  constructor(client) {
    this.#client = client;
  }

  /** Return what people call a device. */
  of(device) {
    return this.#devices.get(device)?.name || device;
  }

  /** Return how often a device publishes, seconds; null when that is not known. */
  intervalOf(device) {
    return this.#devices.get(device)?.interval_s ?? null;
  }

  /** Ask about those that are not known yet; one that is gone is not asked about again. */
  async ask(devices) {
    const waiting = [...new Set(devices)].filter((device) => device && !this.#devices.has(device));
    const worker = async () => {
      for (let device = waiting.shift(); device !== undefined; device = waiting.shift()) {
        this.#devices.set(device, await this.#askOne(device));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  async #askOne(device) {
    try {
      return await this.#client.get(`v1/devices/${encodeURIComponent(device)}`);
    } catch (error) {
      if (error instanceof Problem) {
        return {};
      }
      throw error;
    }
  }
}
