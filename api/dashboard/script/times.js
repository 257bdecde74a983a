/**
 * Instants in a site's zone, whatever the zone of the browser; durations; and the server's clock:
 * ages and the sites' local times do not depend on this machine's clock being right.
 */

import { t, tag } from "./language.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

let aheadMs = 0;
const formats = new Map();

/** Learn the server's clock from an instant that it has just written. */
export function setServerTime(text) {
  aheadMs = Date.parse(text) - Date.now();
}

/** Return now by the server's clock, milliseconds since the epoch. */
export function now() {
  return Date.now() + aheadMs;
}

/** Return an instant in `zone`, written with the given parts of `Intl.DateTimeFormat`. */
export function inZone(ms, zone, parts) {
  const key = JSON.stringify([tag(), zone, parts]);
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(tag(), { timeZone: zone, hourCycle: "h23", ...parts });
    formats.set(key, format);
  }
  return format.format(ms);
}

/** Return hours, minutes and seconds in `zone`. */
export function clockTime(ms, zone) {
  return inZone(ms, zone, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Return hours and minutes in `zone`. */
export function hourMinute(ms, zone) {
  return inZone(ms, zone, { hour: "2-digit", minute: "2-digit" });
}

/** Return day and month in `zone`. */
export function dayMonth(ms, zone) {
  return inZone(ms, zone, { day: "numeric", month: "short" });
}

/** Return day, month, hours, minutes and seconds in `zone`. */
export function dateTime(ms, zone) {
  return `${dayMonth(ms, zone)}, ${clockTime(ms, zone)}`;
}

/** Return how far `zone` is from UTC at an instant, milliseconds. */
export function offsetMs(ms, zone) {
  const key = `parts ${zone}`;
  let format = formats.get(key);
  if (format === undefined) {
    const numeric = Object.fromEntries(
      ["year", "month", "day", "hour", "minute", "second"].map((part) => [part, "numeric"]),
    );
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", ...numeric });
    formats.set(key, format);
  }
  const part = Object.fromEntries(
    format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second);
  return local - Math.floor(ms / 1000) * 1000;
}

/** Return the instant of a local time `2026-11-23T08:00` in `zone`, or NaN. */
export function instantOf(text, zone) {
  const local = Date.parse(`${text}Z`);
  return Number.isNaN(local) ? local : local - offsetMs(local - offsetMs(local, zone), zone);
}

/** Return `UTC+1`, `UTC−3:30` or `UTC` for `zone` at an instant. */
export function offsetName(ms, zone) {
  const minutes = Math.round(offsetMs(ms, zone) / MINUTE);
  if (minutes === 0) {
    return "UTC";
  }
  const rest = Math.abs(minutes) % 60;
  const hours = Math.floor(Math.abs(minutes) / 60);
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

/** Return a duration in its largest sensible unit: `12 s`, `3 min`, `2 h`, `5 d`. */
export function duration(ms) {
  const length = Math.abs(ms);
  const [key, size] =
    length < MINUTE
      ? ["duration.s", 1000]
      : length < HOUR
        ? ["duration.min", MINUTE]
        : length < 2 * DAY
          ? ["duration.h", HOUR]
          : ["duration.d", DAY];
  return t(key, { n: Math.floor(length / size) });
}
