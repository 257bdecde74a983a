"""The answers of `/v1/readings` that `api.analysis` computes."""

from __future__ import annotations

from typing import Any

from api.analysis.filling import Fill, FillLimit
from api.analysis.grouping import label_names, registered
from api.analysis.parameters import Refinements
from api.analysis.plots import Downsampling, read_plots
from api.analysis.rendering import answer_csv, answer_json, plots_csv, plots_json
from api.analysis.window_query import WindowQuery
from api.analysis.windows import read_answer
from api.reading_query import ReadingQuery
from api.services import Services
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
    plots = read_plots(services.store, query, method=method, points=points, quality=refined.quality)
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
) -> str | bytes:
    """Return every window of every series or group; `head` has the range."""
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
    answer = read_answer(services.store, query, asked, records)
    if as_csv:
        labels = label_names(refined.group_by) if refined.group_by else ("site", "device")
        return answer_csv(answer, asked, labels, zone=query.zone)
    one = len(aggregates) == 1
    head = {
        "kind": "windows" if one else "aggregates",
        **head,
        "every": every_text(windows.every),
        **({"aggregate": aggregates[0]} if one else {"aggregates": aggregates}),
        "percentile": windows.percentile,
    }
    if refined.group_by:
        head["group_by"] = refined.group_by
    if refined.fill is not None:
        head["fill"] = refined.fill
    return answer_json(answer, asked, head, zone=query.zone)
