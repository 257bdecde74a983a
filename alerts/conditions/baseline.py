"""What is usual at each time of the day or week: medians and spreads over the past seasons.

For each slot of the season: the usual value is the median, over the seasons, of the mean of the
slot and the two on either side (so that a steep morning is no spread, and a noise is less of one).
The spread is 1.4826 times the median distance of these slots' samples from what is usual in them,
which is the standard deviation where values are normal (Rousseeuw and Croux, JASA 88 (1993) 1273).
Up to half of the seasons may be wrong before either moves far.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BESIDE = 2
_SIGMA = 1.4826
_OF_RANGE = 1e-3
_FEWEST = 3

Samples = npt.NDArray[np.float32]
"""Seasons x slots; NaN where there was no value."""


def usual(samples: Samples, *, needed: int, extent: float) -> Samples:
    """Return two rows: what is usual in each slot, and the spread; NaN where it is not known.

    Args:
        samples: one value a slot, the seasons in order.
        needed: in how many seasons a slot has to have a value, at least 3; it or one beside it.
        extent: of what the quantity may be at all, for the least spread.

    A spread is at least the smallest step between two samples (the instrument's resolution); where
    all samples are equal, a thousandth of the extent.
    """
    near = _beside(samples)
    count = (~np.isnan(near)).sum(axis=0)
    means = np.nansum(near, axis=0) / np.where(count, count, np.nan)
    level = np.where((count > 0).sum(axis=0) >= max(_FEWEST, needed), _median(means), np.nan)
    apart = np.abs(_beside(samples - level)).reshape(-1, samples.shape[1])
    spread = np.maximum(_SIGMA * _median(apart), _least(samples, extent))
    found = np.stack((level, spread))
    return np.where(np.isnan(found).any(axis=0), np.nan, found).astype(np.float32)


def _beside(samples: Samples) -> Samples:
    """Return each slot, and those beside it, also across the end of a season."""
    width = samples.shape[1]
    line = np.pad(samples.ravel(), _BESIDE, constant_values=np.nan)
    places = np.arange(samples.size) + np.arange(2 * _BESIDE + 1)[:, None]
    found: Samples = line[places].reshape(2 * _BESIDE + 1, -1, width)
    return found


def _median(samples: Samples) -> Samples:
    """Return the median of each column without its NaN; NaN of none. NaN are sorted to the end."""
    ordered = np.sort(samples, axis=0)
    count = (~np.isnan(samples)).sum(axis=0)
    columns = np.arange(samples.shape[1])
    low = ordered[np.maximum(count - 1, 0) // 2, columns]
    high = ordered[np.minimum(count // 2, len(samples) - 1), columns]
    found: Samples = np.where(count > 0, (low + high) / 2, np.nan)
    return found


def _least(samples: Samples, extent: float) -> float:
    steps = np.diff(np.unique(samples[~np.isnan(samples)]))
    return float(steps.min()) if len(steps) else _OF_RANGE * extent
