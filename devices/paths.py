"""Following a path of keys and indexes through a document of objects and lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from devices.profile import Segment


class _Absent:
    """The marker for a place that is not in the document."""


ABSENT: Final[Any] = _Absent()
"""What `look_up` returns when there is nothing; not the same as null."""


def look_up(document: Any, path: Sequence[Segment]) -> Any:
    """Return the value at `path`, or `ABSENT`."""
    value = document
    for segment in path:
        if type(value) is dict:
            value = value.get(segment, ABSENT)
        elif type(value) is list and isinstance(segment, int) and 0 <= segment < len(value):
            value = value[segment]
        else:
            return ABSENT
    return value
