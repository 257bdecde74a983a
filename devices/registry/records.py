"""What the registry keeps, as frozen records: no session or row object leaves the registry."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from core.access import Grant, Permission


class Site(msgspec.Struct, frozen=True):
    """A pilot site.

    Attributes:
        id: slug.
        name: for people.
        zone: IANA time zone, in which its times are shown and its days begin.
        country: ISO 3166-1 alpha-2.
        latitude: degrees north.
        longitude: degrees east.
    """

    id: str
    name: str
    zone: str
    country: str
    latitude: float
    longitude: float


class Device(msgspec.Struct, frozen=True):
    """A registered device.

    Attributes:
        id: slug, unique on the platform.
        site: slug of its site.
        profile: name of the profile that decodes it.
        external_id: its name in topics; unique within (site, profile).
        name: for people.
        building: where it is, or "".
        zone: room or area in the building, or "".
        interval_s: how often it is expected to publish, seconds, or None.
        enrolled: True when it was registered by itself (setting `ingest.unknown_device`).
        hardware_id: stable identifier such as an IEEE address, or "".
        created_ns: when it was registered, nanoseconds since the epoch (set by the registry).
        labels: what people say of it for rules to select by, name -> value; `gateway` names the
            device through which it speaks.
    """

    id: str
    site: str
    profile: str
    external_id: str
    name: str = ""
    building: str = ""
    zone: str = ""
    interval_s: float | None = None
    enrolled: bool = False
    hardware_id: str = ""
    created_ns: int = 0
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class Binding(msgspec.Struct, frozen=True):
    """A topic template bound to a profile.

    Attributes:
        template: such as `passerelle/v1/{site}/{device}/telemetry`; `{site}` and `{device}` match
            one level, `{device*}` one or more (see `devices.topics`).
        profile: profile name.
        kind: `telemetry`, `availability` or `metadata`.
        site: the site when the template does not name it, else "".
    """

    template: str
    profile: str
    kind: str
    site: str = ""


class ProfileVersion(msgspec.Struct, frozen=True):
    """A profile as it was written: versions are kept, so that history can be decoded again.

    Attributes:
        name: profile name.
        version: 1, 2, 3...
        source: the YAML text.
        sha256: of the text, hexadecimal.
        created_ns: when it was registered.
    """

    name: str
    version: int
    source: str
    sha256: str
    created_ns: int = 0


class ApiKey(msgspec.Struct, frozen=True):
    """An API key, without the key itself: only its hash is kept.

    Attributes:
        id: public part of the key.
        name: for people.
        created_ns: when it was made.
        revoked_ns: when it was revoked, or None.
        last_used_ns: when it was last used (to the minute), or None.
        grants: what it may do; of a key of a user: the user's, if it has none of its own.
        user: the user it belongs to, or None.
        within: for a key of a user: what the user may do; the key never does more.
        scopes: the only permissions that it uses, or None: all that it has.
        expires_ns: from when on it is useless, or None.
        rotated_from: the key that it replaces, or None.
    """

    id: str
    name: str
    created_ns: int
    revoked_ns: int | None = None
    last_used_ns: int | None = None
    grants: tuple[Grant, ...] = ()
    user: str | None = None
    within: tuple[Grant, ...] | None = None
    scopes: frozenset[Permission] | None = None
    expires_ns: int | None = None
    rotated_from: str | None = None

    def expired(self, now_ns: int) -> bool:
        """Tell whether its time is over."""
        return self.expires_ns is not None and now_ns >= self.expires_ns


class LedgerRow(msgspec.Struct, frozen=True):
    """The account of one device, boot and hour at one worker: counts of messages.

    `received = stored + duplicate + dead_lettered + pending`, always.

    Attributes:
        worker: worker name.
        site: site slug, or `unassigned`.
        device: device slug; the external name of a device that is not registered; `unidentified`.
        hour: start of the UTC hour of reception, seconds since the epoch.
        received: messages received, each once, however often the broker sent it.
        stored: every point of it confirmed by the store (or set aside as a points dead letter).
        duplicate: the same message published again by the device.
        dead_lettered: set aside whole, with a reason.
        pending: on the worker's disk, not yet confirmed by the store.
        redelivered: sent again by the broker although on disk already (not part of the equation).
        boot: the device's boot counter; -1 when it tells none, or for the sum over all boots.
        missing: numbers of the device's message counter that were never received (not part of the
            equation). A message that could not be read has no number: its own is among them.
        values_new: values committed at an instant later than any before it of the same device and
            category: each is a value of its own in the store.
        values_other: values committed at other instants: each may have replaced one.
    """

    worker: str
    site: str
    device: str
    hour: int
    received: int
    stored: int
    duplicate: int
    dead_lettered: int
    pending: int
    redelivered: int = 0
    boot: int = -1
    missing: int = 0
    values_new: int = 0
    values_other: int = 0


class DeadLetterState(StrEnum):
    """What became of a dead letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class DeadLetter(msgspec.Struct, frozen=True):
    """A message, a field or points that could not be stored, with the raw bytes and the reason.

    Attributes:
        id: `WORKER-NUMBER`, unique on the platform.
        worker: worker that holds it.
        scope: `core.reasons.Scope`.
        reason: `core.reasons.Reason`.
        detail: one sentence for a person.
        site: site slug, or `unassigned`.
        device: as in `LedgerRow`.
        profile: profile that was to decode it, or "".
        topic: the topic; bytes that are not UTF-8 stand as Python escapes (`x` and two digits).
        payload: the raw bytes (for scope `points`: the refused points as JSON); empty once it is
            replayed or discarded, and where a list leaves it out.
        properties: MQTT 5 properties.
        received_ns: when it was received.
        state: open, replayed or discarded.
        attempts: how often a replay was tried.
        updated_ns: when it last changed.
        size: of the payload as it was received, bytes; default: of the payload given.
        settled_by: who replayed or discarded it, or "".
        settled_why: why it was discarded, or "".
    """

    id: str
    worker: str
    scope: str
    reason: str
    detail: str
    site: str
    device: str
    profile: str
    topic: str
    payload: bytes
    properties: dict[str, str]
    received_ns: int
    state: str = DeadLetterState.OPEN.value
    attempts: int = 0
    updated_ns: int = 0
    size: int = -1
    settled_by: str = ""
    settled_why: str = ""

    def __post_init__(self) -> None:
        if self.size < 0:
            msgspec.structs.force_setattr(self, "size", len(self.payload))


class LetterFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which dead letters; every field that is given must match.

    Attributes:
        site: only this site.
        device: only this device.
        reason: only this reason.
        scope: only this scope.
        profile: only this profile.
        worker: only those of this worker.
        since_ns: received then or later, nanoseconds since the epoch.
        until_ns: received before then.
    """

    site: str | None = None
    device: str | None = None
    reason: str | None = None
    scope: str | None = None
    profile: str | None = None
    worker: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None


class LetterAction(StrEnum):
    """What a worker is asked to do with open dead letters."""

    REPLAY = "replay"
    DRY_RUN = "dry_run"
    """Judge them as a replay would, and change nothing."""
    DISCARD = "discard"


class LetterFate(StrEnum):
    """What became, or would become, of a dead letter that was looked at."""

    STORED = "stored"
    """Its points would be stored."""
    NOTHING = "nothing"
    """It would be accepted; there is nothing in it to store."""
    DUPLICATE = "duplicate"
    """It would count as a duplicate of a message that was accepted already."""
    OPEN = "open"
    """It stays, or would stay, a dead letter."""
    MISSING = "missing"
    """The worker does not have it: its spool was set aside or deleted."""
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class LetterOutcome(msgspec.Struct, frozen=True):
    """How many of the dead letters looked at had one fate.

    Attributes:
        reason: their reason before.
        fate: `LetterFate`.
        count: how many.
        reason_now: of those that stay: their reason from now on, else "".
        detail: of those that stay: what was said of one of them, else "".
    """

    reason: str
    fate: str
    count: int
    reason_now: str = ""
    detail: str = ""


class LetterRequest(msgspec.Struct, frozen=True):
    """A person's wish about dead letters; carried out by the worker that holds them.

    Attributes:
        id: number.
        dead_letters: identifiers, all of one worker; empty when they are chosen by `wanted`.
        worker: that worker.
        requested_by: name of the API key or the operator.
        created_ns: when it was asked.
        finished_ns: when the worker was done, or None.
        replayed: how many became pending again.
        failed: how many could not be decoded again and stay open.
        action: `LetterAction`.
        wanted: which open ones, when they are not named.
        rate: dead letters a second, at most; 0: as fast as it goes.
        why: why they are discarded.
        matched: how many there were when it was asked, by the registry's copy.
        done: how many the worker has looked at.
        position: greatest number that the worker has looked at.
        upto: greatest number that existed when the worker began; 0 before.
        paused: True while it is not to be carried out.
        waiting: why it does not go on now, or "".
        outcomes: what became of those looked at.
    """

    id: int
    dead_letters: tuple[str, ...]
    worker: str
    requested_by: str
    created_ns: int
    finished_ns: int | None = None
    replayed: int = 0
    failed: int = 0
    action: str = LetterAction.REPLAY.value
    wanted: LetterFilter | None = None
    rate: float = 0.0
    why: str = ""
    matched: int = 0
    done: int = 0
    position: int = 0
    upto: int = 0
    paused: bool = False
    waiting: str = ""
    outcomes: tuple[LetterOutcome, ...] = ()


class WorkerStatus(msgspec.Struct, frozen=True):
    """A worker's last sign of life.

    Attributes:
        worker: name.
        host: machine name.
        version: program version.
        seen_ns: when it reported.
        connected: True while connected to the broker.
        store: "" while the store answers, else why it does not.
        spool_bytes: size of the pending messages.
        spool_full: True while acknowledging has stopped for lack of room.
        pending: messages on disk, not yet stored.
        facts: further facts for people.
    """

    worker: str
    host: str
    version: str
    seen_ns: int
    connected: bool
    store: str
    spool_bytes: int
    spool_full: bool
    pending: int
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
