/** Where the marks of an axis stand: round numbers, and round local times of a zone. */

import { DAY, HOUR, MINUTE, offsetMs } from "./times.js";

const TIME_STEPS = [
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  4 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
];
const FLAT_SHARE = 0.02;

/**
 * Return `{low, high, step, marks, digits}`: round limits around both values, about `wanted` marks
 * between them, and the decimals that tell the marks apart.
 */
export function valueAxis(low, high, wanted) {
  if (low === high) {
    const room = Math.abs(low) * FLAT_SHARE || 1;
    return valueAxis(low - room, high + room, wanted);
  }
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const marks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { low: first * step, high: last * step, step, marks, digits };
}

/**
 * Return the instants in [from, to] at round local times of `zone`, at most `most` of them, each
 * with whether a local day begins there. Across a change of clocks they stay at round local times.
 */
export function timeMarks(from, to, zone, most) {
  const step = TIME_STEPS.find((size) => (to - from) / size <= most) ?? TIME_STEPS.at(-1);
  const marks = [];
  let local = Math.floor((from + offsetMs(from, zone)) / step) * step;
  for (; local - offsetMs(to, zone) <= to + HOUR; local += step) {
    const guess = local - offsetMs(local, zone);
    const ms = local - offsetMs(guess, zone);
    if (ms >= from && ms <= to && ms !== marks.at(-1)?.ms) {
      marks.push({ ms, midnight: local % DAY === 0 });
    }
  }
  return marks;
}
