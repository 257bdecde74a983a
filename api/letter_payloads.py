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
from core.reasons import Scope
from devices.registry import DeadLetter

PAYLOAD = "payload"
"""What the audit calls a payload, in the place of quantities."""
WITHHELD = "withheld: it may quote a vital sign, which needs the domain health"
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


def _may_quote(letter: DeadLetter) -> bool:
    named = CATALOGUE.keys() & set(_NAMES.findall(letter.detail))
    if named & HEALTH_QUANTITIES:
        return True
    return letter.scope != Scope.MESSAGE and not named
