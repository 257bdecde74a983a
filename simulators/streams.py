"""Independent streams of randomness: one for each purpose and each device.

A stream depends on the scenario's seed and on its own name only, so that adding a device to a
fleet, or a fault to a device, changes nothing for the others.
"""

from __future__ import annotations

import math
import random
from hashlib import blake2b


def stream(seed: int, *names: str) -> random.Random:
    """Return the stream called `names` of the run with this `seed`; equal names, equal stream."""
    text = "\x1f".join((str(seed), *names))
    key = blake2b(text.encode(), digest_size=16).digest()
    return random.Random(int.from_bytes(key, "big"))  # noqa: S311 - repeatable on purpose


class SmoothNoise:
    """A wandering signal of mean 0 and variance 1, as a pure function of time.

    A sum of sinusoids whose periods are spread evenly over a range of scales: it may be evaluated
    at any instant, in any order, and two devices that share a stream see the same signal.

    Args:
        rng: where phases and periods come from.
        shortest_s: shortest period, seconds.
        longest_s: longest period, seconds.
        terms: number of sinusoids.
    """

    def __init__(
        self, rng: random.Random, *, shortest_s: float, longest_s: float, terms: int = 6
    ) -> None:
        span = math.log(longest_s / shortest_s)
        self._terms = tuple(
            (
                math.tau / (shortest_s * math.exp(span * (number + rng.random()) / terms)),
                rng.uniform(0.0, math.tau),
            )
            for number in range(terms)
        )
        self._amplitude = math.sqrt(2.0 / terms)

    def at(self, time_s: float) -> float:
        """Return the signal at `time_s`, seconds since the epoch."""
        total = 0.0
        for w, phase in self._terms:
            total += math.sin(w * time_s + phase)
        return self._amplitude * total
