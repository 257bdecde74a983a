"""The stored values around an alert: which devices and quantities, and how far back."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from alerts.model import Subject
from alerts.rules.inventory import Placed, fits, inventory_of, subject_of
from alerts.rules.lookback import lookback_ns
from alerts.rules.looks_at import quantities_of
from alerts.rules.model import Condition, Override, Rule
from api.alerting.rights import AlertRights, Shown
from api.analysis.m4 import LEAST_POINTS
from api.analysis.plots import Downsampling, Plot, read_plots
from api.analysis.quality import EVERY_QUALITY
from api.analysis.telemetry import Telemetry
from api.reading_query import ReadingQuery
from api.services import Services
from core.clock import NS_PER_S
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from devices.registry.alert_records import AlertRecord
from storage.ports import PointReader

_MINUTE_NS = 60 * NS_PER_S
_DAY_NS = 86_400 * NS_PER_S
LEAST_BEFORE_NS, MOST_BEFORE_NS = 30 * _MINUTE_NS, 31 * _DAY_NS
"""How far before its beginning values are shown, at least and at most."""
AFTER_NS = 15 * _MINUTE_NS
MOST_LONG_NS = 7 * _DAY_NS
"""How long after its beginning values are shown, of one that goes on for long."""
MOST_DEVICES = 20
_MOST_QUANTITIES = 8
_POINTS = 400


class Around(msgspec.Struct, frozen=True):
    """Where to look.

    Attributes:
        devices: whose values are shown, those that decided first.
        left_out: how many devices of the subject are not.
        start_ns: from when on.
        end_ns: until when, exclusive.
    """

    devices: tuple[DeviceKey, ...]
    left_out: int
    start_ns: int
    end_ns: int


def counted_override(rule: Rule, alert: AlertRecord) -> tuple[int, Override] | None:
    """Return the override that decided, with its number, as the evaluator chooses it."""
    for number in range(len(rule.overrides), 0, -1):
        one = rule.overrides[number - 1]
        if one.expires_ns > alert.at_ns and is_about(one, alert):
            return number, one
    return None


def is_about(override: Override, alert: AlertRecord) -> bool:
    """Tell whether an override is about an alert's subject."""
    if override.device:
        return alert.device == override.device
    return alert.person == override.person


def around(services: Services, shown: Shown, rule: Rule | None, *, now_ns: int) -> Around:
    """Return where values around an alert are looked for."""
    alert = shown.record
    decided = [DeviceKey(one.site, one.device) for one in shown.evidence]
    members = _members(services, alert, rule)
    found = tuple(dict.fromkeys([*decided, *(DeviceKey(one.site, one.device) for one in members)]))
    back_ns = LEAST_BEFORE_NS
    if rule is not None:
        slowest = max((one.interval_s or 0.0 for one in members), default=0.0)
        back_ns = max(back_ns, lookback_ns(rule, interval_s=slowest or 60.0))
    begun_ns = alert.at_ns if alert.since_ns is None else alert.since_ns
    last_ns = now_ns if alert.until_ns is None else alert.until_ns + AFTER_NS
    start_ns = max(0, begun_ns - min(back_ns, MOST_BEFORE_NS))
    end_ns = max(start_ns + 1, min(last_ns, alert.at_ns + MOST_LONG_NS))
    return Around(found[:MOST_DEVICES], max(0, len(found) - MOST_DEVICES), start_ns, end_ns)


def quantities_around(
    services: Services,
    rights: AlertRights,
    shown: Shown,
    condition: Condition | None,
    devices: Sequence[DeviceKey],
) -> tuple[str, ...]:
    """Return the quantities whose values are shown; each may be read at the alert's site."""
    alert = shown.record
    names = {one.quantity for one in shown.evidence} | {alert.quantity}
    if condition is not None:
        names |= quantities_of(condition)
    known = sorted(name for name in names if name in CATALOGUE)
    if not known and devices:
        known = sorted({one.quantity for one in services.newest.of(devices)})
    allowed = [name for name in known if rights.reads(alert.site, name)]
    return tuple(allowed[:_MOST_QUANTITIES])


def series_around(
    services: Services,
    store: PointReader,
    where: Around,
    quantities: tuple[str, ...],
    zone: ZoneInfo,
) -> list[Plot]:
    """Return stored values, each series reduced to what a plot can show.

    Raises:
        ForbiddenError: the caller may not read one of the quantities.
        StoreUnavailableError: the store does not answer.
    """
    if not where.devices or not quantities:
        return []
    most = services.settings.api.max_points
    fitting = most // (len(where.devices) * len(quantities))
    query = ReadingQuery(
        devices=where.devices,
        quantities=quantities,
        start_ns=where.start_ns,
        end_ns=where.end_ns,
        zone=zone,
        max_points=most,
    )
    return read_plots(
        Telemetry(store=store, rolled=services.rolled),
        query,
        method=Downsampling.M4,
        points=max(LEAST_POINTS, min(_POINTS, fitting)),
        quality=EVERY_QUALITY,
    )


def _members(services: Services, alert: AlertRecord, rule: Rule | None) -> list[Placed]:
    """Return the devices of an alert's subject."""
    if rule is None:
        return [Placed(alert.site, alert.device)] if alert.device else []
    subject = Subject(
        alert.site,
        building=alert.building,
        zone=alert.zone,
        device=alert.device,
        quantity=alert.quantity,
        person=alert.person,
    )
    return [
        one
        for one in inventory_of(services.registry, at_ns=alert.at_ns).devices
        if fits(rule.select, one) and subject_of(rule, one, alert.quantity) == subject
    ]
