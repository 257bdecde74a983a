"""What dead letters tell of vital signs, and to whom.

A payload holds whatever a device measured, and nobody read it: it may hold vital signs. It is shown
to those who may read vital signs at its site, and each time the audit is told. What a list says of
a letter is shown to everybody who may see the list, unless it may quote a vital sign.
"""

from __future__ import annotations

import re

import msgspec

from api.access.errors import ForbiddenError
from api.access.visibility import Access
from core.access import HEALTH_QUANTITIES, Domain, Permission
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from core.reasons import Reason
from devices.registry import DeadLetter, LetterRequest

PAYLOAD = "payload"
"""What the audit calls a payload, in the place of quantities."""
WITHHELD = "withheld: it may quote a vital sign, which needs the domain health"
_WITHOUT_VALUES = frozenset(
    {
        Reason.TOPIC_NOT_UTF8,
        Reason.TOPIC_UNBOUND,
        Reason.PAYLOAD_TOO_LARGE,
        Reason.PAYLOAD_TOO_DEEP,
        Reason.PAYLOAD_EMPTY,
        Reason.MALFORMED,
        Reason.UNKNOWN_DEVICE,
        Reason.NO_READING,
        Reason.TOO_MANY_READINGS,
        Reason.RETAINED_WITHOUT_TIME,
        Reason.DEVICE_CLOCK,
        Reason.DUPLICATE_KEY,
    }
)
"""Reasons of which the sentence quotes no value: names, lengths and instants at most."""
_NAMES = re.compile(r"[a-z][a-z0-9_]+")


def check_payload(access: Access, letter: DeadLetter) -> None:
    """Refuse a payload to those who may not read vital signs at its site; note who reads it.

    Raises:
        ForbiddenError: they may not.
    """
    if not letter.payload:
        return
    if not _may_read_health(access, letter.site):
        raise ForbiddenError(
            "a payload may hold vital signs: this needs the permission "
            f"{Permission.READ_HEALTH.value} in the domain health at site {letter.site!r}"
        )
    access.trail.value(DeviceKey(letter.site, letter.device), PAYLOAD)


def told(access: Access, letter: DeadLetter) -> DeadLetter:
    """Return a letter as it may stand in a list: what may quote a vital sign is withheld."""
    if _may_read_health(access, letter.site) or not _may_quote(letter):
        return letter
    return msgspec.structs.replace(letter, detail=WITHHELD)


def _may_read_health(access: Access, site: str) -> bool:
    return access.principal.may(Permission.READ_HEALTH, site, Domain.HEALTH)


def told_of_request(access: Access, request: LetterRequest) -> LetterRequest:
    """Return a request as it may be shown: what may quote a vital sign is withheld."""
    sites = access.principal.sites(Permission.READ_HEALTH, Domain.HEALTH)
    about = None if request.wanted is None else request.wanted.site
    if sites is None or about in sites:
        return request
    shown = [
        msgspec.structs.replace(one, detail=WITHHELD)
        if one.detail and _quotes(one.reason_now or one.reason, one.detail)
        else one
        for one in request.outcomes
    ]
    return msgspec.structs.replace(request, outcomes=tuple(shown))


def _may_quote(letter: DeadLetter) -> bool:
    return _quotes(letter.reason, letter.detail)


def _quotes(reason: str, detail: str) -> bool:
    """Tell whether a sentence may quote a vital sign.

    Where values may be quoted at all, each part of the sentence has to say that it is about another
    quantity: devices call their fields as they like.
    """
    parts = [CATALOGUE.keys() & set(_NAMES.findall(part)) for part in detail.split("; ")]
    if any(named & HEALTH_QUANTITIES for named in parts):
        return True
    return reason not in _WITHOUT_VALUES and not all(parts)
