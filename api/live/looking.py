"""A reader of the live stream as the platform knows it: who it is, what it may see, and since when.

Rights are looked at anew whenever a reader asks for something else, and every little while. Each
time it begins to see vital signs that it did not see before, that is written down first.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Lock

import msgspec

from api.access.errors import AuditUnavailableError, ForbiddenError
from api.access.trail import Trail
from api.access.visibility import Access
from api.live.asking import Question, Sight, shown_to, sight_of
from api.live.shown import Shown
from api.services import Services
from core.access import Permission, Principal
from core.errors import PasserelleError
from devices.registry import Actor, AuditEntry, AuditEvent, AuditOutcome

_NEEDED = Permission.READ_READINGS
_FORBIDDEN, _AS_UNKNOWN = 403, 422


class NotLetInError(PasserelleError):
    """Whoever looked on is let in no more."""

    code = "unauthorized"


class Looking:
    """One reader. Used from several threads.

    Args:
        services: of the application.
        credential: the key or the token.
        address: from where.
        route: by which path.
        status: with which it was let in.
        question: what it asks for; may be changed.
    """

    def __init__(
        self,
        *,
        services: Services,
        credential: str,
        address: str,
        route: str,
        status: int,
        question: Question,
    ) -> None:
        self.question = question
        self._services = services
        self._credential = credential
        self._address = address
        self._about = AuditEntry(
            time_ns=0,
            event=AuditEvent.READ,
            outcome=AuditOutcome.BEGUN,
            actor=Actor("unknown"),
            method="GET",
            route=route,
            status=status,
            permission=_NEEDED.value,
        )
        self._lock = Lock()
        self._known: set[Sight] = set()
        self._begun: list[AuditEntry] = []

    def know(self, sight: Sight | None) -> None:
        """Take note that something was written down already."""
        if sight is not None:
            self._known.add(sight)

    def identify(self) -> Principal:
        """Return who the reader is now. Blocks.

        Raises:
            NotLetInError: its credential is worth nothing any more.
            PasserelleError: registry or identity provider do not answer.
        """
        principal = self._services.callers.identify(self._credential, address=self._address)
        if principal is None:
            raise NotLetInError("the key is not good")
        return principal

    def shown(self) -> Shown:
        """Return what the reader gets now, by what its credential is worth now. Blocks.

        Raises:
            NotLetInError: it is worth nothing any more.
            ForbiddenError: it asks for what it may not see; written down.
            InvalidParameterError: something in the question is not usable.
            AuditUnavailableError: it would see vital signs, and that cannot be written down.
            PasserelleError: registry or identity provider do not answer.
        """
        with self._lock:
            principal = self.identify()
            access = Access(principal=principal, permission=_NEEDED, trail=Trail())
            about = msgspec.structs.replace(
                self._about,
                actor=Actor(principal.kind, principal.id, principal.name, self._address),
            )
            try:
                if not principal.may(_NEEDED):
                    raise ForbiddenError(f"this needs the permission {_NEEDED.value}")
                shown = shown_to(access, self._services, self.question)
            except PasserelleError as error:
                if isinstance(error, ForbiddenError) or access.trail.hidden:
                    self._refused(about, access.trail.hidden)
                raise
            self._tell(about, sight_of(access, self._services, shown.wanted))
            return shown

    def renewed(self) -> Shown | None:
        """Return what the reader gets from now on, or None: it is let in no more. Blocks."""
        try:
            return self.shown()
        except PasserelleError:
            return None

    def end(self) -> None:
        """Write down that the reader looks no more. Blocks."""
        with self._lock:
            begun, self._begun = self._begun, []
        for one in begun:
            ended = msgspec.structs.replace(one, time_ns=0, outcome=AuditOutcome.COMPLETE)
            with suppress(AuditUnavailableError):  # counted and logged
                self._services.audit.write(ended)

    def _tell(self, about: AuditEntry, sight: Sight | None) -> None:
        if sight is None or sight in self._known:
            return
        entry = msgspec.structs.replace(
            about,
            sites=sight.sites,
            quantities=sight.quantities,
            start_ns=self._services.clock.now_ns(),
        )
        self._services.audit.write(entry)
        self._known.add(sight)
        self._begun.append(entry)

    def _refused(self, about: AuditEntry, hidden: str) -> None:
        entry = msgspec.structs.replace(
            about,
            event=AuditEvent.REFUSED,
            outcome=AuditOutcome.REFUSED,
            status=_AS_UNKNOWN if hidden else _FORBIDDEN,
            detail=hidden,
        )
        with suppress(AuditUnavailableError):  # counted and logged; the refusal stands all the same
            self._services.audit.write(entry)
