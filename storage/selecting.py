"""What every backend does with a selection before and after it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from core.quantities import quantity
from core.reading import DeviceKey, Reading
from storage.ports import Page, Position, Selection, WindowValue
from storage.refusal import EARLIEST_NS, LATEST_NS, tag_problem

Series = tuple[str, str, str]
"""Site, device, quantity."""


def storable_devices(devices: Sequence[DeviceKey]) -> list[DeviceKey]:
    """Return the devices, each once, without those whose name no store can hold.

    Such a device has no points; its name must not reach a query language.
    """
    return [
        key
        for key in dict.fromkeys(devices)
        if tag_problem(key.site) is None and tag_problem(key.device) is None
    ]


def known_quantities(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the quantities asked for, each once, by the category that holds them.

    Raises:
        UnknownQuantityError: one is not in the catalogue.
    """
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found.setdefault(quantity(name).category.value, []).append(name)
    return found


def within_bounds(selection: Selection) -> Selection:
    """Return the selection with its range cut to the instants that can be stored."""
    return msgspec.structs.replace(
        selection,
        start_ns=max(selection.start_ns, EARLIEST_NS),
        end_ns=min(selection.end_ns, LATEST_NS + 1),
    )


def checked_limit(limit: int) -> int:
    """Return `limit`.

    Raises:
        ValueError: it is below 1.
    """
    if limit < 1:
        raise ValueError(f"a page holds at least one reading, not {limit}")
    return limit


def position_of(reading: Reading) -> Position:
    """Return where `reading` stands in the order of raw reads."""
    return Position(reading.time_ns, reading.site, reading.device, reading.quantity)


def page_of(readings: Sequence[Reading], *, limit: int) -> Page:
    """Return the first `limit` of some readings in order, with where to go on if there are more."""
    if len(readings) <= limit:
        return Page(tuple(readings))
    return Page(tuple(readings[:limit]), after=position_of(readings[limit - 1]))


def window_values(
    selection: Selection,
    edges: Sequence[int],
    found: Mapping[Series, Mapping[int, tuple[float, int]]],
) -> list[WindowValue]:
    """Return one value per series and window, gaps included, in the order of the port.

    Args:
        selection: gives the series, in their order.
        edges: of the windows.
        found: by series and window index: the aggregate and how many values it is of.
    """
    windows = list(enumerate(pairwise(edges)))
    answer: list[WindowValue] = []
    for key in dict.fromkeys(selection.devices):
        for name in dict.fromkeys(selection.quantities):
            values = found.get((key.site, key.device, name), {})
            for index, (start_ns, end_ns) in windows:
                value, count = values.get(index, (None, 0))
                answer.append(
                    WindowValue(key.site, key.device, name, start_ns, end_ns, value, count)
                )
    return answer
