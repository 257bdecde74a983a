/** Values with their units, as people write them. The API speaks UCUM. */

import { named, t, tag } from "./language.js";
import { duration } from "./times.js";

/** UCUM codes that people write otherwise; those in braces are words, in the locale files. */
const WRITTEN = {
  "1": "",
  Cel: "°C",
  deg: "°",
  "[ppm]": "ppm",
  "[ppb]": "ppb",
  "[pH]": "pH",
  "[NTU]": "NTU",
  "mm[Hg]": "mmHg",
  "dB[mW]": "dBm",
  "kW.h": "kWh",
  "ug/m3": "µg/m³",
  "Bq/m3": "Bq/m³",
  "W/m2": "W/m²",
  "uS/cm": "µS/cm",
  m3: "m³",
};
const BYTES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
const NARROW_SPACE = "\u202f";
const HUGE = 1e6;

/** Return the unit as people write it; empty for a pure number. */
export function unitText(unit) {
  const word = /^\{(\w+)\}$/.exec(unit);
  return word ? named("unit", word[1]) : (WRITTEN[unit] ?? unit);
}

/** Return a whole number with its thousands apart. */
export function whole(n) {
  return new Intl.NumberFormat(tag(), { maximumFractionDigits: 0 }).format(n);
}

/** Return a share (0 to 1) in per cent. */
export function shareText(share) {
  return new Intl.NumberFormat(tag(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** Return a value without its unit, with as many decimals as are of use. */
export function numberText(value, digits = sensibleDigits(value)) {
  return new Intl.NumberFormat(tag(), {
    maximumFractionDigits: digits,
    minimumFractionDigits: Math.abs(value) >= 1 ? Math.min(digits, 1) : 0,
    notation: Math.abs(value) >= HUGE ? "compact" : "standard",
  }).format(value);
}

/** Return a value with its unit: `21.4 °C`, `yes`, `3 h`, `12 MB`. */
export function valueText(value, quantity) {
  if (quantity.type === "boolean") {
    return t(value >= 0.5 ? "value.yes" : "value.no");
  }
  if (quantity.unit === "s") {
    return duration(value * 1000);
  }
  if (quantity.unit === "By") {
    return bytesText(value);
  }
  const unit = unitText(quantity.unit);
  return unit ? `${numberText(value)}${NARROW_SPACE}${unit}` : numberText(value);
}

/** Return a size. */
export function bytesText(bytes) {
  const power = Math.min(BYTES.length - 1, Math.max(0, Math.floor(Math.log10(bytes || 1) / 3)));
  return new Intl.NumberFormat(tag(), {
    style: "unit",
    unit: BYTES[power],
    unitDisplay: "short",
    maximumFractionDigits: power ? 1 : 0,
  }).format(bytes / 1000 ** power);
}

function sensibleDigits(value) {
  const size = Math.abs(value);
  return Number.isInteger(value) || size >= 10_000 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
}
