/**
 * The values of one quantity of one device over a range, raw or one a window, and where nothing
 * was measured. A gap is never bridged: the line is drawn in pieces.
 */

import { DAY, HOUR, now } from "./times.js";

/** Range -> its length; the window in which it is read; how often it is read again, ms. */
const READ = {
  "1h": { length: HOUR, every: "15s", raw: true, again: 0 },
  "24h": { length: DAY, every: "5min", raw: false, again: 30_000 },
  "7d": { length: 7 * DAY, every: "30min", raw: false, again: 60_000 },
};
const MOST_RAW = 2000;
/** Steps between two neighbours from which on there is a gap: values jitter, windows do not. */
const GAP_RAW = 2.5;
const GAP_WINDOWS = 1.5;

/** Return how long a range is worth keeping before it is read again, milliseconds. */
export function keepsFor(range) {
  return READ[range].again;
}

/**
 * Read a series.
 *
 * @param client asks the API.
 * @param wanted `{device, interval_s, quantity, range}`: a device, an entry of the catalogue.
 * @returns `{points, from, to, every, aggregate, pieces, gaps}`: a point is
 *     `{ms, from, to, value, low, high, count, quality}` (low and high null where there is no band).
 */
export async function loadSeries(client, { device, quantity, range }, { signal } = {}) {
  const { length, every, raw } = READ[range];
  const to = now();
  const asked = {
    devices: device.id,
    quantities: quantity.name,
    from: new Date(to - length).toISOString(),
    to: new Date(to).toISOString(),
  };
  const span = { from: to - length, to };
  if (raw) {
    const answer = await client.get("v1/readings", { ...asked, limit: MOST_RAW }, { signal });
    if (answer.next === null) {
      const points = (answer.series[0]?.points ?? []).map(rawPoint);
      return { ...span, points, every: null, aggregate: null, ...cut(points, device, span, GAP_RAW) };
    }
  }
  const aggregate = aggregateOf(quantity);
  const names = aggregate === "mean" ? ["mean", "min", "max"] : [aggregate];
  const answer = await client.get("v1/readings", { ...asked, every, aggregate: names }, { signal });
  const points = (answer.series[0]?.points ?? [])
    .map((window) => windowPoint(window, span, aggregate))
    .filter((point) => point.value !== null);
  return { ...span, points, every, aggregate, ...cut(points, device, span, GAP_WINDOWS) };
}

/**
 * Return values that are there already, as `loadSeries` does.
 *
 * @param points of an answer of the API: `{time, value, quality}`.
 * @param span `{from, to}`: milliseconds since the epoch.
 * @param device `{interval_s}`: how often it publishes, or null.
 */
export function seriesOf(points, span, device) {
  const read = points.map(rawPoint);
  return { ...span, points: read, every: null, aggregate: null, ...cut(read, device, span, GAP_RAW) };
}

/**
 * Return `{pieces, gaps}`: the points between two gaps together, and the gaps as `{from, to}`.
 *
 * There is a gap where two neighbours stand further apart than `steps` times what is usual: the
 * device's interval, or the median distance where that is larger or no interval is known.
 */
export function cut(points, device, { from, to }, steps) {
  const apart = points.slice(1).map((point, index) => point.ms - points[index].ms);
  const median = apart.length ? [...apart].sort((a, b) => a - b)[apart.length >> 1] : 0;
  const usual = Math.max(median, (device.interval_s ?? 0) * 1000);
  const limit = usual ? usual * steps : Infinity;
  const pieces = [];
  const gaps = [];
  let before = from;
  for (const point of points) {
    if (point.ms - before > limit) {
      gaps.push({ from: before, to: point.ms });
      pieces.push([point]);
    } else if (pieces.length) {
      pieces.at(-1).push(point);
    } else {
      pieces.push([point]);
    }
    before = point.ms;
  }
  if (to - before > limit) {
    gaps.push({ from: before, to });
  }
  return { pieces, gaps };
}

/** Return `{low, high, mean, count}` over all points, or null when there are none. */
export function statistics(points) {
  if (points.length === 0) {
    return null;
  }
  const total = points.reduce((sum, point) => sum + point.count, 0);
  return {
    low: Math.min(...points.map((point) => point.low ?? point.value)),
    high: Math.max(...points.map((point) => point.high ?? point.value)),
    mean: points.reduce((sum, point) => sum + point.value * point.count, 0) / total,
    count: total,
  };
}

function aggregateOf(quantity) {
  if (quantity.type === "boolean") {
    return "max";
  }
  return quantity.cumulative ? "last" : "mean";
}

function rawPoint({ time, value, quality }) {
  const ms = Date.parse(time);
  return { ms, from: ms, to: ms, value, low: null, high: null, count: 1, quality };
}

/** A window has one value, or (asked for several aggregates) one of each. */
function windowPoint(window, span, aggregate) {
  const from = Math.max(Date.parse(window.time), span.from);
  const to = Math.min(Date.parse(window.end), span.to);
  const banded = window.values !== undefined;
  const values = banded ? window.values : { [aggregate]: window.value };
  return {
    ms: (from + to) / 2,
    from,
    to,
    value: values[aggregate],
    low: banded ? values.min : null,
    high: banded ? values.max : null,
    count: window.count,
    quality: [],
  };
}
