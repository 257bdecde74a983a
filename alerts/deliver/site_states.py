"""How many alerts are open at each site: what a lamp shows that begins to listen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from alerts.model import Severity
from devices.registry.alert_records import AlertRecord, AlertState

PLATFORM = "platform"
"""Stands for the site in topics about the platform itself."""


class SiteState(msgspec.Struct, frozen=True):
    """The open alerts of a site.

    Attributes:
        firing: severity -> how many fire and nobody looks after.
        acknowledged: severity -> how many somebody looks after.
        muted: how many are silenced, or explained by another one; they are in neither count.
        worst: severity of the gravest one that fires, or "".
    """

    firing: Mapping[str, int]
    acknowledged: Mapping[str, int]
    muted: int
    worst: str


def site_states(sites: Iterable[str], alerts: Iterable[AlertRecord]) -> dict[str, SiteState]:
    """Return the state of each site, and of the platform.

    Args:
        sites: all site slugs: one without alerts has a state too.
        alerts: the open ones.
    """
    firing: dict[str, Counter[str]] = {site: Counter() for site in (*sites, PLATFORM)}
    acknowledged: dict[str, Counter[str]] = {site: Counter() for site in firing}
    muted: Counter[str] = Counter()
    for one in alerts:
        site = one.site or PLATFORM
        firing.setdefault(site, Counter())
        acknowledged.setdefault(site, Counter())
        if one.silence or one.cause:
            muted[site] += 1
        elif one.state == AlertState.ACKNOWLEDGED:
            acknowledged[site][one.severity] += 1
        elif one.state == AlertState.FIRING:
            firing[site][one.severity] += 1
    return {
        site: SiteState(
            firing=_all(firing[site]),
            acknowledged=_all(acknowledged[site]),
            muted=muted[site],
            worst=next((one for one in _GRAVEST if firing[site][one]), ""),
        )
        for site in firing
    }


_GRAVEST = [one.value for one in reversed(Severity)]


def _all(counts: Counter[str]) -> dict[str, int]:
    return {one: counts[one] for one in _GRAVEST}
