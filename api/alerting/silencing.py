"""What somebody may silence, and which silences they see.

A silence mutes whatever fits it, also what its maker may not see: so it names sites where they may
silence, and may not fit a rule about health unless they hold those sites in health too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alerts.rules.inventory import matches
from api.access.errors import ForbiddenError
from api.alerting.rights import AlertRights
from api.parameters import existing_site
from api.problems import InvalidParameterError
from api.services import Services
from core.access import Permission
from core.clock import NS_PER_S
from devices.registry.alert_records import Silence, SilenceKind
from devices.registry.silences import read_match

_DAY_NS = 86_400 * NS_PER_S
LONGEST_NS: Mapping[SilenceKind, int] = {
    SilenceKind.SILENCE: 90 * _DAY_NS,
    SilenceKind.MAINTENANCE: 366 * _DAY_NS,
}
"""How long each kind lasts at most: a silence that nobody ends is a missed alarm."""
_FARTHEST_NS = 366 * _DAY_NS
_OF_A_PLACE = frozenset({"building", "zone", "device", "person"})
Match = Mapping[str, Sequence[str]]


def check_time(kind: SilenceKind, start_ns: int, end_ns: int, *, now_ns: int) -> None:
    """Refuse a time that is over, too far away or too long.

    Raises:
        InvalidParameterError: names `start` or `end`.
    """
    if end_ns <= max(start_ns, now_ns):
        raise InvalidParameterError("end", "must be after start and after now", location="body")
    if start_ns > now_ns + _FARTHEST_NS:
        raise InvalidParameterError("start", "is more than a year ahead", location="body")
    if end_ns - start_ns > LONGEST_NS[kind]:
        days = LONGEST_NS[kind] // _DAY_NS
        raise InvalidParameterError(
            "end", f"a {kind.value} lasts at most {days} days; make it anew then", location="body"
        )


def check_match(services: Services, rights: AlertRights, match: Match) -> None:
    """Refuse a match that fits more than the caller may silence.

    Raises:
        ForbiddenError: they know a site, and may not silence there; or it may mute alerts about
            health, which they may not see.
        InvalidParameterError: a site does not exist, or none is named.
    """
    access = rights.access
    if not match:
        raise InvalidParameterError(
            "match", "say which alerts are meant: rule, site, device, ...", location="body"
        )
    sites = match.get("site", ())
    if access.sites is not None:
        if not sites:
            raise InvalidParameterError(
                "match.site", "name the site: you may not silence everywhere", location="body"
            )
        for site in sites:
            try:
                existing_site(access, services.registry, site, parameter="match.site")
            except InvalidParameterError as error:
                raise error.in_body() from None
    if not _reads_health(rights, sites) and _may_fit_health(services, rights, match):
        raise ForbiddenError(
            "this may mute alerts about vital signs or persons: name the rules that are meant, or "
            f"hold the permission {Permission.READ_HEALTH.value} in the domain health there"
        )


def shows_silence(rights: AlertRights, silence: Silence) -> bool:
    """Tell whether a caller may see a silence: what it names is at sites that they may see."""
    match = read_match(silence.match)
    sites = rights.access.sites
    named = match.get("site", ())
    if sites is not None:
        if not named and _OF_A_PLACE & match.keys():
            return False
        if not sites.issuperset(named):
            return False
    about = "person" in match or any(
        rights.rules.about_health(rule, unknown=False)
        for rule in match.get("rule", ())
        if "*" not in rule
    )
    return not about or _reads_health(rights, named)


def _reads_health(rights: AlertRights, sites: Sequence[str]) -> bool:
    plain = [site for site in sites if "*" not in site]
    if not sites or len(plain) < len(sites):
        return rights.reads_health("")
    return all(map(rights.reads_health, plain))


def _may_fit_health(services: Services, rights: AlertRights, match: Match) -> bool:
    """Return whether a rule that is there and about health may raise what a match fits."""
    if "person" in match:
        return True
    rules, severities, classes = (
        tuple(match.get(name, ())) for name in ("rule", "severity", "alarm_class")
    )
    for version in services.registry.rules.newest():
        rule = rights.rules.parsed(version)
        fits = matches(rules, version.name) and (
            rule is None
            or (matches(severities, rule.severity) and matches(classes, rule.alarm_class))
        )
        if fits and rights.rules.about_health(version.name, version.version):
            return True
    return False
