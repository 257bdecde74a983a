"""The decoder that the tests of devices share: shipped profiles, both sites."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings

from core.message import Decoded, RawMessage
from devices.decoder import Decoder, Limits, shipped_bindings, shipped_profiles

SITES = {"elgazala": ZoneInfo("Africa/Tunis"), "diamniadio": ZoneInfo("Africa/Dakar")}
LIMITS = Limits(max_payload_bytes=256 * 1024, max_depth=32, max_readings=10_000)
RECEIVED_NS = 1_795_413_600_000_000_000  # 2026-11-23T06:00:00Z

settings.register_profile("unhurried", deadline=None)  # a loaded machine is no failure
settings.load_profile("unhurried")

Decode = Callable[[str, bytes | str], Decoded]


@pytest.fixture(scope="session")
def decoder() -> Decoder:
    return Decoder(
        profiles=shipped_profiles(), bindings=shipped_bindings(), sites=SITES, limits=LIMITS
    )


@pytest.fixture(scope="session")
def decode(decoder: Decoder) -> Decode:
    def decode(topic: str, payload: bytes | str) -> Decoded:
        raw = payload.encode() if isinstance(payload, str) else payload
        return decoder.decode(RawMessage(topic, raw, RECEIVED_NS))

    return decode
