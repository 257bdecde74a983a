from __future__ import annotations

import statistics

from simulators.streams import SmoothNoise, stream


def test_a_stream_depends_on_the_seed_and_its_name_only() -> None:
    assert stream(1, "a", "b").random() == stream(1, "a", "b").random()
    assert stream(1, "a", "b").random() != stream(2, "a", "b").random()
    assert stream(1, "a", "b").random() != stream(1, "ab").random()


def test_smooth_noise_has_mean_0_and_variance_1() -> None:
    noise = SmoothNoise(stream(1, "noise"), shortest_s=60, longest_s=3600)
    values = [noise.at(10.0 * step) for step in range(50_000)]
    assert abs(statistics.fmean(values)) < 0.05
    assert abs(statistics.pvariance(values) - 1) < 0.1


def test_smooth_noise_is_smooth_and_the_same_in_any_order() -> None:
    noise = SmoothNoise(stream(1, "noise"), shortest_s=600, longest_s=3600)
    assert abs(noise.at(1000.0) - noise.at(1001.0)) < 0.05
    later = noise.at(9999.0)
    noise.at(1.0)
    assert noise.at(9999.0) == later
