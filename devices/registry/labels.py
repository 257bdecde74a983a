"""Labels of devices: what they may be, and as text: `floor=2;gateway=elg-gw-1`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from core.errors import ConfigurationError
from core.identity import checked_slug
from devices.registry.records import Device
from devices.registry.rule_tables import LABEL
from devices.registry.text import check_text

GATEWAY = "gateway"
"""The label that names the device through which a device speaks."""
MOST_LABELS = 32
"""Most labels of one device."""
SEPARATOR = ";"
_NAME = re.compile(r"[a-z0-9._-]{1,64}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f;]+")


def check_labels(device: Device) -> None:
    """Return when the labels of a device can be right.

    Raises:
        ConfigurationError: one cannot, or there are too many; the sentence names it.
    """
    labels = device.labels
    if len(labels) > MOST_LABELS:
        raise ConfigurationError(f"{len(labels)} labels are too many; {MOST_LABELS} are the most")
    for name, value in labels.items():
        _check(name, value)
    gateway = labels.get(GATEWAY)
    if gateway is not None:
        checked_slug(gateway, what=f"label {GATEWAY}: device")
        if gateway == device.id:
            raise ConfigurationError(f"label {GATEWAY} names the device itself; name another one")


def parse_label(text: str) -> tuple[str, str]:
    """Return the name and the value of `floor=2`; the value may be empty.

    Raises:
        ConfigurationError: it has not that form.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise ConfigurationError(f"{text[:80]!r} is no label; write name=value, such as floor=2")
    return name, value


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """Return the labels of texts such as `floor=2`.

    Raises:
        ConfigurationError: one has not that form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, value = parse_label(text)
        if name in found:
            raise ConfigurationError(f"label {name[:80]!r} comes twice")
        found[name] = value
    return found


def split_labels(text: str) -> list[str]:
    """Return the parts of labels that are written as one text."""
    return [part for part in text.split(SEPARATOR) if part.strip()]


def label_text(labels: Mapping[str, str]) -> str:
    """Return labels as one text, by name."""
    return SEPARATOR.join(f"{name}={labels[name]}" for name in sorted(labels))


def _check(name: str, value: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"label name {name[:80]!r} must be 1 to 64 of a-z, 0-9, '.', '_', '-'"
        )
    check_text(value, what=f"label {name}", longest=LABEL)
    if _VALUE.fullmatch(value) is None or value != value.strip():
        raise ConfigurationError(
            f"label {name} must have a value of one line, without ';' and without spaces at its "
            f"ends, not {value[:80]!r}"
        )
