"""Which values count, by what is known of their quality."""

from __future__ import annotations

import msgspec

from api.parameters import split_list
from api.problems import InvalidParameterError
from core.quality import Quality

GOOD = "good"
"""Stands for values without any flag."""
_FLAGS = {(flag.name or "").lower(): int(flag) for flag in Quality}


class QualityFilter(msgspec.Struct, frozen=True):
    """A value is kept when it passes both lists.

    Attributes:
        allowed: names as asked; a value is kept when every flag it has is among them, one without
            flags when `good` is. Empty: all are.
        excluded: names as asked; a value is not kept when it has one of these flags (`good`: when
            it has none).
    """

    allowed: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        """Whether there is anything to leave out."""
        return bool(self.allowed or self.excluded)

    def keeps(self, mask: int) -> bool:
        """Tell whether a value with these flags is kept."""
        if not mask:
            return (not self.allowed or GOOD in self.allowed) and GOOD not in self.excluded
        if self.allowed and mask & ~_mask(self.allowed):
            return False
        return not mask & _mask(self.excluded)


EVERY_QUALITY = QualityFilter()
"""Keeps every value."""


def chosen_quality(allowed: list[str] | None, excluded: list[str] | None) -> QualityFilter:
    """Return the filter that the parameters `quality` and `exclude_quality` mean.

    Raises:
        InvalidParameterError: a name is no flag, or nothing at all could pass.
    """
    chosen = QualityFilter(
        allowed=_names(allowed, parameter="quality"),
        excluded=_names(excluded, parameter="exclude_quality"),
    )
    for parameter, given, names in (
        ("quality", allowed, chosen.allowed),
        ("exclude_quality", excluded, chosen.excluded),
    ):
        if given is not None and not names:
            raise InvalidParameterError(parameter, f"names no flag; use {_known()}")
    if chosen.allowed and set(chosen.allowed) <= set(chosen.excluded):
        raise InvalidParameterError(
            "exclude_quality", "leaves out everything that quality allows; take one of them away"
        )
    return chosen


def _names(values: list[str] | None, *, parameter: str) -> tuple[str, ...]:
    names = split_list(values)
    for name in names:
        if name != GOOD and name not in _FLAGS:
            raise InvalidParameterError(
                parameter, f"{name[:40]!r} is no quality flag; use {_known()}"
            )
    return names


def _known() -> str:
    return ", ".join([GOOD, *_FLAGS])


def _mask(names: tuple[str, ...]) -> int:
    return sum(_FLAGS[name] for name in names if name != GOOD)
