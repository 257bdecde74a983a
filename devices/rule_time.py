"""The time part of a rule: where a device's own instant stands and how it is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.message import DecodeError, Defect
from core.reasons import Reason
from devices.instants import NS_PER_UNIT, epoch_ns, rfc3339_ns, zoned_ns
from devices.paths import ABSENT, look_up
from devices.profile import ProfileProblem, Segment, TimeRule
from devices.values import named_type

_SITE = "site"


class TimeReader:
    """One way of telling an instant.

    Args:
        rule: the rule.
        where: its place in the profile.

    Raises:
        ProfileProblem: the zone is unknown, or two formats cannot be told apart.
    """

    def __init__(self, rule: TimeRule, where: tuple[Segment, ...]) -> None:
        formats = (rule.format,) if isinstance(rule.format, str) else rule.format
        units = [NS_PER_UNIT[name] for name in formats if name in NS_PER_UNIT]
        if not formats or len(units) > 1 or len(set(formats)) != len(formats):
            raise ProfileProblem(
                (*where, "format"), "give iso8601, one epoch format, or one of each"
            )
        self.path = rule.path
        self.shown = ".".join(str(segment) for segment in rule.path)
        self.text = "iso8601" in formats
        self.ns_per_unit = units[0] if units else None
        self.site_zone = rule.zone == _SITE
        self.zone: ZoneInfo | None = None
        if rule.zone is not None and not self.site_zone:
            try:
                self.zone = ZoneInfo(rule.zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ProfileProblem(
                    (*where, "zone"), f"{rule.zone!r} is no IANA time zone such as Africa/Tunis"
                ) from None
        if rule.zone is not None and not self.text:
            raise ProfileProblem((*where, "zone"), "a zone belongs to the format iso8601")


class Times:
    """The instants of one message: each place is read once, each fault told once.

    Args:
        site: the site, for the error.
        zone: the site's zone, or None when the site is not registered.
        received_ns: when the message was received.
    """

    __slots__ = ("_known", "_received_ns", "_site", "_zone", "defects")

    def __init__(self, *, site: str, zone: ZoneInfo | None, received_ns: int) -> None:
        self._site = site
        self._zone = zone
        self._received_ns = received_ns
        self._known: dict[TimeReader, int | None] = {}
        self.defects: list[Defect] = []

    def read(self, reader: TimeReader, document: Any) -> int | None:
        """Return the instant, nanoseconds since the epoch; None when there is none to use.

        Raises:
            DecodeError: it is local time at a site that is not registered.
        """
        if reader not in self._known:
            try:
                self._known[reader] = self._read(reader, look_up(document, reader.path))
            except ValueError as error:
                self._known[reader] = None
                self.defects.append(
                    Defect(
                        Reason.DEVICE_CLOCK,
                        f"{reader.shown}: no instant can be read ({error}); the time of reception "
                        "stands instead",
                    )
                )
        return self._known[reader]

    def _read(self, reader: TimeReader, value: Any) -> int | None:
        if value is None or value is ABSENT:
            return None
        if type(value) is str and reader.text:
            zone = self._site_zone() if reader.site_zone else reader.zone
            if zone is None:
                return rfc3339_ns(value)
            return zoned_ns(value, zone=zone, near_ns=self._received_ns)
        if reader.ns_per_unit is not None and type(value) in {int, float, Decimal}:
            return epoch_ns(value, reader.ns_per_unit)
        raise ValueError(f"it is {named_type(value)}")

    def _site_zone(self) -> ZoneInfo:
        if self._zone is None:
            raise DecodeError(
                Reason.UNKNOWN_DEVICE,
                f"the device sends local time, and site {self._site[:60]!r} is not registered; "
                "register the site, then replay",
            )
        return self._zone
