/** What alerts add to a chart: when they lasted, the limits, and the values that decided. */

import { svg } from "./elements.js";

const NARROWEST = 2;
const TEXT = 11;
const ABOVE = -5;
const BELOW = 13;

/** Return how far an axis has to reach beyond the values: to every limit. */
export function reach(overlay) {
  return overlay ? overlay.limits.map((limit) => limit.value) : [];
}

/**
 * Return shades over the times in which alerts lasted.
 *
 * Of the limits, `back` are those inside which a value has to come back before it is over.
 *
 * @param overlay `{spans: [{from, to, severity}], limits: [{value, text, back}], decided: [{ms, value}]}`,
 *     or null.
 * @param box `{x, y, from, to, left, right, top, bottom}`: scales, the range, and where it is drawn.
 */
export function spanShapes(overlay, { x, from, to, top, bottom }) {
  return (overlay?.spans ?? [])
    .filter((span) => span.to > from && span.from < to)
    .map((span) => {
      const [left, right] = [x(Math.max(span.from, from)), x(Math.min(span.to, to))];
      const width = Math.max(NARROWEST, right - left);
      const begins = span.from >= from;
      return svg(
        "g",
        { class: `span ${span.severity}` },
        svg("rect", { class: "shade", x: left, y: top, width, height: bottom - top }),
        svg("rect", { class: "cap", x: left, y: top - 4, width, height: 4 }),
        ...(begins ? [svg("line", { x1: left, x2: left, y1: top, y2: bottom })] : []),
      );
    });
}

/** Return a dashed line with its number for each limit. */
export function limitShapes(overlay, { y, left, right, top, bottom }) {
  const limits = overlay?.limits ?? [];
  return limits.map((limit) => {
    const at = y(limit.value);
    const line = svg("line", { x1: left, x2: right, y1: at, y2: at });
    const beside = at + aside(limit, limits, { at, top, bottom });
    const number = svg("text", { x: right - 2, y: beside }, limit.text);
    return svg("g", { class: limit.back ? "limit back" : "limit" }, line, number);
  });
}

/** Return how far below its line a number stands: away from the other limits, and in the plot. */
function aside(limit, limits, { at, top, bottom }) {
  const below = limits.some((other) => other.value > limit.value);
  if (below ? at + BELOW > bottom : at + ABOVE - TEXT < top) {
    return below ? ABOVE : BELOW;
  }
  return below ? BELOW : ABOVE;
}

/** Return a ring around each value that decided. */
export function decidedShapes(overlay, { x, y, from, to }) {
  return (overlay?.decided ?? [])
    .filter((point) => point.ms >= from && point.ms <= to)
    .map((point) => svg("circle", { class: "decided", cx: x(point.ms), cy: y(point.value), r: 5 }));
}
