/** A line chart in SVG: gaps stay gaps, times are in the site's zone, one point can be read out. */

import { timeMarks, valueAxis } from "./axes.js";
import { element, setAttribute, setText, svg } from "./elements.js";
import { t } from "./language.js";
import { numberText, unitText, valueText } from "./numbers.js";
import { decidedShapes, limitShapes, reach, spanShapes } from "./overlays.js";
import { clockTime, DAY, dayMonth, hourMinute, inZone } from "./times.js";

const HEIGHT = 270;
const TOP = 26;
const BOTTOM = 26;
const RIGHT = 14;
const MARK_ROOM = 64;
const DIGIT_WIDTH = 7.2;
const DOT_BELOW = 90;

let charts = 0;

export class Chart {
  #plot;
  #scrub;
  #readout;
  #shown = null;
  #scale = null;
  #cursor = null;
  #picked = null;
  #hatch = `hatch-${(charts += 1)}`;

  /**
   * @param plot where the drawing goes.
   * @param scrub the range input that moves the cursor by keyboard.
   * @param readout where the value under the cursor is written.
   */
  constructor({ plot, scrub, readout }) {
    this.#plot = plot;
    this.#scrub = scrub;
    this.#readout = readout;
    new ResizeObserver(() => this.#draw()).observe(plot);
    plot.addEventListener("pointermove", (event) => this.#pointAt(event));
    plot.addEventListener("pointerdown", (event) => this.#pointAt(event));
    plot.addEventListener("pointerleave", () => this.#pick(null));
    scrub.addEventListener("input", () => this.#pick(this.#points()[scrub.valueAsNumber]));
    scrub.addEventListener("focus", () => this.#pick(this.#points()[scrub.valueAsNumber]));
    scrub.addEventListener("blur", () => this.#pick(null));
  }

  /**
   * Show `{series, quantity, zone, overlay}` (see `series.js`, `overlays.js`); null: nothing.
   * `overlay` may be left out.
   */
  show(shown) {
    const follows = this.#scrub.value === this.#scrub.max;
    this.#shown = shown;
    setAttribute(this.#scrub, "max", Math.max(0, this.#points().length - 1));
    if (follows) {
      this.#scrub.value = this.#scrub.max;
    }
    this.#draw();
  }

  #points() {
    return this.#shown?.series.points ?? [];
  }

  #draw() {
    const width = Math.floor(this.#plot.clientWidth);
    if (this.#shown === null || width === 0) {
      this.#plot.replaceChildren();
      this.#pick(null);
      return;
    }
    const { series, quantity, overlay = null } = this.#shown;
    const axis = axisOf(series.points, quantity, reach(overlay));
    const labels = axis.marks.map((value) => markText(value, axis, quantity));
    const left = 12 + Math.max(...labels.map((label) => label.length)) * DIGIT_WIDTH;
    const x = (ms) => left + ((ms - series.from) / (series.to - series.from)) * (width - left - RIGHT);
    const y = (value) =>
      HEIGHT - BOTTOM - ((value - axis.low) / (axis.high - axis.low)) * (HEIGHT - TOP - BOTTOM);
    this.#scale = { x, y };
    const range = { from: series.from, to: series.to };
    const box = { x, y, ...range, left, right: width - RIGHT, top: TOP, bottom: HEIGHT - BOTTOM };
    this.#cursor = svg("g", { class: "cursor", visibility: "hidden" });
    const picture = svg(
      "svg",
      { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img" },
      hatching(this.#hatch),
      ...gapShades(series.gaps, x, this.#hatch),
      ...spanShapes(overlay, box),
      ...valueGrid(axis, labels, box),
      ...this.#timeGrid({ x, room: width - left - RIGHT }),
      ...series.pieces.flatMap((piece) => pieceShapes(piece, { x, y, quantity })),
      ...limitShapes(overlay, box),
      ...decidedShapes(overlay, box),
      this.#cursor,
    );
    const unit = quantity.type === "boolean" ? "" : unitText(quantity.unit);
    if (unit) {
      picture.append(svg("text", { class: "unit", x: 2, y: 14 }, unit));
    }
    if (series.points.length === 0) {
      const middle = { class: "nothing", x: (left + width - RIGHT) / 2, y: HEIGHT / 2 };
      picture.append(svg("text", middle, t("chart.nothing")));
    } else {
      const last = series.points.at(-1);
      picture.append(svg("circle", { class: "end", cx: x(last.ms), cy: y(last.value), r: 3.5 }));
    }
    setAttribute(picture, "aria-label", this.#summary());
    this.#plot.replaceChildren(picture);
    this.#pick(this.#picked && closest(this.#points(), this.#picked.ms));
  }

  #timeGrid({ x, room }) {
    const { series, zone } = this.#shown;
    const days = series.to - series.from > 2 * DAY;
    return timeMarks(series.from, series.to, zone, Math.max(2, room / MARK_ROOM)).map((mark) => {
      const at = x(mark.ms);
      const text = days
        ? inZone(mark.ms, zone, { weekday: "short", day: "numeric" })
        : mark.midnight
          ? dayMonth(mark.ms, zone)
          : hourMinute(mark.ms, zone);
      return svg(
        "g",
        { class: mark.midnight ? "time midnight" : "time" },
        svg("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }),
        svg("text", { x: at, y: HEIGHT - 8 }, text),
      );
    });
  }

  #summary() {
    const { series, quantity, zone } = this.#shown;
    const last = series.points.at(-1);
    return t(last ? "chart.summary" : "chart.summary_empty", {
      from: when({ from: series.from, to: series.from }, zone),
      to: when({ from: series.to, to: series.to }, zone),
      count: series.points.length,
      gaps: series.gaps.length,
      last: last ? valueText(last.value, quantity) : "",
    });
  }

  #pointAt(event) {
    if (this.#scale === null || this.#points().length === 0) {
      return;
    }
    const { series } = this.#shown;
    const left = this.#scale.x(series.from);
    const share = (event.clientX - this.#plot.getBoundingClientRect().left - left) /
      (this.#scale.x(series.to) - left);
    this.#pick(closest(this.#points(), series.from + share * (series.to - series.from)));
  }

  #pick(point) {
    this.#picked = point ?? null;
    this.#readout.hidden = !point;
    this.#cursor?.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point || this.#scale === null) {
      return;
    }
    const at = this.#scale.x(point.ms);
    this.#cursor.replaceChildren(
      svg("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }),
      svg("circle", { cx: at, cy: this.#scale.y(point.value), r: 4.5 }),
    );
    const { quantity, zone } = this.#shown;
    const value = valueText(point.value, quantity);
    const time = when(point, zone);
    this.#readout.replaceChildren(element("strong", {}, value), element("span", {}, time));
    if (point.low !== null) {
      const band = t("chart.band", {
        low: valueText(point.low, quantity),
        high: valueText(point.high, quantity),
      });
      this.#readout.append(element("span", {}, band));
    }
    const room = this.#plot.clientWidth - this.#readout.offsetWidth;
    this.#readout.style.left = `${Math.min(Math.max(0, at - this.#readout.offsetWidth / 2), room)}px`;
    this.#scrub.value = String(this.#points().indexOf(point));
    setAttribute(this.#scrub, "aria-valuetext", `${time}: ${value}`);
  }
}

/** Write in `caption` how the values were made and in which zone the times are. */
export function describe(caption, { series, zoneText }) {
  const made = t(`made.${series.aggregate ?? "raw"}`, { every: everyText(series.every) });
  const parts = [made, zoneText, gapText(series.gaps.length)];
  setText(caption, parts.filter(Boolean).join(" · "));
}

function everyText(every) {
  return every === null ? "" : every.replace(/[a-z]/, "\u202f$&");
}

function gapText(gaps) {
  return gaps === 0 ? "" : gaps === 1 ? t("chart.gap") : t("chart.gaps", { n: gaps });
}

function axisOf(points, quantity, further) {
  if (quantity.type === "boolean") {
    return { low: -0.1, high: 1.1, step: 1, marks: [0, 1], digits: 0 };
  }
  const own = points.flatMap((point) => [point.low ?? point.value, point.high ?? point.value]);
  const values = [...own, ...further];
  return values.length ? valueAxis(Math.min(...values), Math.max(...values), 5) : valueAxis(0, 1, 5);
}

function markText(value, axis, quantity) {
  return quantity.type === "boolean" ? valueText(value, quantity) : numberText(value, axis.digits);
}

function valueGrid(axis, labels, { y, left, right }) {
  return axis.marks.map((value, index) =>
    svg(
      "g",
      { class: "value" },
      svg("line", { x1: left, x2: right, y1: y(value), y2: y(value) }),
      svg("text", { x: left - 8, y: y(value) + 4 }, labels[index]),
    ),
  );
}

/** Of each chart its own: a pattern in a part of the page that is hidden is drawn nowhere. */
function hatching(id) {
  const pattern = { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" };
  return svg("defs", {}, svg("pattern", pattern, svg("path", { class: "hatch", d: "M0 6L6 0" })));
}

function gapShades(gaps, x, hatch) {
  return gaps.map(({ from, to }) => {
    const box = { class: "gap", x: x(from), y: TOP, width: x(to) - x(from) };
    return svg("rect", { ...box, height: HEIGHT - TOP - BOTTOM, fill: `url(#${hatch})` });
  });
}

function pieceShapes(piece, { x, y, quantity }) {
  if (piece.length === 1) {
    const [only] = piece;
    return [svg("circle", { class: "lone", cx: x(only.ms), cy: y(only.value), r: 2.5 })];
  }
  const shapes = [];
  if (piece[0].low !== null) {
    const over = piece.map((point) => `${round(x(point.ms))} ${round(y(point.high))}`);
    const under = piece.map((point) => `${round(x(point.ms))} ${round(y(point.low))}`).reverse();
    shapes.push(svg("path", { class: "band", d: `M${over.join("L")}L${under.join("L")}Z` }));
  }
  const steps = quantity.type === "boolean";
  const line = piece
    .map((point, index) => {
      const [px, py] = [round(x(point.ms)), round(y(point.value))];
      return index === 0 ? `M${px} ${py}` : steps ? `H${px}V${py}` : `L${px} ${py}`;
    })
    .join("");
  shapes.push(svg("path", { class: "line", d: line }));
  if (piece.length < DOT_BELOW && x(piece.at(-1).ms) - x(piece[0].ms) > piece.length * 14) {
    shapes.push(
      ...piece.map((point) => svg("circle", { class: "dot", cx: x(point.ms), cy: y(point.value), r: 2 })),
    );
  }
  return shapes;
}

function closest(points, ms) {
  return points.reduce(
    (best, point) => (Math.abs(point.ms - ms) < Math.abs(best.ms - ms) ? point : best),
    points[0],
  );
}

function when({ from, to }, zone) {
  return from === to
    ? `${dayMonth(from, zone)} ${clockTime(from, zone)}`
    : `${dayMonth(from, zone)} ${hourMinute(from, zone)} – ${hourMinute(to, zone)}`;
}

function round(pixels) {
  return Math.round(pixels * 10) / 10;
}
