"""The answers of `/v1/readings` that `api.analysis` computes."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from api.analysis.filling import Fill, FillLimit
from api.analysis.grouping import label_names, registered
from api.analysis.parameters import Refinements
from api.analysis.plots import Downsampling, read_plots
from api.analysis.rendering import answer_csv, answer_json, plots_csv, plots_json
from api.analysis.telemetry import Telemetry
from api.analysis.window_query import WindowQuery
from api.analysis.windows import read_answer
from api.reading_query import ReadingQuery
from api.services import Services
from api.times import in_zone
from api.windows import every_text
from storage.ports import Aggregate, Windows


def plots_body(
    services: Services,
    query: ReadingQuery,
    refined: Refinements,
    head: dict[str, Any],
    *,
    as_csv: bool,
) -> str | bytes:
    """Return every series reduced to `refined.max_points`; `head` has the range."""
    method = refined.downsample or Downsampling.LTTB
    points = refined.max_points or 0
    plots = read_plots(
        _telemetry(services), query, method=method, points=points, quality=refined.quality
    )
    if as_csv:
        return plots_csv(plots, zone=query.zone)
    head = {"kind": "plot", **head, "downsample": method.value, "max_points": points}
    return plots_json(plots, head, zone=query.zone)


def windows_body(  # noqa: PLR0917 - each is a part of the question
    services: Services,
    query: ReadingQuery,
    windows: Windows,
    aggregates: tuple[Aggregate, ...],
    refined: Refinements,
    head: dict[str, Any],
    *,
    as_csv: bool,
) -> tuple[str | bytes, dict[str, str] | None]:
    """Return every window of every series or group, and what came from roll-ups.

    `head` has the range.
    """
    asked = WindowQuery(
        windows=windows,
        aggregates=aggregates,
        group_by=refined.group_by,
        quality=refined.quality,
        fill=refined.fill or Fill.NULL,
        fill_limit=refined.fill_limit or FillLimit(),
        max_scanned=services.settings.api.max_scanned,
    )
    records = registered(services.registry, query.devices) if refined.group_by else None
    telemetry = _telemetry(services)
    answer = read_answer(telemetry, query, asked, records)
    rollups = None
    if telemetry.rolled_ns is not None:
        start_ns, end_ns = telemetry.rolled_ns
        rollups = shown_rollups(start_ns, end_ns, zone=query.zone)
    if as_csv:
        labels = label_names(refined.group_by) if refined.group_by else ("site", "device")
        return answer_csv(answer, asked, labels, zone=query.zone), rollups
    one = len(aggregates) == 1
    head = {
        "kind": "windows" if one else "aggregates",
        **head,
        "every": every_text(windows.every),
        **({"aggregate": aggregates[0]} if one else {"aggregates": aggregates}),
        "percentile": windows.percentile,
        "rollups": rollups,
    }
    if refined.group_by:
        head["group_by"] = refined.group_by
    if refined.fill is not None:
        head["fill"] = refined.fill
    return answer_json(answer, asked, head, zone=query.zone), rollups


def shown_rollups(start_ns: int, end_ns: int, *, zone: ZoneInfo) -> dict[str, str]:
    """Return what an answer says of the part that came from hourly roll-ups."""
    return {"resolution": "1h", "start": in_zone(start_ns, zone), "end": in_zone(end_ns, zone)}


def _telemetry(services: Services) -> Telemetry:
    return Telemetry(store=services.store, rolled=services.rolled)
