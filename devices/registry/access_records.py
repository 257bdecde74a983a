"""Users, what they may do, and what is written down of those who ask: as frozen records."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from core.access import Grant


class User(msgspec.Struct, frozen=True):
    """A person, or a program that is known by more than one key.

    Attributes:
        id: slug.
        name: for people.
        subject: who it is at an identity provider (`ISSUER#SUBJECT`), or None.
        grants: what the user may do; a key of the user never more.
        created_ns: when it was made, nanoseconds since the epoch.
        disabled_ns: when it was shut out, or None.
    """

    id: str
    name: str
    subject: str | None = None
    grants: tuple[Grant, ...] = ()
    created_ns: int = 0
    disabled_ns: int | None = None


class Actor(msgspec.Struct, frozen=True):
    """Who did something.

    Attributes:
        kind: `key`, `user`, `oidc`; `local` for the command line, `unknown` for a bad key.
        id: of the key, the user or the subject; the public part of a key that was refused.
        name: for people.
        address: from where, or "".
    """

    kind: str
    id: str = ""
    name: str = ""
    address: str = ""


LOCAL = Actor("local", "", "command line")
"""Whoever has the registry at hand."""


class AuditEvent(StrEnum):
    """What is written down."""

    READ = "read"
    """Vital signs were read."""
    REFUSED = "refused"
    """Somebody asked for what they have no right to."""
    ACCESS = "access"
    """A user, a key or a grant was changed."""
    ALERT = "alert"
    """An alert was acknowledged or silenced, or a rule, a silence or a channel was touched."""


class AuditOutcome(StrEnum):
    """How it ended."""

    ANSWERED = "answered"
    BEGUN = "begun"
    """The answer is on its way, or made in the background; a further row says how it ended."""
    COMPLETE = "complete"
    FAILED = "failed"
    REFUSED = "refused"
    DONE = "done"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the audit.

    Attributes:
        id: 1, 2, 3...; set when it is written.
        time_ns: when, nanoseconds since the epoch.
        event: one of `AuditEvent`.
        outcome: one of `AuditOutcome`.
        actor: who.
        method: of HTTP, or "".
        route: template of the path, or the command.
        status: of the answer, or 0.
        permission: what the route needs, or "".
        sites: of the devices that were read, in order.
        devices: how many devices' vital signs were read.
        quantities: which ones, in order.
        start_ns: from when on they were asked for, or None.
        end_ns: until when, or None.
        rows: values that were read to answer, as far as known.
        times: how many requests this row stands for.
        detail: one sentence.
        chain: SHA-256 over this row and the `chain` of the row before, hexadecimal.
    """

    time_ns: int
    event: str
    outcome: str
    actor: Actor
    method: str = ""
    route: str = ""
    status: int = 0
    permission: str = ""
    sites: tuple[str, ...] = ()
    devices: int = 0
    quantities: tuple[str, ...] = ()
    start_ns: int | None = None
    end_ns: int | None = None
    rows: int = 0
    times: int = 1
    detail: str = ""
    id: int = 0
    chain: str = ""


class AuditFilter(msgspec.Struct, frozen=True):
    """Which rows of the audit; every field that is given must match.

    Attributes:
        event: only this event.
        actor: only this actor, by id or name.
        site: only reads at this site.
        since_ns: at this instant or later.
        until_ns: before this instant.
    """

    event: str | None = None
    actor: str | None = None
    site: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
