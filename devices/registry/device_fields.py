"""What the fields of a device may hold."""

from __future__ import annotations

import math
from collections.abc import Iterator

from core.errors import ConfigurationError
from core.identity import checked_slug
from devices.registry.labels import check_labels
from devices.registry.records import Device
from devices.registry.tables import NAME, SLUG
from devices.registry.text import check_text

_LENGTHS = {
    "site": SLUG,
    "profile": SLUG,
    "external_id": NAME,
    "name": NAME,
    "building": NAME,
    "zone": NAME,
    "hardware_id": NAME,
}
_REQUIRED = ("site", "profile", "external_id")


def field_mistakes(device: Device) -> Iterator[tuple[str, str]]:
    """Yield (field, sentence) for each field that cannot be right."""
    for field in ("id", *_LENGTHS, "interval_s", "labels"):
        try:
            _check(device, field)
        except ConfigurationError as error:
            yield field, error.detail


def check_device(device: Device) -> Device:
    """Return the device when its fields can be right.

    Raises:
        ConfigurationError: some cannot; the sentence names the device and each of them.
    """
    mistakes = [sentence for _, sentence in field_mistakes(device)]
    if mistakes:
        raise ConfigurationError(f"device {device.id[:80]!r}: {'; '.join(mistakes)}")
    return device


def _check(device: Device, field: str) -> None:
    if field == "id":
        checked_slug(device.id, what="device")
    elif field == "interval_s":
        seconds = device.interval_s
        if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
            raise ConfigurationError(
                f"interval_s must be a number of seconds greater than 0, not {seconds:g}"
            )
    elif field == "labels":
        check_labels(device)
    else:
        text = check_text(getattr(device, field), what=field, longest=_LENGTHS[field])
        if field in _REQUIRED and not text.strip():
            raise ConfigurationError(f"{field} is missing")
